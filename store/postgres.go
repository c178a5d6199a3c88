package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"pabal/internal/fault"
)

// postgresOldest is the oldest server that is supported, as
// server_version_num counts.
const postgresOldest = 120000

// postgresQuery is the server's limit for one statement. Migrations have none.
const postgresQuery = time.Minute

// postgres is the engine for several hosts. Writes run in parallel; what they
// change they lock. Commits that meet are synced at once by the server.
type postgres struct {
	label    string
	config   *pgx.ConnConfig
	settings map[string]string // of each connection
	busy     time.Duration
	canTell  bool // it is for writing, so work can be told of
	pool     *pgxpool.Pool
	reads    *sql.DB
	writing  chan struct{} // as many as may write at once
	cached   *statements
	lost     atomic.Int64  // connections that broke
	started  atomic.Value  // when the server was, as text
	direct   atomic.Bool   // checkPooler found none, or one that pools by session
	made     chan struct{} // work was made that others should be told of

	ctx    context.Context // of the goroutines
	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	busyWG sync.WaitGroup // writes and goroutines

	closeOnce sync.Once
	closeErr  error
}

func openPostgres(ctx context.Context, o Options, unsure *atomic.Bool) (_ engine, err error) {
	label := Shown(o.URL)
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// The cause would quote the address, with its password.
		return nil, fault.New(CodeURL, label)
	}
	if o.Password != "" {
		config.ConnConfig.Password = o.Password
	}
	settings := sessionSettings(config.ConnConfig, o)
	config.ConnConfig.OnNotice = hearNotice
	config.MaxConns = int32(o.Readers + o.Writers + 1) // and one to tell others of work
	config.MinConns = 0
	e := &postgres{label: label, config: config.ConnConfig, busy: o.BusyTimeout, canTell: !o.ReadOnly, made: make(chan struct{}, 1), settings: settings}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := apply(ctx, conn, settings); err != nil {
			return err
		}
		if err := checkServer(ctx, label, conn); err != nil {
			return err
		}
		if err := e.checkPooler(ctx, conn); err != nil {
			return err
		}
		e.recognise(ctx, conn)
		if o.Witness == nil {
			return nil
		}
		return lookAgain(ctx, o.Witness.Mark(), conn, unsure)
	}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if e.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		e.cancel()
		return nil, postgresFault(label, err)
	}
	// Two doors to one pool, so that queries and writes cannot use up each
	// other's connections.
	e.reads = stdlib.OpenDBFromPool(e.pool)
	e.reads.SetMaxOpenConns(o.Readers)
	e.writing = make(chan struct{}, o.Writers)
	e.cached = &statements{direct: e.query, hear: o.Hear, among: [2]string{" = ANY (ARRAY(", "))"}}
	if err := e.reads.PingContext(ctx); err != nil {
		return nil, errors.Join(postgresFault(label, err), e.close())
	}
	if e.canTell {
		e.busyWG.Go(e.tell)
	}
	return e, nil
}

// shownHosts is an address that names several servers, which is no URL to the
// standard library, without its password; "" if it is none.
func shownHosts(address string) string {
	c, err := pgconn.ParseConfig(address)
	if err != nil || !strings.HasPrefix(address, "postgres") {
		return ""
	}
	hosts := []string{net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))}
	for _, other := range c.Fallbacks { // one with TLS and one without for each
		if h := net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port))); !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return "postgres://" + c.User + "@" + strings.Join(hosts, ",") + "/" + c.Database
}

// recognise notices that another server answers, or the same after a restart,
// also where no connection was in use meanwhile. It is of no matter if the
// server cannot tell.
func (e *postgres) recognise(ctx context.Context, conn *pgx.Conn) {
	var started string
	if conn.QueryRow(ctx, "SELECT pg_postmaster_start_time()::text", pgx.QueryExecModeSimpleProtocol).Scan(&started) != nil {
		return
	}
	if before := e.started.Swap(started); before != nil && before != started {
		e.lost.Add(1)
	}
}

// forget drops the pool's connections: when one has broken the others are
// mostly as dead.
func (e *postgres) forget() {
	e.lost.Add(1)
	e.pool.Reset()
}

func (e *postgres) losses() int64 { return e.lost.Load() }

// lookAgain is done on every new connection, before it is used: behind it may
// be another server or another database than behind the last one.
func lookAgain(ctx context.Context, m Mark, conn *pgx.Conn, unsure *atomic.Bool) error {
	if m.Identity == "" {
		return nil
	}
	var there bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('meta') IS NOT NULL AND to_regclass('events') IS NOT NULL`).Scan(&there); err != nil {
		return err
	}
	if there {
		var identity string
		var event bool
		args := append(eventKey(m.Event), metaIdentity)
		err := conn.QueryRow(ctx, `SELECT coalesce((SELECT value FROM meta WHERE name = $7), ''), EXISTS (`+sameEvent+`)`, args...).Scan(&identity, &event)
		if err != nil {
			return err
		}
		there = identity == m.Identity && (event || m.Event.ID == 0)
	}
	if !there {
		unsure.Store(true)
	}
	return nil
}

func (e *postgres) name() string              { return e.label }
func (e *postgres) readers() *statements      { return e.cached }
func (e *postgres) translate(err error) error { return postgresFault(e.label, err) }

// query asks once more when the connection turns out to be of a server that
// was restarted since.
func (e *postgres) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	rows, err := e.reads.QueryContext(ctx, text, args...)
	if err != nil && ctx.Err() == nil && lostConnection(err) {
		e.forget()
		rows, err = e.reads.QueryContext(ctx, text, args...)
	}
	return rows, err
}

// schema asks the table that goose keeps without making it.
func (e *postgres) schema(ctx context.Context) (have, want int64, err error) {
	p, err := migrations(e.reads, postgresDialect, postgresWords, "sqlite")
	if err != nil {
		return 0, 0, fault.New(CodeSchemaBroken, e.label).Because(err)
	}
	sources := p.ListSources()
	want = sources[len(sources)-1].Version
	var there bool
	err = e.reads.QueryRowContext(ctx, `SELECT to_regclass('`+schemaTable+`') IS NOT NULL`).Scan(&there)
	if err == nil && there {
		err = e.reads.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+schemaTable).Scan(&have)
	}
	return have, want, e.translate(err)
}

// enter counts a write in unless the store is being closed.
func (e *postgres) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return fault.New(CodeClosed, e.label)
	}
	e.busyWG.Add(1)
	return nil
}

func (e *postgres) close() error {
	e.closeOnce.Do(func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		e.cancel()
		e.busyWG.Wait()
		e.closeErr = e.reads.Close()
		e.pool.Close()
	})
	return e.closeErr
}
