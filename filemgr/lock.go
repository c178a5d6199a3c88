package filemgr

import "path/filepath"

// LockAll is for who works at many staged files: it locks all of their paths, of
// which held then tells in one question which are still his. It returns an error
// or nil for each; what has none is done with Locked set. release gives all locks
// back. See Held for why.
func LockAll(paths []string, held func() []error) (release func(), errs []error) {
	errs = make([]error, len(paths))
	locks := make([]func(), 0, len(paths))
	release = func() {
		for _, free := range locks {
			free()
		}
	}
	for n, path := range paths {
		if f := checkDir(filepath.Dir(path)); f != nil {
			errs[n] = f
			continue
		}
		free, err := Held(nil).guard(path)
		if errs[n] = err; err == nil {
			locks = append(locks, free)
		}
	}
	for n, err := range held() {
		if errs[n] == nil {
			errs[n] = err
		}
	}
	return release, errs
}

// MakeStaging makes the directory in which files are staged, if the receive
// directory is there.
func MakeStaging(o AssembleOptions) error {
	if f := checkDir(o.ReceiveDir); f != nil {
		return f
	}
	return makeDir(StagingDir(o.ReceiveDir), o.Access)
}
