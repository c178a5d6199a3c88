//go:build !linux

package store

import "syscall"

// limitUnanswered does nothing where the kernel has no such limit of its own;
// keep-alives still find an idle connection that is lost.
func limitUnanswered(string, string, syscall.RawConn) error { return nil }
