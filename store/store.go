// Package store keeps what must be durable: transfers, their blocks, events,
// commands, sessions, receive windows and the terms of instances. It is the
// only meeting point of the stages (design §2): each claims rows in one
// status and writes the next.
//
// A method that writes returns nil only after its transaction is durable, and
// a status never changes without an event in the same transaction. The clock
// is the caller's: every method that needs the time takes it as a parameter.
//
// There are two engines, SQLite and PostgreSQL. What differs between them is
// behind the interface engine and in the texts of dialect; the SQL of
// everything else is written in what both accept (design D7).
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pabal/internal/fault"
)

// Options say which database to open and how.
type Options struct {
	// URL of the database: "sqlite:/path/to/file", or
	// "postgres://user@host/database" with libpq's parameters.
	URL string
	// Password of the user in a postgres URL, if it does not stand there.
	Password string
	// Environment is production, test or dev. A database belongs to the first
	// that has migrated it and opens for no other (design D10). "" asks nothing.
	Environment string
	// Server is for the server process. With SQLite it takes the lock of the
	// one server and makes the database if there is none. Without it the
	// database must be migrated; that is how operators' commands work beside
	// the server.
	Server bool
	// ReadOnly refuses every write.
	ReadOnly bool
	// Lease is how long an instance of this process may go without a beat
	// before others hold it for dead (design D4). 0 means DefaultLease.
	Lease time.Duration
	// BusyTimeout is how long a write waits for another process before it
	// fails with CodeBusy, and on PostgreSQL how long the server lets a
	// transaction of ours stand still. It is below half of the lease, and two
	// fifths of it where 0 or more is given: whoever takes over from us waits
	// so long for what we left standing.
	BusyTimeout time.Duration
	// Watch, if set, is called before each write, in the goroutine that
	// writes, and what it returns, if anything, after it, with its outcome.
	Watch func() func(error)
	// Hear, if set, hears the text of every statement before it is run, BEGIN
	// and COMMIT too, from many goroutines: for who counts what a file costs.
	Hear func(statement string)
	// Readers is how many queries may run at once. 0 means 4.
	Readers int
	// Witness is told what is written, and says what the database must know:
	// Recognise must be called, after Migrate, before anything else. That holds
	// for an operator's command too: what it wrote to an older copy would
	// otherwise make that copy the one that is remembered.
	Witness Witness
	// Writers is how many writes may run at once on PostgreSQL; SQLite has
	// one. 0 means 8.
	Writers int
	// Keys seal payload (docs/database.md): what is written is sealed by the
	// first, what is read by whichever it needs. None leaves payload as it is.
	Keys []Key
}

// DefaultLease is the lease where none is given.
const DefaultLease = 15 * time.Second

// Store is an open database. It is safe for concurrent use.
type Store struct {
	options Options
	engine  engine
	unsure  *atomic.Bool // see Unsure
	sealer  *sealer
	files   files
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
	// losses counts the connections that broke.
	losses() int64
	// wake tells of work that other processes have made, or is nil.
	wake(ctx context.Context) <-chan struct{}
	// name is the database in messages, without a password.
	name() string
	close() error
}

// Open opens a database. It does not change its schema, see Migrate.
// Errors: CodeURL, CodeMissing, CodeSchemaNewer, CodeEnvironment, and CodeSchemaOlder when
// Server is not set; CodeKeyMissing (arg key) when Server is set and Keys lacks
// one that the payload needs. Of SQLite CodeUnopenable, CodeLocked (args pid, host),
// CodeNetworkFS, CodeNotDatabase; of PostgreSQL CodeUnreachable, CodeDenied,
// CodeServerOld (arg version), CodeNotDurable (args setting, value).
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	if most := o.Lease * 2 / 5; o.BusyTimeout <= 0 || o.BusyTimeout > most {
		o.BusyTimeout = most
	}
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.Writers <= 0 {
		o.Writers = 8
	}
	unsure := new(atomic.Bool)
	unsure.Store(o.Witness != nil)
	e, err := openEngine(ctx, o, unsure)
	if err != nil {
		return nil, err
	}
	ctx = believed(ctx)
	s := &Store{options: o, engine: e, unsure: unsure, sealer: newSealer(o.Keys)}
	have, want, err := e.schema(ctx)
	switch {
	case err != nil:
	case have > want:
		err = fault.New(CodeSchemaNewer, e.name(), "have", have, "want", want)
	case have < want && !o.Server:
		err = fault.New(CodeSchemaOlder, e.name(), "have", have, "want", want)
	case have > 0:
		if err = s.sameEnvironment(ctx); err == nil && have == want && o.Server { // an older one has Migrate to ask
			err = s.checkKeys(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openEngine(ctx context.Context, o Options, unsure *atomic.Bool) (engine, error) {
	scheme, path, _ := strings.Cut(o.URL, ":")
	switch {
	case scheme == "sqlite" && path != "":
		return openSQLite(ctx, path, o)
	case (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(path, "//"):
		return openPostgres(ctx, o, unsure)
	}
	return nil, fault.New(CodeURL, Shown(o.URL))
}

// Shown is an address as people may see it: without a password, wherever it
// stands.
func Shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, ":")
		return cmp.Or(shownHosts(address), scheme+":…")
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	if u.Scheme != "sqlite" {
		u.RawQuery = ""
	}
	return u.String()
}

// Wake gives a signal when another process, or this one, may have made work
// that a stage can claim. It is a hint: signals are merged and can be lost, so
// whoever listens looks by himself from time to time as well (design D7). It
// ends with ctx. SQLite has none and the channel is nil.
func (s *Store) Wake(ctx context.Context) <-chan struct{} { return s.engine.wake(ctx) }

// Losses counts the connections to the database server that broke since the
// store was opened. Who sees it change knows that what he remembers of the
// store may be of another server than the one that answers now (design D2).
// SQLite has none to break.
func (s *Store) Losses() int64 { return s.engine.losses() }

// URL is the address that the store was opened with. It may hold a password:
// it is for opening the database again and never for people to read.
func (s *Store) URL() string { return s.options.URL }

// OpenedWith are the options that the store was opened with, for opening the
// database again. They hold the address with its password.
func (s *Store) OpenedWith() Options { return s.options }

// Close waits for the writes that have begun and closes the database. Writes
// that come later fail with CodeClosed.
func (s *Store) Close() error { return s.engine.close() }

// Migrate brings the schema to the program's version and gives a new database
// its identity and its environment. Only the server process migrates.
func (s *Store) Migrate(ctx context.Context) error {
	ctx = believed(ctx)
	if err := s.engine.migrate(ctx); err != nil {
		return err
	}
	err := s.write(ctx, 0, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
			metaIdentity, newIdentity())
		if err == nil {
			_, err = tx.exec(`INSERT INTO meta (name, value) VALUES ($1, '0') ON CONFLICT (name) DO NOTHING`, metaActive)
		}
		if err == nil && s.options.Environment != "" {
			_, err = tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
				metaEnvironment, s.options.Environment)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := s.sameEnvironment(ctx); err != nil { // of two that come first at once, one is wrong
		return err
	}
	if err := s.checkKeys(ctx); err != nil {
		return err
	}
	return s.noteKey(ctx)
}

// SchemaVersions are the version of the schema that the database has and the
// one that this program brings.
func (s *Store) SchemaVersions(ctx context.Context) (have, want int64, err error) {
	return s.engine.schema(ctx)
}

// write is engine.write with errors in our words.
func (s *Store) write(ctx context.Context, payload int64, f func(*tx) error) error {
	if s.options.ReadOnly {
		return fault.New(CodeReadOnly, s.engine.name())
	}
	var written []Written
	watched := func(tx *tx) error {
		// Here the transaction has its connection, so a new one has been looked at.
		if err := s.recognised(ctx); err != nil {
			return err
		}
		tx.written = nil // it may run again, and shares tx with others
		err := f(tx)
		if err == nil {
			err = tx.putEvents()
		}
		written = tx.written
		return err
	}
	var done func(error)
	if s.options.Watch != nil {
		done = s.options.Watch()
	}
	err := s.engine.translate(s.engine.write(ctx, payload, watched))
	if err == nil {
		s.tell(written)
	}
	if done != nil {
		done(err)
	}
	return err
}

// query runs a query. One whose text is one of few is kept prepared.
func (s *Store) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	rows, err := s.engine.readers().query(ctx, text, args...)
	if err != nil {
		return nil, s.engine.translate(err)
	}
	if err := s.recognised(ctx); err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	return rows, nil
}

// scan runs a query for at most one row. It reports whether there was one.
func (s *Store) scan(ctx context.Context, dest []any, text string, args ...any) (bool, error) {
	ok, err := scanOne(s.engine.readers(), ctx, dest, text, args...)
	if err == nil {
		err = s.recognised(ctx)
	}
	return ok, s.engine.translate(err)
}

// statements runs SQL through statements that are prepared once. Without
// prepare the driver does that itself, per connection. Texts that are put
// together have few shapes, but nothing bounds them: what comes when
// mostPrepared are kept is prepared each time.
type statements struct {
	prepare func(context.Context, string) (*sql.Stmt, error)
	direct  func(context.Context, string, ...any) (*sql.Rows, error)
	change  func(context.Context, string, ...any) (sql.Result, error)
	hear    func(string) // may be nil, see Options
	among   [2]string    // see oneOf

	mu     sync.Mutex
	byText map[string]*sql.Stmt
}

// mostPrepared is how many statements are kept, and longestPrepared how long
// the text of one may be: longer ones have lists in them, and seldom repeat.
const (
	mostPrepared    = 256
	longestPrepared = 4 << 10
)

// get returns the prepared statement of a text, nil if it is not to be kept.
func (s *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byText[text]; st != nil {
		return st, nil
	}
	if len(s.byText) >= mostPrepared || len(text) > longestPrepared {
		return nil, nil
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
	if s.hear != nil {
		s.hear(text)
	}
	if err := checkText(args); err != nil {
		return nil, err
	}
	if s.prepare == nil {
		return s.direct(ctx, text, args...)
	}
	st, err := s.get(ctx, text)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return s.direct(ctx, text, args...)
	}
	return st.QueryContext(ctx, args...)
}

func (s *statements) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if s.hear != nil {
		s.hear(text)
	}
	if err := checkText(args); err != nil {
		return nil, err
	}
	if s.prepare == nil {
		return s.change(ctx, text, args...)
	}
	st, err := s.get(ctx, text)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return s.change(ctx, text, args...)
	}
	return st.ExecContext(ctx, args...)
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
