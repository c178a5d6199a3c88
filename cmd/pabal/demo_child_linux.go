package main

import "syscall"

// childAttributes: a Ctrl-C at the terminal is for the demonstration, which
// then ends its server in order; and a server never outlives it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
