//go:build unix && !linux

package place

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// guardSuffix ends the name of the file whose lock guards a path.
const guardSuffix = ".lock"

// Guard locks a path among processes, whether there is a file or not: who has it
// may make, write, name and remove what stands there. Somebody who was stopped
// has it until he goes on or dies. False says that another has it. It is a lock
// on a file beside path, which release removes; a crash leaves the file, without
// its lock. Where the file system knows no locks, as some network file systems,
// everybody gets it.
func Guard(path string) (release func(), ok bool, err error) {
	name := path + guardSuffix
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = Flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, false, f.Close()
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOTSUP):
		err = nil
	}
	var named bool
	if err == nil {
		named, err = isNamed(f, name)
	}
	if err != nil || !named { // who had it before has removed the file
		return nil, false, errors.Join(err, f.Close())
	}
	return func() {
		_ = os.Remove(name) // one that stays is taken again
		_ = f.Close()
	}, true, nil
}

// IsGuard tells a file that guards another from those that are guarded.
func IsGuard(name string) bool { return strings.HasSuffix(name, guardSuffix) }

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
