package store

import "syscall"

// networkFileSystem names the kind of the file system that holds dir if other
// hosts can write to it at the same time, else "".
func networkFileSystem(dir string) (string, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "", err
	}
	return networkKind(uint32(st.Type)), nil
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
		return "fuse" // sshfs and its like; there is no telling which
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
