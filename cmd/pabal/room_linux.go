package main

import (
	"io/fs"
	"syscall"
	"time"
)

// roomOf is the room on the file system of a directory, as far as others than
// root may use it.
func roomOf(dir string) (room, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return room{}, err
	}
	return room{free: fs.Bavail * uint64(fs.Bsize), size: fs.Blocks * uint64(fs.Bsize)}, nil
}

// arrived is since when a file is as it is and where it is: renaming counts,
// which the time of its content does not show.
func arrived(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix()).UTC()
	}
	return info.ModTime().UTC()
}
