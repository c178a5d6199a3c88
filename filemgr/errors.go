package filemgr

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"pabal/internal/fault"
)

// osFault gives an error of the operating system its code. Coded errors and
// nil pass unchanged. path is what the person should look at.
func osFault(path string, err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	return fault.New(osCode(err), path).Because(err)
}

// accessFault is osFault for what gives a file its mode and owner: that we may
// not is CodeAccess, unless the file cannot be used at all.
func accessFault(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && (p.Op == "chown" || p.Op == "chmod" || p.Op == "fchown" || p.Op == "fchmod") && errors.Is(err, fs.ErrPermission) {
		return fault.New(CodeAccess, path).Because(err)
	}
	return osFault(path, err)
}

func osCode(err error) fault.Code {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return CodeDiskFull
	case errors.Is(err, syscall.EROFS):
		return CodeReadOnly
	case errors.Is(err, fs.ErrPermission):
		return CodeNoPermission
	case errors.Is(err, syscall.ENAMETOOLONG):
		return CodeNameTooLong
	case errors.Is(err, syscall.ENOTDIR):
		return CodeNotADir
	case errors.Is(err, syscall.ELOOP):
		return CodeSymlink
	}
	return CodeIO
}

// dirFault is osFault for an action in a directory: when the directory itself
// is missing, that is what the person is told.
func dirFault(dir string, err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	if derr := checkDir(dir); derr != nil {
		return derr.Because(err)
	}
	return osFault(dir, err)
}

// checkDir returns nil when dir is a directory that we can look at.
func checkDir(dir string) *fault.Error {
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(CodeDirMissing, dir)
	case err != nil:
		return fault.New(osCode(err), dir).Because(err)
	case !fi.IsDir():
		return fault.New(CodeNotADir, dir)
	}
	return nil
}

// exists looks at path without following a link.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, dirFault(filepath.Dir(path), err)
	}
	return true, nil
}
