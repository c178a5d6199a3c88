package filemgr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// Existing says what happens when the final name is taken.
type Existing string

const (
	ExistingWait    Existing = "wait"    // the transfer waits until the name is free; the default
	ExistingReplace Existing = "replace" // the new file takes the name
	ExistingNumber  Existing = "number"  // the new file gets a number: .1, .2 …
)

// maxNumbered is how many numbered names are tried.
const maxNumbered = 9999

// ChooseFinal chooses the final path before "placing" is committed with it.
// suffix is the ending that the registration declares (".dat"); a number goes
// before it. CodeExists (waits) means that the name is taken and the
// registration wants neither to replace it nor a number.
func ChooseFinal(receiveDir, name, suffix string, existing Existing) (string, error) {
	if f := checkDir(receiveDir); f != nil {
		return "", f
	}
	path := filepath.Join(receiveDir, name)
	taken, err := exists(path)
	if err != nil {
		return "", err
	}
	if !taken || existing == ExistingReplace {
		return path, nil
	}
	if existing != ExistingNumber {
		return "", fault.New(CodeExists, path)
	}
	base, cut := strings.CutSuffix(path, suffix)
	if !cut {
		suffix = ""
	}
	for n := 1; n <= maxNumbered; n++ {
		numbered := fmt.Sprintf("%s.%d%s", base, n, suffix)
		if taken, err = exists(numbered); err != nil {
			return "", err
		}
		if !taken {
			return numbered, nil
		}
	}
	return "", fault.New(CodeNoFreeName, path, "tried", maxNumbered)
}

// State is where a crash during placing has left a file.
type State string

const (
	StateStaged State = "staged" // the temporary is there: place it
	StatePlaced State = "placed" // it is not: the file had been placed
)

// Recover tells how far a transfer in "placing" came (design D2). It must have
// been built completely, which the status proves. When the staging directory
// itself is missing nothing is concluded from the absence of a file in it: a
// file system that is not mounted looks like that. Then CodeDirMissing waits.
func Recover(receiveDir, id string) (State, error) { return recoverAt(StagedPath(receiveDir, id)) }

func recoverAt(path string) (State, error) {
	if f := checkDir(filepath.Dir(path)); f != nil {
		return "", f
	}
	staged, err := exists(path)
	switch {
	case err != nil:
		return "", err
	case staged:
		return StateStaged, nil
	}
	return StatePlaced, nil
}

// Placing is one file to place: the assembled file of a transfer and its
// committed final path.
type Placing struct {
	ID         string
	Staged     string // where it stands, "" = StagedPath
	Final      string
	Existing   Existing
	FlagSuffix string // "" is no flag file
	Access     place.Access
	Held       Held
	Locked     bool // see LockAll
}

// Place is PlaceAll of one file.
func Place(receiveDir, id, final string, existing Existing, flagSuffix string) error {
	return PlaceAll(receiveDir, []Placing{{ID: id, Final: final, Existing: existing, FlagSuffix: flagSuffix}})[0]
}

// PlaceAll gives assembled files their committed final paths, syncs the
// directories, each once, and then creates the flag files where a suffix is
// given. It may be called again after a crash at any point: a file that was
// placed already is not touched, and a flag is only added while the file is
// still there, because the business system may have taken both. It returns an
// error or nil for each.
//
// CodeExists (waits) means that something has taken the name since it was chosen.
func PlaceAll(receiveDir string, files []Placing) []error {
	errs := make([]error, len(files))
	var touched []string
	for n, p := range files {
		staged := p.Staged
		if staged == "" {
			staged = StagedPath(receiveDir, p.ID)
		}
		if errs[n] = p.rename(staged); errs[n] == nil {
			// Also when it was placed before: the crash may have come before the sync.
			touched = append(touched, p.Final, staged)
		}
	}
	if len(touched) == 0 {
		return errs
	}
	err := place.SyncParents(touched...)
	for n, p := range files {
		switch {
		case errs[n] != nil:
		case err != nil:
			errs[n] = dirFault(filepath.Dir(p.Final), err)
		case p.FlagSuffix != "":
			errs[n] = p.flag()
		}
	}
	return errs
}

func (p Placing) rename(staged string) error {
	if f := checkDir(filepath.Dir(staged)); f != nil {
		return f
	}
	if !p.Locked {
		release, err := p.Held.guard(staged)
		if err != nil {
			return err
		}
		defer release()
	}
	state, err := recoverAt(staged)
	if err != nil || state != StateStaged {
		return err
	}
	// Also where it was not built but received as a file.
	if err := p.Access.Adopt(staged); err != nil {
		return accessFault(p.Final, err)
	}
	rename := place.NoReplace
	if p.Existing == ExistingReplace {
		rename = os.Rename
	}
	switch err := rename(staged, p.Final); {
	case errors.Is(err, fs.ErrExist):
		return fault.New(CodeExists, p.Final).Because(err)
	case err != nil:
		return dirFault(filepath.Dir(p.Final), err)
	}
	return nil
}

func (p Placing) flag() error {
	there, err := exists(p.Final)
	if err != nil || !there {
		return err
	}
	flag := p.Final + p.FlagSuffix
	err = p.Access.Create(flag, func(io.Writer) error { return nil })
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return dirFault(filepath.Dir(flag), err)
}
