//go:build !linux

package main

import "syscall"

// childAttributes: a Ctrl-C at the terminal is for the demonstration, which
// then ends its server in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
