package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	sqlitedriver "modernc.org/sqlite"

	"pabal/internal/fault"
)

// anchor notices that the file at a database's path is no longer the one that
// this process has open: somebody removed it, or put another in its place. What
// is written from then on goes into a file that nobody will find again, and a
// new connection would open the other one.
//
// The path is looked at after every commit and before its writer goes on, so
// nothing is answered for that went nowhere; a beat is a write, so it is noticed
// within a part of the lease in any case. That costs a stat, which beside the
// sync of a commit is nothing. Once noticed it stays so: every read and write
// fails with CodeReplaced, also when the file is moved back, because some have
// failed by then. What is copied into the same file, instead of over its name,
// has the same identity and is not noticed here; the witness may (Recognise).
type anchor struct {
	path string
	file fs.FileInfo // as it was when the store was opened; who has it open keeps its number from being used again
	gone atomic.Pointer[fault.Error]

	mu     sync.Mutex
	beside map[string]fs.FileInfo // our log and its index, by what their names end in
}

// lostLog is what the log of a database that was replaced is named, after its
// database.
const lostLog = "-wal.lost"

func newAnchor(path string) (*anchor, error) {
	file, err := os.Stat(path)
	if err != nil {
		return nil, openFault(path, err)
	}
	return &anchor{path: path, file: file, beside: map[string]fs.FileInfo{}}, nil
}

// lost is the fault if it was noticed before.
func (a *anchor) lost() error {
	if e := a.gone.Load(); e != nil {
		return e
	}
	return nil
}

// look fails with CodeReplaced if the file is not where it was. An error of the
// look itself proves nothing.
func (a *anchor) look() error {
	if err := a.lost(); err != nil {
		return err
	}
	now, err := os.Stat(a.path)
	if err == nil && os.SameFile(a.file, now) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone.Load() == nil {
		a.setAside()
		a.gone.Store(fault.New(CodeReplaced, a.path))
	}
	return a.lost()
}

// noteBeside remembers which log is ours. A log is made with the first
// connection and stays until the last one is closed.
func (a *anchor) noteBeside() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, end := range []string{"-wal", "-shm"} {
		if st, err := os.Stat(a.path + end); err == nil {
			a.beside[end] = st
		}
	}
}

// setAside takes our log from beside a file that is not ours: whoever opens
// that one next would write into it what the log says of the old one. The log
// is kept, because with it a file that was only renamed is whole. A crash before
// leaves it, as when the server had been killed and the file exchanged then.
func (a *anchor) setAside() {
	ours := func(end string) bool {
		st, err := os.Stat(a.path + end)
		return err == nil && a.beside[end] != nil && os.SameFile(st, a.beside[end])
	}
	if ours("-wal") {
		_ = os.Rename(a.path+"-wal", a.path+lostLog)
	}
	if ours("-shm") { // only ever made from the log
		_ = os.Remove(a.path + "-shm")
	}
}

// anchored makes connections to the file of an anchor, and to no other.
type anchored struct {
	*anchor
	driver driver.Driver
	url    string
}

func (c *anchored) Driver() driver.Driver { return c.driver }

func (c *anchored) Connect(context.Context) (driver.Conn, error) {
	if err := c.look(); err != nil {
		return nil, err
	}
	conn, err := c.driver.Open(c.url)
	if err != nil {
		return nil, err
	}
	if err := c.look(); err != nil { // it may have opened another one
		return nil, errors.Join(err, conn.Close())
	}
	c.noteBeside()
	return conn, nil
}

// connector is for sql.OpenDB.
func (a *anchor) connector(url string) driver.Connector {
	return &anchored{anchor: a, driver: new(sqlitedriver.Driver), url: url}
}

// broken are statements that fail.
func broken(err error) *statements {
	return &statements{
		direct: func(context.Context, string, ...any) (*sql.Rows, error) { return nil, err },
		change: func(context.Context, string, ...any) (sql.Result, error) { return nil, err },
	}
}
