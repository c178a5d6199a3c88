package pgtest

import "syscall"

// lonely starts a process in a group of its own, so that Ctrl-C reaches only
// the tests, and lets the kernel end it when the tests are killed.
func lonely(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT, Credential: account}
}
