//go:build !linux

package filemgr

import "io/fs"

// renamedIn knows no way to tell on this system, so every file settles.
func renamedIn(string, fs.FileInfo) bool { return false }
