package filemgr

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"pabal/internal/fault"
)

// identityOf tells one state of one file from all others: device, inode, size
// and modification time in nanoseconds. A rename on the same file system keeps
// it; writing, replacing and copying change it.
func identityOf(fi fs.FileInfo) string {
	var dev, ino uint64
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		dev, ino = uint64(st.Dev), st.Ino //nolint:unconvert // int32 on some systems
	}
	return fmt.Sprintf("%x:%d:%d:%d", dev, ino, fi.Size(), fi.ModTime().UnixNano())
}

// Identity of the file at path, which must be a regular file and not a link.
func Identity(path string) (string, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return "", missingFault(path, err)
	}
	if f := kindFault(path, fi); f != nil {
		return "", f
	}
	return identityOf(fi), nil
}

// missingFault is osFault for a file that must be there: its absence is
// CodeVanished, that of its directory CodeDirMissing.
func missingFault(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) && checkDir(filepath.Dir(path)) == nil {
		return fault.New(CodeVanished, path).Because(err)
	}
	return dirFault(filepath.Dir(path), err)
}

// kindFault is nil for regular files.
func kindFault(path string, fi fs.FileInfo) *fault.Error {
	switch m := fi.Mode(); {
	case m.IsRegular():
		return nil
	case m&fs.ModeSymlink != 0:
		return fault.New(CodeSymlink, path)
	case m.IsDir():
		return fault.New(CodeDirectory, path)
	}
	return fault.New(CodeNotRegular, path)
}

// openRegular opens a file for reading and proves that it is a regular one:
// links are not followed, and a pipe put in its place cannot block the open.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, missingFault(path, err)
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(osFault(path, err), f.Close())
	}
	if k := kindFault(path, fi); k != nil {
		_ = f.Close()
		return nil, nil, k
	}
	return f, fi, nil
}
