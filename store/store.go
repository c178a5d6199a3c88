// Package store keeps what must be durable: transfers, their blocks, events,
// commands, sessions, receive windows and the terms of instances. It is the
// only meeting point of the stages (design §2): each claims rows in one
// status and writes the next.
//
// A method that writes returns nil only after its transaction is durable, and
// a status never changes without an event in the same transaction. The clock
// is the caller's: every method that needs the time takes it as a parameter.
//
// SQLite is the engine so far. What differs between engines is behind the
// interface engine; the SQL of everything else is written in what SQLite and
// PostgreSQL both accept (design D7).
package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"time"

	"pabal/internal/fault"
)

// Options say which database to open and how.
type Options struct {
	// URL of the database: "sqlite:/path/to/file".
	URL string
	// Server takes the lock of the one server process and makes the database
	// if there is none. Without it the database must exist and be migrated;
	// that is how operators' commands work beside the server.
	Server bool
	// ReadOnly refuses every write.
	ReadOnly bool
	// BusyTimeout is how long a write waits for another process before it
	// fails with CodeBusy. 0 means 10 seconds.
	BusyTimeout time.Duration
	// Readers is how many queries may run at once. 0 means 4.
	Readers int
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	options Options
	engine  engine
}

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	// write runs f in a transaction and returns after it is durable. f may be
	// run again and shares its transaction with others, of whose failures it
	// sees nothing. payload is about how many bytes f writes.
	write(ctx context.Context, payload int64, f func(*tx) error) error
	// readers is the pool for queries, with its prepared statements.
	readers() *statements
	// migrate brings the schema to the newest version.
	migrate(ctx context.Context) error
	// schema is the version of the schema in the database and in the program.
	schema(ctx context.Context) (have, want int64, err error)
	// translate makes a fault of what the driver returned.
	translate(err error) error
	close() error
}

// Open opens a database. It does not change its schema, see Migrate.
// Errors: CodeURL, CodeMissing, CodeUnopenable, CodeLocked (args pid, host),
// CodeNetworkFS, CodeNotDatabase, CodeSchemaNewer, and CodeSchemaOlder when
// Server is not set.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 10 * time.Second
	}
	if o.Readers <= 0 {
		o.Readers = 4
	}
	path, ok := strings.CutPrefix(o.URL, "sqlite:")
	if !ok || path == "" {
		return nil, fault.New(CodeURL, o.URL)
	}
	e, err := openSQLite(ctx, path, o)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, engine: e}
	have, want, err := e.schema(ctx)
	switch {
	case err != nil:
	case have > want:
		err = fault.New(CodeSchemaNewer, o.URL, "have", have, "want", want)
	case have < want && !o.Server:
		err = fault.New(CodeSchemaOlder, o.URL, "have", have, "want", want)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is the address that the store was opened with.
func (s *Store) URL() string { return s.options.URL }

// Close waits for the writes that have begun and closes the database. Writes
// that come later fail with CodeClosed.
func (s *Store) Close() error { return s.engine.close() }

// Migrate brings the schema to the program's version and gives a new database
// its identity. Only the server process migrates.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.engine.migrate(ctx); err != nil {
		return err
	}
	return s.write(ctx, 0, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
			metaIdentity, newIdentity())
		return err
	})
}

// SchemaVersions are the version of the schema that the database has and the
// one that this program brings.
func (s *Store) SchemaVersions(ctx context.Context) (have, want int64, err error) {
	return s.engine.schema(ctx)
}

// write is engine.write with errors in our words.
func (s *Store) write(ctx context.Context, payload int64, f func(*tx) error) error {
	if s.options.ReadOnly {
		return fault.New(CodeReadOnly, s.URL())
	}
	return s.engine.translate(s.engine.write(ctx, payload, f))
}

// query runs a query whose text is one of few, so that it is kept prepared.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	rows, err := s.engine.readers().query(ctx, text, args...)
	return rows, s.engine.translate(err)
}

// scan runs a query for at most one row. It reports whether there was one.
func (s *Store) scan(ctx context.Context, dest []any, text string, args ...any) (bool, error) {
	ok, err := scanOne(s.engine.readers(), ctx, dest, text, args...)
	return ok, s.engine.translate(err)
}

// statements runs SQL through statements that are prepared once.
type statements struct {
	prepare func(context.Context, string) (*sql.Stmt, error)
	direct  func(context.Context, string, ...any) (*sql.Rows, error)

	mu     sync.Mutex
	byText map[string]*sql.Stmt
}

func (s *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byText[text]; st != nil {
		return st, nil
	}
	st, err := s.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	if s.byText == nil {
		s.byText = make(map[string]*sql.Stmt)
	}
	s.byText[text] = st
	return st, nil
}

func (s *statements) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	st, err := s.get(ctx, text)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func scanOne(s *statements, ctx context.Context, dest []any, text string, args ...any) (bool, error) {
	rows, err := s.query(ctx, text, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	if err := rows.Scan(dest...); err != nil {
		return false, err
	}
	return true, rows.Close()
}

// tx is one transaction of a write. Its statements run without a deadline:
// interrupting one would take the whole group of writes down with it.
type tx struct {
	statements *statements
}

// exec returns how many rows were changed.
func (t *tx) exec(text string, args ...any) (int64, error) {
	st, err := t.statements.get(context.Background(), text)
	if err != nil {
		return 0, err
	}
	r, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// queryOnce is for texts that are put together and seldom repeat.
func (t *tx) queryOnce(text string, args ...any) (*sql.Rows, error) {
	return t.statements.direct(context.Background(), text, args...)
}

// scan reports whether there was a row.
func (t *tx) scan(dest []any, text string, args ...any) (bool, error) {
	return scanOne(t.statements, context.Background(), dest, text, args...)
}
