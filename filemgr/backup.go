package filemgr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// Directories beside the scan directory (design §5).
const (
	backupDir = "backup"
	errorDir  = "error"
)

// BackupPath is where the backup of a sent file goes:
// backup/YYYYMMDD/<name>YYYYMMDDHHmmssSSS beside the scan directory, in business
// time (design §5, D9).
func BackupPath(scanDir, name string, at time.Time, zone *time.Location) string {
	return datedPath(scanDir, backupDir, name, at.In(zone))
}

// ErrorPath is where a refused file goes, as BackupPath but below error/.
func ErrorPath(scanDir, name string, at time.Time, zone *time.Location) string {
	return datedPath(scanDir, errorDir, name, at.In(zone))
}

func datedPath(scanDir, kind, name string, at time.Time) string {
	stamp := at.Format("20060102150405.000")
	return filepath.Join(filepath.Dir(filepath.Clean(scanDir)), kind, at.Format("20060102"),
		name+stamp[:14]+stamp[15:])
}

// BackUp moves the work file of a stored transfer to its backup path, across
// file systems by a synced copy. It may be called again after a crash at any
// point: a backup without a work file means that it is done, and both with equal
// content that only the work file is still to be removed.
//
// CodeBackupConflict means that the backup's name holds other content: choose
// another path. CodeVanished means that neither file is there: the backup can be
// written from the stored payload (RestoreBackup).
func BackUp(ctx context.Context, workPath, backupPath string, access place.Access) error {
	return BackUpAll(ctx, []Move{{workPath, backupPath, access}})[0]
}

// Move is a file, the path that it is to have, and who may use it there.
type Move struct {
	From, To string
	Access   place.Access
}

// BackUpAll is BackUp for many files, each directory of which is synced once.
// It returns an error or nil for each; nil says that its backup is durable.
func BackUpAll(ctx context.Context, moves []Move) []error {
	errs := make([]error, len(moves))
	var touched []string
	for n, m := range moves {
		if errs[n] = makeDir(filepath.Dir(m.To), m.Access); errs[n] == nil {
			errs[n] = backUp(ctx, m)
		}
		if errs[n] == nil {
			touched = append(touched, m.To, m.From)
		}
	}
	if len(touched) == 0 {
		return errs
	}
	if err := place.SyncParents(touched...); err != nil {
		for n := range errs {
			if errs[n] == nil {
				errs[n] = dirFault(filepath.Dir(moves[n].To), err)
			}
		}
	}
	return errs
}

// backUp moves one file. Where it finds that this was done before, the crash
// may have come before the sync, so success wants the directories synced in
// every case.
func backUp(ctx context.Context, m Move) error {
	workPath, backupPath := m.From, m.To
	err := m.Access.MoveUnsynced(ctx, workPath, backupPath)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return finishMove(ctx, workPath, backupPath)
	case errors.Is(err, fs.ErrNotExist):
		// The work directory must be there for the work file's absence to mean
		// anything.
		if f := checkDir(filepath.Dir(workPath)); f != nil {
			return f
		}
		done, xerr := exists(backupPath)
		if xerr != nil {
			return xerr
		}
		if !done {
			return fault.New(CodeVanished, workPath).Because(err)
		}
		return nil
	}
	return accessFault(backupPath, err)
}

// finishMove ends a move whose target exists: a copy that a crash interrupted
// before the source was removed, or a conflict.
func finishMove(ctx context.Context, from, to string) error {
	there, err := exists(from)
	if err != nil || !there {
		return err
	}
	equal, err := equalFiles(ctx, from, to)
	if err != nil {
		return err
	}
	if !equal {
		return fault.New(CodeBackupConflict, to, "work", from)
	}
	if err := os.Remove(from); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return osFault(from, err)
	}
	return nil
}

// equalFiles compares two regular files byte by byte.
func equalFiles(ctx context.Context, a, b string) (bool, error) {
	fa, ia, err := openRegular(a)
	if err != nil {
		return false, err
	}
	defer fa.Close() //nolint:errcheck // only read
	fb, ib, err := openRegular(b)
	if err != nil {
		return false, err
	}
	defer fb.Close() //nolint:errcheck // only read
	if ia.Size() != ib.Size() {
		return false, nil
	}
	ba, bb := make([]byte, readBuffer), make([]byte, readBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		na, ea := io.ReadFull(fa, ba)
		nb, eb := io.ReadFull(fb, bb)
		if !bytes.Equal(ba[:na], bb[:nb]) {
			return false, nil
		}
		for _, e := range []struct {
			path string
			err  error
		}{{a, ea}, {b, eb}} {
			if e.err != nil && !errors.Is(e.err, io.EOF) && !errors.Is(e.err, io.ErrUnexpectedEOF) {
				return false, osFault(e.path, e.err)
			}
		}
		if ea != nil || eb != nil {
			return (ea != nil) == (eb != nil), nil
		}
	}
}

// Refuse moves a file that failed its checks to its error path and writes text,
// the code, sentence and next step, to <errorPath>.txt beside it. Like BackUp it
// may be called again after a crash. The text comes first: it is the work file
// that tells the caller after a crash that there is something left to do.
func Refuse(ctx context.Context, workPath, errorPath, text string, access place.Access) error {
	if err := makeDir(filepath.Dir(errorPath), access); err != nil {
		return err
	}
	there, err := exists(errorPath)
	if err != nil {
		return err
	}
	if !there { // or it would be another file's text
		if err := writeText(errorPath+".txt", text, access); err != nil {
			return err
		}
	}
	if err := BackUp(ctx, workPath, errorPath, access); err != nil || !there {
		return err
	}
	return writeText(errorPath+".txt", text, access)
}

func writeText(path, text string, access place.Access) error {
	return dirFault(filepath.Dir(path), access.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}))
}

// RestoreBackup writes a lost backup anew: write puts the file's bytes, which
// ToFile makes from stored payload, into a temporary that is synced and then
// takes the backup's name. A backup that is there stays as it is.
func RestoreBackup(path string, access place.Access, write func(io.Writer) error) error {
	if err := makeDir(filepath.Dir(path), access); err != nil {
		return err
	}
	if there, err := exists(path); there || err != nil {
		return err
	}
	err := access.Create(path, write)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return osFault(path, err)
}
