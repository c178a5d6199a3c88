package store

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"pabal/internal/fault"
)

// sessionSettings are what every connection of ours is set to, unless the
// address says otherwise. They are set by statements (apply): a pooler lets no
// start-up parameter through that it does not know, and with
// target_session_attrs=read-write our own wish to read only would be taken for
// a standby.
func sessionSettings(c *pgx.ConnConfig, o Options) map[string]string {
	c.DialFunc = dialPostgres
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = o.BusyTimeout
	}
	if _, said := c.RuntimeParams["application_name"]; !said {
		c.RuntimeParams["application_name"] = "pabal"
	}
	settings := map[string]string{
		// A confirmed write is on disk (design D2). checkServer asks whether
		// it is so.
		"synchronous_commit": "on",
		"statement_timeout":  milliseconds(postgresQuery),
		// A statement is planned once for each connection, not again for every
		// value, which takes longer than most statements do. No plan here
		// depends on values: TestFinishedRows.
		"plan_cache_mode": "force_generic_plan",
		// A plan is kept as long as its connection. One that was made while a table
		// was empty must be good when it is not. What then costs a lot on paper is
		// not worth compiling.
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",
		"jit":               "off",
	}
	if o.ReadOnly {
		settings["default_transaction_read_only"] = "on"
	}
	for name := range c.RuntimeParams {
		delete(settings, name)
	}
	// Nobody waits longer for us, nor we for others, than a part of the lease
	// (design D4), whatever the address says.
	for _, name := range []string{"lock_timeout", "idle_in_transaction_session_timeout"} {
		delete(c.RuntimeParams, name)
		settings[name] = milliseconds(o.BusyTimeout)
	}
	return settings
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }

// apply gives a new connection its settings, in one round trip. The values are
// ours and have nothing to quote.
func apply(ctx context.Context, conn *pgx.Conn, settings map[string]string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		text.WriteString("SET " + name + " = '" + settings[name] + "';")
	}
	_, err := conn.PgConn().Exec(ctx, text.String()).ReadAll()
	return err
}

// dialPostgres notices within seconds that the other host is gone: without a
// limit a write would wait a quarter of an hour for an answer to what was
// never received.
func dialPostgres(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		Control:         limitUnanswered,
	}
	return d.DialContext(ctx, network, address)
}

// checkServer refuses a server that is too old or may lose what it confirmed.
func checkServer(ctx context.Context, label string, conn *pgx.Conn) error {
	var version int
	var commit, sync, pages string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
		current_setting('fsync'), current_setting('full_page_writes')`, pgx.QueryExecModeSimpleProtocol).Scan(&version, &commit, &sync, &pages)
	switch {
	case err != nil:
		return err
	case version < postgresOldest:
		return fault.New(CodeServerOld, label, "version", version/10000)
	case commit != "on" && commit != "remote_apply":
		return fault.New(CodeNotDurable, label, "setting", "synchronous_commit", "value", commit)
	case sync != "on":
		return fault.New(CodeNotDurable, label, "setting", "fsync", "value", sync)
	case pages != "on":
		return fault.New(CodeNotDurable, label, "setting", "full_page_writes", "value", pages)
	}
	return nil
}

// checkPooler refuses a pooler between us and the server that gives a
// connection of ours another server process for each transaction. Settings and
// prepared statements would be somebody else's, and, worse, a server that took
// over could get under a connection that we have looked at already.
//
// A pooler shows itself by the process number that it told us, which is not the
// server's. Then this connection and another one ask for it in turns: each must
// keep its own. The pattern finds out poolers that take the process that was
// idle for the shortest time, and those that go round.
//
// It is asked until it has been answered once. Who changes the mode of a pooler
// under a server that runs gets CodePoolerMode from statements that are gone.
func (e *postgres) checkPooler(ctx context.Context, conn *pgx.Conn) error {
	if e.direct.Load() {
		return nil
	}
	first, err := backend(ctx, conn)
	if err != nil {
		return err
	}
	// An engine that has no process numbers says something below one.
	if first < 1 || first == int64(conn.PgConn().PID()) {
		e.direct.Store(true)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.busy+postgresGrace)
	defer cancel()
	other, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = other.Close(context.WithoutCancel(ctx)) }()
	second, err := backend(ctx, other)
	if err != nil {
		return err
	}
	for _, turn := range "BAABBA" { // after A and B above
		asked, want := conn, first
		if turn == 'B' {
			asked, want = other, second
		}
		got, err := backend(ctx, asked)
		switch {
		case err != nil:
			return err
		case got != want, first == second:
			return fault.New(CodePoolerMode, e.label)
		}
	}
	e.direct.Store(true)
	return nil
}

// backend is the number of the server's process behind a connection.
func backend(ctx context.Context, conn *pgx.Conn) (pid int64, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid, err
}

// alone is what the server says beside the answer to a commit for which
// somebody ended the wait for the synchronous standby: it is on its own disk,
// and would be lost with it.
const alone = "SyncRepWaitForLSN"

// hearNotice remembers that with the connection.
func hearNotice(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == alone {
		c.CustomData()[alone] = true
	}
}

// committedAlone reports, once, that the last commit of a connection was not
// taken by the standby.
func committedAlone(conn *pgx.Conn) (is bool) {
	data := conn.PgConn().CustomData()
	_, is = data[alone]
	delete(data, alone)
	return is
}
