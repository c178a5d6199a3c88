package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// startedThenWait starts a process, says on started how that went, and waits
// for its end. The kernel ends the child when the thread that made it is gone
// (childAttributes), so this thread lives as long as the child.
func startedThenWait(cmd *exec.Cmd, started chan<- error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// startAndWait is cmd.Run for such a child.
func startAndWait(cmd *exec.Cmd) error { return startedThenWait(cmd, make(chan error, 1)) }

// calledAs is a path to this program that can be given to another one: called
// by the name that we were called by, as tests are.
func calledAs(dir string) (string, error) {
	program, err := os.Executable()
	if err != nil || filepath.Base(program) == filepath.Base(os.Args[0]) {
		return program, err
	}
	path := filepath.Join(dir, filepath.Base(os.Args[0]))
	if err := os.Symlink(program, path); err != nil && !os.IsExist(err) {
		return "", err
	}
	return path, nil
}
