package filemgr

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"pabal/internal/place"
)

// A result file is made in two steps, so that a program that takes it away
// never gets it twice: staged under a key beside its final place, and then,
// when that it is placed has been recorded, renamed. After a crash in between
// what is staged still has to be placed, and what is not there was placed.

// StageResult writes the text of a result file under a key, durably. The same
// key again replaces what it had. Errors: those of a directory (Waits).
func StageResult(dir, key, text string, access place.Access) error {
	if f := checkDir(dir); f != nil {
		return f
	}
	path := filepath.Join(dir, stagingDir, key)
	if err := makeDir(filepath.Dir(path), access); err != nil {
		return err
	}
	return writeText(path, text, access)
}

// PlaceResult gives what is staged under a key the name <name>.ok or
// <name>.fail and removes the other one, which an earlier try may have left. It
// takes the place of an older file of its name. Without anything staged it was
// placed before.
func PlaceResult(dir, key, name string, ok bool) error {
	if f := checkDir(dir); f != nil {
		return f
	}
	now, old := ".fail", ".ok"
	if ok {
		now, old = old, now
	}
	path := filepath.Join(dir, name)
	err := os.Rename(filepath.Join(dir, stagingDir, key), path+now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return osFault(path+now, err)
	}
	if err := os.Remove(path + old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return osFault(path+old, err)
	}
	return dirFault(dir, place.SyncDir(dir))
}
