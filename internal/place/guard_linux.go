package place

import (
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// guardName is the file of a directory whose locks guard the paths in it: one
// byte of it, of which nothing is ever written, for each path. A file for each
// path would have to be made and removed each time, and making one costs more
// than everything else that is done under the lock.
const guardName = ".guard"

// Guard locks a path among processes, whether there is a file or not: who has it
// may make, write, name and remove what stands there. Somebody who was stopped
// has it until he goes on or dies. False says that another has it. The lock is
// beside path, and the kernel gives it back when release is called or the process
// dies. Where the file system knows no locks, as some network file systems,
// everybody gets it.
func Guard(path string) (release func(), ok bool, err error) {
	name := filepath.Join(filepath.Dir(path), guardName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: guardAt(path), Len: 1}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		// Of the open file, not of the process: two of one process exclude
		// each other as well.
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	}
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return nil, false, f.Close()
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EINVAL):
		err = nil
	}
	var named bool
	if err == nil {
		named, err = isNamed(f, name)
	}
	if err != nil || !named { // somebody has removed the file, and the next takes another
		return nil, false, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, true, nil
}

// guardAt is the byte that stands for a path. That two share one has no effect
// but that one waits for the other.
func guardAt(path string) int64 {
	h := fnv.New64a()
	h.Write([]byte(filepath.Base(path))) //nolint:errcheck // a hash never fails
	return int64(h.Sum64() & (math.MaxInt64 >> 1))
}

// IsGuard tells the file that guards others from those that are guarded.
func IsGuard(name string) bool { return filepath.Base(name) == guardName }

func isNamed(f *os.File, name string) (bool, error) {
	ours, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(ours, there), err
}
