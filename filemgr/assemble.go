package filemgr

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	wire := &sideMeter{}
	if o.WireDigest == "" {
		wire.digester = newDigester(o.WireSize)
	}
	err = s.fill(ctx, f, o, wire, src)
	s.digested(cmp.Or(wire.digest(), o.WireDigest))
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

// digested notes the digest of the wire bytes, which is that of a file of the
// same bytes.
func (s *Staged) digested(wire string) {
	s.WireDigest, s.FileDigest = wire, cmp.Or(s.FileDigest, wire)
}

// fill writes the file and notes its size, that of the wire bytes, and the digest
// of a file whose bytes are others.
func (s *Staged) fill(ctx context.Context, f *os.File, o AssembleOptions, wire *sideMeter, src Source) error {
	file := &meter{hash: sha256.New()}
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
	s.WireSize, s.FileSize = wire.size, wire.size
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
	size int64
	n    int
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

// digest ends the computation; "" if there was none.
func (m *sideMeter) digest() string {
	if m.digester == nil {
		return ""
	}
	return m.finish()
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
