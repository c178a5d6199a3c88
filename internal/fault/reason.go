package fault

import (
	"errors"
	"io/fs"
	"syscall"
)

// Reason is what the operating system says of a failure, as a value for New: a
// Phrase for what is usual, else its own text. A path is not in it; that is told
// beside it.
func Reason(err error) any {
	if p := system(err); p.Said() {
		return p
	}
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		return Say("timed_out")
	}
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err.Error()
	}
	return err.Error()
}

func system(err error) Phrase {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return Phrase{}
	}
	switch number {
	case syscall.ENOENT:
		return Say("no_such_file")
	case syscall.EACCES:
		return Say("no_permission")
	case syscall.EPERM:
		return Say("not_permitted")
	case syscall.EISDIR:
		return Say("is_directory")
	case syscall.ENOTDIR:
		return Say("not_directory")
	case syscall.ENOSPC:
		return Say("disk_full")
	case syscall.EDQUOT:
		return Say("quota_used_up")
	case syscall.EROFS:
		return Say("read_only")
	case syscall.EIO:
		return Say("device_error")
	case syscall.EMFILE, syscall.ENFILE:
		return Say("too_many_open")
	case syscall.ECONNREFUSED:
		return Say("connection_refused")
	case syscall.ECONNRESET:
		return Say("connection_reset")
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH:
		return Say("no_route")
	case syscall.EADDRINUSE:
		return Say("address_in_use")
	case syscall.EADDRNOTAVAIL:
		return Say("address_not_here")
	}
	return Phrase{}
}
