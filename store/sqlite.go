package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"pabal/internal/fault"
)

const (
	// sqlitePageSize and sqliteCheckpoint are measured (design D3, package
	// benchmark): with 4 KiB pages blocks go in at 60 % of the speed, and with
	// a checkpoint every 16 MiB at 70 %.
	sqlitePageSize   = 16384
	sqliteCheckpoint = 4000 // pages, 64 MiB of write-ahead log

	// The writer's cache holds one full group of writes, so that no page is
	// written to the log before its commit; readers need little.
	sqliteWriterCacheKiB = 16 << 10
	sqliteReaderCacheKiB = 2 << 10
)

// sqlite is the engine for one host: one connection writes, a few read.
type sqlite struct {
	path   string
	lock   *os.File // of the server process
	anchor *anchor
	reads  *sql.DB
	cached *statements
	writer *writer // nil when the store is read-only
	writes *sql.DB

	closeOnce sync.Once
	closeErr  error
}

func openSQLite(ctx context.Context, path string, o Options) (_ engine, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fault.New(CodeUnopenable, path).Because(err)
	}
	// Locks of network file systems lie, and a write-ahead log needs shared
	// memory (design D4).
	if fs, err := networkFileSystem(filepath.Dir(path)); err != nil {
		return nil, openFault(path, err)
	} else if fs != "" {
		return nil, fault.New(CodeNetworkFS, path, "file_system", fs)
	}
	e := &sqlite{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if o.Server {
		if e.lock, err = lockServer(path); err != nil {
			return nil, err
		}
		if err = createSQLite(ctx, path); err != nil {
			return nil, err
		}
	} else if _, err = os.Stat(path); err != nil {
		return nil, openFault(path, err)
	}

	if e.anchor, err = newAnchor(path); err != nil {
		return nil, err
	}
	e.reads = sql.OpenDB(e.anchor.connector(sqliteURL(path, o.BusyTimeout, sqliteReaderCacheKiB, true)))
	e.reads.SetMaxOpenConns(o.Readers)
	e.reads.SetMaxIdleConns(o.Readers)
	e.cached = &statements{prepare: e.reads.PrepareContext, direct: e.reads.QueryContext, change: e.reads.ExecContext, hear: o.Hear}
	if o.ReadOnly {
		return e, nil
	}
	e.writes = sql.OpenDB(e.anchor.connector(sqliteURL(path, o.BusyTimeout, sqliteWriterCacheKiB, false)))
	e.writes.SetMaxOpenConns(1)
	knock, err := openKnock(path, o.Server)
	if err != nil {
		return nil, openFault(path, err)
	}
	e.writer = newWriter(e.writes, knock, o.Hear)
	return e, nil
}

// sqliteURL is the driver's address with everything a connection must be told.
func sqliteURL(path string, busy time.Duration, cacheKiB int, readOnly bool) string {
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()),
		"synchronous(FULL)",
		"foreign_keys(ON)",
		"temp_store(MEMORY)",
		fmt.Sprintf("cache_size(-%d)", cacheKiB),
		fmt.Sprintf("wal_autocheckpoint(%d)", sqliteCheckpoint),
		// A reader that stays for hours makes the log grow; this gives the
		// space back afterwards.
		fmt.Sprintf("journal_size_limit(%d)", 2*sqliteCheckpoint*sqlitePageSize),
	}}
	if readOnly {
		q.Set("_query_only", "1")
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// createSQLite makes an empty database, unless there is one. Page size and
// write-ahead log are properties of the file and must be set in this order
// before anything is in it.
func createSQLite(ctx context.Context, path string) error {
	// 0600: payload and names are nobody else's business.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return openFault(path, err)
	}
	if err == nil {
		if err := errors.Join(ownLikeDirectory(f), f.Close()); err != nil {
			return openFault(path, err)
		}
	} else if info, err := os.Stat(path); err != nil || info.Size() > 0 {
		return openFault(path, err)
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String())
	if err != nil {
		return openFault(path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, pragma := range []string{
		fmt.Sprintf("PRAGMA page_size = %d", sqlitePageSize),
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
	} {
		if _, err := db.ExecContext(ctx, pragma); err != nil {
			return sqliteFault(path, err)
		}
	}
	if err := db.Close(); err != nil {
		return sqliteFault(path, err)
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return openFault(dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fault.New(CodeIO, dir).Because(err)
	}
	return nil
}

func (e *sqlite) readers() *statements {
	if err := e.anchor.lost(); err != nil {
		return broken(err)
	}
	return e.cached
}

// write looks after its commit whether what was committed is where it will be
// found again.
func (e *sqlite) write(ctx context.Context, payload int64, f func(*tx) error) error {
	if err := e.anchor.lost(); err != nil {
		return err
	}
	err := e.writer.write(ctx, payload, f)
	if lost := e.anchor.look(); lost != nil {
		return lost
	}
	return err
}

func (e *sqlite) losses() int64 { return 0 }

// wake has nothing to tell: there is one server process.
func (e *sqlite) wake(context.Context) <-chan struct{} { return nil }

func (e *sqlite) name() string { return e.path }

func (e *sqlite) translate(err error) error { return sqliteFault(e.path, err) }

func (e *sqlite) close() error {
	e.closeOnce.Do(func() {
		var errs []error
		// The writer goes last: the last connection to close moves the log
		// into the database, which a reading one may not.
		if e.reads != nil {
			errs = append(errs, e.reads.Close())
		}
		if e.writer != nil {
			errs = append(errs, e.writer.close())
		}
		if e.writes != nil {
			errs = append(errs, e.writes.Close())
		}
		if e.lock != nil {
			errs = append(errs, e.lock.Close())
		}
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}

func openFault(path string, err error) error {
	if err == nil {
		return nil
	}
	if fault.As(err) != nil {
		return err
	}
	code := CodeUnopenable
	if errors.Is(err, os.ErrNotExist) {
		code = CodeMissing
	}
	return fault.New(code, path).Because(err)
}

// sqliteFault gives the driver's errors our codes. Errors that have a code
// already, and those that are no driver's, stay as they are.
func sqliteFault(path string, err error) error {
	var e *sqlitedriver.Error
	if err == nil || fault.As(err) != nil || !errors.As(err, &e) {
		return err
	}
	var code fault.Code
	switch e.Code() & 0xff { // the rest says more precisely why
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		code = CodeBusy
	case sqlite3.SQLITE_FULL:
		code = CodeDiskFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		code = CodeReadOnly
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM:
		code = CodeIO
	case sqlite3.SQLITE_CANTOPEN:
		code = CodeUnopenable
		if _, statErr := os.Stat(path); errors.Is(statErr, os.ErrNotExist) {
			code = CodeMissing
		}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		code = CodeNotDatabase
	default:
		return err // a mistake of ours in a statement; no code makes it better
	}
	return fault.New(code, path).Because(err)
}
