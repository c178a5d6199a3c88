//go:build !linux

package place

func renameNoReplace(_, _ string) error { return errNoSupport }
