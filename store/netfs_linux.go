package store

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// networkFileSystem names the kind of the file system that holds dir if other
// hosts can write to it at the same time, else "".
func networkFileSystem(dir string) (string, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return "", err
	}
	kind := networkKind(uint32(fs.Type))
	if kind != fuse {
		return kind, nil
	}
	// Behind this one number are sshfs and its like, but also local disks.
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fuse, nil // not to be told apart, so not trusted
	}
	return fuseKind(string(mounts), st.Dev), nil
}

const fuse = "fuse"

// fuseKind finds the mount of a device and names its type unless that is
// known to be local. See proc_pid_mountinfo(5).
func fuseKind(mounts string, dev uint64) string {
	major := dev>>8&0xfff | dev>>32&^0xfff
	minor := dev&0xff | dev>>12&^0xff
	device := strconv.FormatUint(major, 10) + ":" + strconv.FormatUint(minor, 10)
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kinds := strings.Fields(before), strings.Fields(after)
		if len(fields) < 3 || len(kinds) < 1 || fields[2] != device {
			continue
		}
		switch kinds[0] {
		case "virtiofs", "fuseblk", "fuse.fuse-overlayfs":
			return ""
		}
		return kinds[0]
	}
	return fuse
}

// networkKind knows the magic numbers of statfs(2).
func networkKind(magic uint32) string {
	switch magic {
	case 0x6969:
		return "nfs"
	case 0xFF534D42:
		return "cifs"
	case 0xFE534D42:
		return "smb2"
	case 0x517B:
		return "smb"
	case 0x564C:
		return "ncp"
	case 0x65735546:
		return fuse
	case 0x5346414F:
		return "afs"
	case 0x73757245:
		return "coda"
	case 0x00C36400:
		return "ceph"
	case 0x0BD00BD0:
		return "lustre"
	case 0x47504653:
		return "gpfs"
	case 0x01161970:
		return "gfs2"
	case 0x7461636F:
		return "ocfs2"
	}
	return ""
}
