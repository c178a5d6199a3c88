package filemgr

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// stagingDir is below the receive directory, so that placing is a rename, and
// hidden, so that nobody takes files from it.
const stagingDir = ".pabal"

// AssembleOptions say which file is built and how.
type AssembleOptions struct {
	ReceiveDir string // RECEIVE_DIRECTORY_NAME; must exist
	ID         string // of the transfer
	Staged     string // where it is built, "" = StagedPath
	Form       Form
	Encoding   Encoding
	Access     place.Access
	MaxSize    int64 // most bytes the file may have; 0 = no limit. Bounds what gzip data unfold to.
	Held       Held
	Check      *Check // what the file must hold to; nil = nothing. Its failure is that of building
	Locked     bool   // see LockAll

	// WireSize is how many wire bytes there are, for buffers of the right
	// size; 0 = not known. WireDigest is their sha256 in hex, where it was
	// computed when they came; "" has it computed now. It is not computed twice:
	// the source compares each block with its checksum.
	WireSize   int64
	WireDigest string
}

// Held says whether the caller still holds the transfer: nil, or the error with
// which a former holder is told that it does not. It is asked under a lock on the
// staged file's path. Rows are fenced, a disk is not: so whoever makes a staged
// file, writes to it, removes it or gives it its name locks it first and then
// looks whether it is still his. One who was stopped before that finds that it is
// not; the others wait for one who was stopped after it (CodeStagedBusy), because
// he will go on. Without Held the answer is yes.
type Held func() error

func (held Held) guard(staged string) (release func(), err error) {
	release, ok, err := place.Guard(staged)
	switch {
	case err != nil:
		return nil, accessFault(staged, err)
	case !ok:
		return nil, fault.New(CodeStagedBusy, staged)
	case held == nil:
		return release, nil
	}
	if err := held(); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Staged is a complete, durable file that has no final name yet.
type Staged struct {
	Path       string // <receive>/.pabal/<transfer id>
	FileSize   int64
	WireSize   int64
	FileDigest string // sha256, hex
	WireDigest string // sha256, hex
	Records    int64  // 0 where records have no length
	// Named says that the name is durable as well: the file was there before it
	// was built, under the name that its content was received into.
	Named bool
}

// StagingDir is the directory in which files are staged.
func StagingDir(receiveDir string) string { return filepath.Join(receiveDir, stagingDir) }

// StagedPath is where Assemble builds the file of a transfer.
func StagedPath(receiveDir, id string) string { return filepath.Join(receiveDir, stagingDir, id) }

// Assemble builds the file of a received transfer and makes its name durable as
// well: Build and SyncStaged for one.
func Assemble(ctx context.Context, o AssembleOptions, src Source) (Staged, error) {
	s, err := Build(ctx, o, src)
	if err != nil {
		return Staged{}, err
	}
	if err := SyncStaged(o.ReceiveDir); err != nil {
		return Staged{}, errors.Join(err, Discard(o.ReceiveDir, o.ID))
	}
	return s, nil
}

// SyncStaged makes the names of built files durable. After it, and not before,
// "placing" may be committed for them (design D2).
func SyncStaged(receiveDir string) error {
	dir := filepath.Join(receiveDir, stagingDir)
	return osFault(dir, place.SyncDir(dir))
}

// Build writes the file of a received transfer from its wire bytes: from
// scratch, whatever an earlier try left. When it returns, the content is
// durable; its name in the staging directory is after SyncStaged.
func Build(ctx context.Context, o AssembleOptions, src Source) (Staged, error) {
	if !validID(o.ID) {
		return Staged{}, fault.New(CodeBadID, o.ID)
	}
	if err := o.Form.Validate(); err != nil {
		return Staged{}, err
	}
	if f := checkDir(o.ReceiveDir); f != nil {
		return Staged{}, f
	}
	dir := filepath.Join(o.ReceiveDir, stagingDir)
	if err := makeDir(dir, o.Access); err != nil {
		return Staged{}, err
	}
	s := Staged{Path: o.path()}
	if !o.Locked {
		release, err := o.Held.guard(s.Path)
		if err != nil {
			return Staged{}, err
		}
		defer release()
	}
	f, err := o.Access.Open(s.Path)
	if err != nil {
		return Staged{}, accessFault(s.Path, err)
	}
	err = s.fill(ctx, f, o, src)
	if err == nil {
		err = osFault(s.Path, place.SyncFile(f))
	}
	if cerr := f.Close(); err == nil {
		err = osFault(s.Path, cerr)
	}
	if err != nil {
		// What was written is of no use, and on a full disk it is in the way.
		return Staged{}, errors.Join(err, DiscardAt(s.Path))
	}
	return s, nil
}

func (o AssembleOptions) path() string {
	if o.Staged != "" {
		return o.Staged
	}
	return StagedPath(o.ReceiveDir, o.ID)
}

// Adopt makes a staged file of wire bytes that were received into just that
// place, durably, each at its offset (design D3). Their size, and their digest
// if it is known, were proven by the caller; the form must be one whose wire
// bytes are the file's. What stands behind them, after a block that became
// smaller, is cut off. A file without bytes may not be there yet.
func Adopt(o AssembleOptions, size int64, digest string) (Staged, error) {
	s := Staged{Path: o.path(), FileSize: size, WireSize: size, FileDigest: digest, WireDigest: digest}
	if n := int64(o.Form.Length + len(o.Form.lineEnd())); o.Form.Length > 0 {
		s.Records = size / n
	}
	if !o.Locked {
		release, err := o.Held.guard(s.Path)
		if err != nil {
			return Staged{}, err
		}
		defer release()
	}
	flags := os.O_WRONLY | syscall.O_NOFOLLOW
	if size == 0 {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(s.Path, flags, 0o640)
	if err != nil {
		return Staged{}, osFault(s.Path, err)
	}
	err = o.Access.Settle(f)
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	s.Named = size > 0
	if err == nil && info.Size() != size {
		if err = f.Truncate(size); err == nil {
			err = place.SyncFile(f)
		}
	}
	return s, accessFault(s.Path, errors.Join(err, f.Close()))
}

// fill writes the file and notes sizes and digests.
func (s *Staged) fill(ctx context.Context, f *os.File, o AssembleOptions, src Source) error {
	wire, file := &sideMeter{}, &meter{hash: sha256.New()}
	if o.WireDigest == "" {
		wire.digester = newDigester(o.WireSize)
		defer wire.digest()
	}
	same := SameBytes(o.Form, o.Encoding)
	disk := bufio.NewWriterSize(diskWriter{f, s.Path}, bufferFor(o.WireSize))
	var out io.Writer = disk
	if !same {
		out = io.MultiWriter(file, disk)
	}
	if o.Check != nil {
		out = io.MultiWriter(o.Check, out)
	}
	metered := func(emit func([]byte) error) error {
		return src(func(p []byte) error {
			wire.Write(p) //nolint:errcheck // it never fails
			return emit(p)
		})
	}
	if err := ToFile(ctx, o.Form, o.Encoding, o.MaxSize, metered, out); err != nil {
		return err
	}
	if o.Check != nil {
		if err := o.Check.Close(); err != nil {
			return err
		}
	}
	if err := disk.Flush(); err != nil {
		return err
	}
	s.WireSize, s.WireDigest = wire.size, o.WireDigest
	if s.WireDigest == "" {
		s.WireDigest = wire.digest()
	}
	s.FileSize, s.FileDigest = s.WireSize, s.WireDigest
	if !same {
		s.FileSize, s.FileDigest = file.size, file.digest()
	}
	if n := int64(o.Form.Length + len(o.Form.lineEnd())); o.Form.Length > 0 {
		s.Records = s.FileSize / n
	}
	return nil
}

// sideMeter counts and, if it has a digester, digests bytes; the digest, which
// costs as much as everything else, is computed beside the rest.
type sideMeter struct {
	*digester
	size  int64
	n     int
	ended bool
	sum   string
}

func (m *sideMeter) Write(p []byte) (int, error) {
	written := len(p)
	m.size += int64(written)
	for m.digester != nil && len(p) > 0 { // p may be used again by its owner, so it is copied
		b := m.buffer(m.n)
		n := copy(b, p)
		m.pieces <- b[:n]
		m.n++
		p = p[n:]
	}
	return written, nil
}

// digest ends the computation; it may be asked again.
func (m *sideMeter) digest() string {
	if !m.ended {
		m.ended, m.sum = true, m.finish()
	}
	return m.sum
}

// meter counts and digests bytes.
type meter struct {
	hash hash.Hash
	size int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return m.hash.Write(p)
}

func (m *meter) digest() string { return hex.EncodeToString(m.hash.Sum(nil)) }

// diskWriter gives the errors of a file their codes, so that they stay apart
// from those of the source.
type diskWriter struct {
	f    *os.File
	path string
}

func (d diskWriter) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	return n, osFault(d.path, err)
}

// Discard removes what Assemble built for a transfer, if anything.
func Discard(receiveDir, id string) error { return DiscardAt(StagedPath(receiveDir, id)) }

// DiscardAt removes a staged file, if it is there.
func DiscardAt(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return osFault(path, err)
	}
	return nil
}

// DiscardStaged removes what stands in the staging directory for a transfer that
// came to its end. What somebody is still at stays.
func DiscardStaged(path string) error {
	if place.IsGuard(path) {
		return nil
	}
	release, err := Held(nil).guard(path)
	if fault.CodeOf(err) == CodeStagedBusy {
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	return DiscardAt(path)
}

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
