//go:build !linux

package filemgr

import (
	"io/fs"
	"time"
)

// Arrived is since when a file has its content; this system does not tell when it
// was renamed.
func Arrived(info fs.FileInfo) time.Time { return info.ModTime().UTC() }

// renamedIn knows no way to tell on this system, so every file settles.
func renamedIn(string, fs.FileInfo) bool { return false }
