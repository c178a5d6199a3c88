package place

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace asks the kernel for a rename that refuses an existing name.
// Old kernels answer ENOSYS; some file systems, NFS and older FUSE among them,
// answer EINVAL.
func renameNoReplace(tmp, final string) error {
	err := unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, final, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
		return errNoSupport
	}
	return &os.LinkError{Op: "rename", Old: tmp, New: final, Err: err}
}
