package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"pabal/internal/fault"
)

// postgresFault gives the driver's errors our codes. Errors that have a code
// already, contexts that ended, and mistakes of ours in a statement stay as
// they are.
func postgresFault(label string, err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	var server *pgconn.PgError
	var code fault.Code
	switch {
	case errors.As(err, &server):
		if name, said := strings.CutPrefix(server.Message, "unsupported startup parameter: "); said {
			return fault.New(CodePoolerParameter, label, "parameter", name).Because(err)
		}
		code = serverCode(server.Code)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// A connection that did not come about in its own time says so with an
		// error of its own.
		if errors.As(err, new(*pgconn.ConnectError)) {
			code = CodeUnreachable
		}
	case lostConnection(err):
		code = CodeUnreachable
	}
	if code == "" {
		return err
	}
	return fault.New(code, label).Because(err)
}

// serverCode is our code for a SQLSTATE, or "" for mistakes of ours.
func serverCode(state string) fault.Code {
	switch state {
	case "55P03", // lock_not_available: lock_timeout
		"57014",          // query_canceled: statement_timeout
		"25P03",          // idle_in_transaction_session_timeout
		"40001", "40P01": // serialization failure, deadlock
		return CodeBusy
	case "53100": // disk_full
		return CodeDiskFull
	case "25006": // read_only_sql_transaction: a standby, or a read-only server
		return CodeReadOnly
	case "57P01", "57P02", "57P03", "57P05", // shutdown, crash, starting up, idle too long
		"53300": // too_many_connections
		return CodeUnreachable
	case "3D000", "57P04": // no such database, or dropped
		return CodeMissing
	case "42501": // insufficient_privilege
		return CodeDenied
	case "26000", "42P05": // a statement that was prepared is not there, or somebody else's is
		return CodePoolerMode
	case "XX001", "XX002": // damaged data, damaged index
		return CodeNotDatabase
	}
	switch {
	case strings.HasPrefix(state, "08"): // connection
		return CodeUnreachable
	case strings.HasPrefix(state, "28"): // who are you
		return CodeDenied
	case strings.HasPrefix(state, "53"), strings.HasPrefix(state, "58"): // resources, system
		return CodeIO
	}
	return ""
}

// lostConnection: there was none, or it broke, so that the same may well work
// on another.
func lostConnection(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return serverCode(server.Code) == CodeUnreachable
	}
	if fault.As(err) != nil {
		return false
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, sql.ErrConnDone) || errors.As(err, &connect) ||
		errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, pgconn.ErrConnClosed)
}

// metAnother: the server gave up one of two transactions that were in each
// other's way.
func metAnother(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40001" || server.Code == "40P01")
}

// commitUnknown: the answer to a COMMIT was not one that says what became of
// it. An error of the server does, unless it ended the connection with it.
// The driver's own word that nothing was sent does not: it says so when the
// answer breaks off as well.
func commitUnknown(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return false
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return true
	}
	severity := server.SeverityUnlocalized
	return severity == "FATAL" || severity == "PANIC" || strings.HasPrefix(server.Code, "08") || server.Code == "40003"
}
