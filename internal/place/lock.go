//go:build unix

package place

import (
	"errors"
	"os"
	"syscall"
)

// Flock is flock(2): a lock of the kernel that goes when f is closed or its
// process dies, and stays while the process stands still. how is that of
// syscall; with LOCK_NB a lock that another has is syscall.EWOULDBLOCK.
func Flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
