package main

import "syscall"

// roomOf is the room on the file system of a directory, as far as others than
// root may use it.
func roomOf(dir string) (room, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return room{}, err
	}
	return room{free: fs.Bavail * uint64(fs.Bsize), size: fs.Blocks * uint64(fs.Bsize)}, nil
}
