//go:build unix

package store

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"pabal/internal/fault"
	"pabal/internal/place"
)

// holder is what the lock file says about the process that holds it.
type holder struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
}

// lockServer takes the lock of the one server process of a database. The
// kernel releases it when the process ends, however it ends, so the file may
// stay. The lock is beside the database, not on it: closing any descriptor of
// the database file would release SQLite's own locks.
func lockServer(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, openFault(path+".lock", err)
	}
	if err := place.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		var h holder
		// For a moment after a process has taken it the file is empty, and
		// then nobody is named.
		unread := json.NewDecoder(f).Decode(&h)
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fault.New(CodeUnopenable, path+".lock").Because(err)
		}
		return nil, fault.New(CodeLocked, path, "pid", h.PID, "host", h.Host).Because(unread)
	}
	host, _ := os.Hostname() // only for people
	content, _ := json.Marshal(holder{PID: os.Getpid(), Host: host})
	if err := errors.Join(ownLikeDirectory(f), f.Truncate(0), writeAt(f, append(content, '\n'))); err != nil {
		f.Close()
		return nil, fault.New(CodeUnopenable, path+".lock").Because(err)
	}
	return f, nil
}

// HoldServer keeps a server from starting on a SQLite database until release is
// called, which may be done twice. held is false where one runs already, and on
// PostgreSQL, where there may be several. A database that does not exist is
// held, too, if its directory does.
func HoldServer(url string) (release func() error, held bool, err error) {
	nothing := func() error { return nil }
	scheme, path, _ := strings.Cut(url, ":")
	if scheme != "sqlite" || path == "" {
		return nothing, false, nil
	}
	f, err := lockServer(path)
	if fault.CodeOf(err) == CodeLocked {
		return nothing, false, nil
	}
	if err != nil {
		return nothing, false, err
	}
	return sync.OnceValue(f.Close), true, nil
}

// ownLikeDirectory gives a file that root has made to whom the directory
// belongs, or a command that was once run as root would lock the server out.
func ownLikeDirectory(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

func writeAt(f *os.File, b []byte) error {
	_, err := f.WriteAt(b, 0)
	return err
}

const (
	// SQLite polls for its lock, at most every 100 ms, and a server under load
	// takes it again microseconds after it let it go, so an operator's command
	// would hardly ever get in. While somebody knocks, the server waits so long
	// at most, and after having waited in vain it does not listen for a while.
	knockWait = 150 * time.Millisecond
	knockStep = 2 * time.Millisecond
	knockDeaf = time.Second
)

// knock is how an operator's process asks the server to let it write: it
// holds a shared lock on a file while it wants to or does.
type knock struct {
	file   *os.File // nil where no server has been yet
	server bool
	inside atomic.Bool
	deaf   time.Time
}

func openKnock(path string, server bool) (*knock, error) {
	k := &knock{server: server}
	if !server {
		f, err := os.Open(path + ".knock")
		if errors.Is(err, os.ErrNotExist) {
			return k, nil
		}
		k.file = f
		return k, err
	}
	f, err := os.OpenFile(path+".knock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	k.file = f
	return k, ownLikeDirectory(f)
}

// letIn is called before a transaction. The server lets others in first; they
// knock. It is a courtesy only: SQLite's lock decides.
func (k *knock) letIn() {
	if !k.server {
		if k.file == nil {
			return
		}
		k.inside.Store(place.Flock(k.file, syscall.LOCK_SH|syscall.LOCK_NB) == nil)
		return
	}
	if time.Now().Before(k.deaf) || !k.heard() {
		return
	}
	for end := time.Now().Add(knockWait); k.heard(); time.Sleep(knockStep) {
		if time.Now().After(end) {
			k.deaf = time.Now().Add(knockDeaf)
			return
		}
	}
}

// heard reports that somebody else holds the lock.
func (k *knock) heard() bool {
	if place.Flock(k.file, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return true
	}
	return place.Flock(k.file, syscall.LOCK_UN) != nil
}

// leave is called after a transaction. If the kernel refused, the lock would
// go with the process, and the server waits for it in vain and then not at all.
func (k *knock) leave() {
	if k.inside.Swap(false) {
		_ = place.Flock(k.file, syscall.LOCK_UN)
	}
}

func (k *knock) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}
