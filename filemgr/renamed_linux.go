package filemgr

import (
	"io/fs"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Arrived is since when a file is as it is and where it is: renaming counts,
// which the time of its content does not show.
func Arrived(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix()).UTC()
	}
	return info.ModTime().UTC()
}

// renamedIn reports a file that was renamed (or whose attributes were set)
// after its last write and that nobody has open for writing. An empty file is
// never taken for one: programs create a file, set its mode and only then write.
//
// The kernel grants a read lease only while nobody has the file open for
// writing. It is given back at once.
func renamedIn(path string, fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || fi.Size() == 0 {
		return false
	}
	if st.Ctim.Sec < st.Mtim.Sec || st.Ctim.Sec == st.Mtim.Sec && st.Ctim.Nsec <= st.Mtim.Nsec {
		return false
	}
	f, opened, err := openRegular(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	if identityOf(opened) != identityOf(fi) {
		return false
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	return err == nil
}
