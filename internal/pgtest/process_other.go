//go:build unix && !linux

package pgtest

import "syscall"

// lonely starts a process in a group of its own, so that Ctrl-C reaches only
// the tests. It outlives tests that are killed.
func lonely(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: account}
}

// childrenOf is not known here: a server that is killed tells its processes by
// closing a pipe.
func childrenOf(int) []int { return nil }

func lives(pid int) bool { return syscall.Kill(pid, 0) == nil }
