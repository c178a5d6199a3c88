package place

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Access says who may use the files and directories that we make and take over.
// The umask of the process does not count: what is said here is what they get,
// before they have their final name and before content is in them. The zero
// value is 0640 and 0750, with the owner and group of the process: content is
// nobody's business but that of a group that somebody has chosen.
type Access struct {
	File fs.FileMode // permission bits; 0 = 0640
	Dir  fs.FileMode // 0 = 0750
	Own  bool        // owner and group are set
	UID  int         // with Own; -1 = as it is
	GID  int
	// Strict makes it an error when a file of somebody else, whose access we may
	// not change, comes otherwise. Without it such a file is taken as it is.
	Strict bool
}

func (a Access) file() fs.FileMode {
	if a.File == 0 {
		return 0o640
	}
	return a.File.Perm()
}

func (a Access) dir() fs.FileMode {
	if a.Dir == 0 {
		return 0o750
	}
	return a.Dir.Perm()
}

// Settle gives an open file or directory of ours its mode and owner. Giving it
// to another user takes root; a group takes root or membership.
func (a Access) Settle(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want := a.file()
	if info.IsDir() {
		want = a.dir()
	}
	if a.Own && !a.owned(info) {
		// First: a change of owner can take bits of the mode away.
		if err := f.Chown(a.UID, a.GID); err != nil {
			return err
		}
	}
	if info.Mode().Perm() == want {
		return nil
	}
	return f.Chmod(want)
}

func (a Access) owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (a.UID < 0 || int(st.Uid) == a.UID) && (a.GID < 0 || int(st.Gid) == a.GID)
}

// Adopt is Settle for a file that somebody else may have made. Links are not
// followed and a pipe in its place does not block.
func (a Access) Adopt(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	err = a.Settle(f)
	if errors.Is(err, fs.ErrPermission) && !a.Strict {
		err = nil // the directory keeps others out
	}
	return errors.Join(err, f.Close())
}

// MakeDir creates dir and what is missing above it, and syncs every directory
// that got a new name. One that is there stays as it is.
func (a Access) MakeDir(dir string) error {
	dir = filepath.Clean(dir)
	fi, err := os.Stat(dir)
	if err == nil {
		if !fi.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := a.MakeDir(parent); err != nil {
			return err
		}
	}
	err = os.Mkdir(dir, 0o700) // nobody gets in before it is settled
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err == nil {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(a.Settle(d), d.Close()); err != nil {
			return err
		}
	}
	return SyncDir(parent)
}

// Create writes a new file: write fills a hidden temporary beside final, which
// is synced and then given its name without replacing. On an error nothing
// stays under either name; fs.ErrExist means that final is taken.
//
// The temporary's name depends only on final, so what a crash left behind is
// overwritten by the next try instead of piling up. Two writers of one final
// name at the same time are the caller's mistake.
func (a Access) Create(final string, write func(io.Writer) error) error {
	return a.create(final, write, NoReplace)
}

// Replace is Create, but takes the place of a file that has the name.
func (a Access) Replace(final string, write func(io.Writer) error) error {
	return a.create(final, write, os.Rename)
}

func (a Access) create(final string, write func(io.Writer) error, rename func(tmp, final string) error) error {
	tmp := tempName(final)
	if err := a.writeTemp(tmp, write); err != nil {
		return err
	}
	if err := rename(tmp, final); err != nil {
		return errors.Join(err, removeIfThere(tmp))
	}
	return SyncDir(filepath.Dir(final))
}

// Open opens a file of ours for writing from the start, with its access settled
// before there is anything to read in it.
func (a Access) Open(path string) (*os.File, error) { return a.open(path, os.O_TRUNC) }

// OpenNew is Open for a file that must not be there yet (fs.ErrExist).
func (a Access) OpenNew(path string) (*os.File, error) { return a.open(path, os.O_EXCL) }

func (a Access) open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := a.Settle(f); err != nil {
		return nil, errors.Join(err, f.Close(), removeIfThere(path))
	}
	return f, nil
}

func (a Access) writeTemp(tmp string, write func(io.Writer) error) error {
	f, err := a.Open(tmp)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = SyncFile(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, removeIfThere(tmp))
	}
	return nil
}

// CopySync copies src to dst through a temporary in dst's directory; the copy
// is durable, under its name, when it returns. src stays. It does not replace.
func (a Access) CopySync(ctx context.Context, src, dst string) error {
	in, err := os.OpenFile(src, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	return a.Create(dst, func(w io.Writer) error {
		buf := make([]byte, bufferSize)
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := in.Read(buf)
			if n > 0 {
				if _, werr := w.Write(buf[:n]); werr != nil {
					return werr
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// MoveUnsynced is Move without the syncs of the directories, for who moves
// many files and then syncs each directory once.
func (a Access) MoveUnsynced(ctx context.Context, src, dst string) error {
	if err := a.Adopt(src); err != nil {
		return err
	}
	err := NoReplace(src, dst)
	if errors.Is(err, syscall.EXDEV) {
		if err = a.CopySync(ctx, src, dst); err == nil {
			err = os.Remove(src)
		}
	}
	return err
}
