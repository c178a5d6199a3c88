package place

import (
	"os"

	"golang.org/x/sys/unix"
)

// Flush has the kernel begin to write to the disk what it holds of a file, and
// does not wait for it: so that less is left for the SyncFile that is to come.
// It promises nothing, and its failure means nothing.
func Flush(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
