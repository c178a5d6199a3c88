package pgtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"pabal/internal/place"
)

// A server's directory takes hundreds of megabytes, and a test process that is
// killed removes nothing. So each directory has a file that its test process
// has locked as long as it lives: the kernel takes the lock back, whatever end the
// process comes to. Who starts a server removes the directories whose lock is free.

const (
	directories = "pgtest" // how their names begin
	ownerName   = "owner"
)

// newDirectory makes one under temp, and removes what others have left there.
func newDirectory(temp string) (dir string, owner *os.File, err error) {
	// Between making a directory and locking its file nobody may look. The name
	// has the account: another's files could not be opened.
	door, err := os.OpenFile(filepath.Join(temp, fmt.Sprintf("%s-%d.lock", directories, os.Geteuid())), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", nil, err
	}
	defer door.Close() //nolint:errcheck // it has no content
	if err := place.Flock(door, syscall.LOCK_EX); err != nil {
		return "", nil, err
	}
	clearLeftovers(temp)
	if dir, err = os.MkdirTemp(temp, directories); err != nil {
		return "", nil, err
	}
	owner, err = os.OpenFile(filepath.Join(dir, ownerName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = place.Flock(owner, syscall.LOCK_EX)
	}
	return dir, owner, err
}

// clearLeftovers removes directories whose test process is gone. What cannot be
// removed stays for the next time: it is no reason for a test to fail. A
// directory without the file is one that is being removed, or none of ours.
func clearLeftovers(temp string) {
	found, _ := filepath.Glob(filepath.Join(temp, directories+"*", ownerName)) // the pattern is right
	for _, name := range found {
		_ = clearLeftover(name)
	}
}

func clearLeftover(ownerFile string) error {
	f, err := os.OpenFile(ownerFile, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it has no content
	if err := place.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err // it lives
	}
	dir := filepath.Dir(ownerFile)
	if serves(dir) {
		return nil // it is about to end, or nothing ends it with its tests here
	}
	return os.RemoveAll(dir)
}

// serves reports that the server of a directory runs.
func serves(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, perr := strconv.Atoi(strings.TrimSpace(first))
	return err != nil || perr == nil && lives(pid)
}
