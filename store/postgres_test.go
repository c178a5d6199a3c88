package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/store/storetest"
	"pabal/transfer"
)

// servers are what TestMain stops at the end.
type servers struct {
	postgres pgtest.Server
	sqlite   storetest.Template
}

// migrated is the address of a new database with its tables.
func (s *servers) migrated(t testing.TB) string { return s.postgres.Prepared(t, storetest.Migrate) }

var running servers

func openPostgres(t *testing.T) *store.Store {
	s, err := store.Open(t.Context(), store.Options{URL: running.migrated(t), Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context())) // on a server that is not ours nothing was prepared
	return s
}

func TestPostgres(t *testing.T) { storetest.Run(t, openPostgres) }

func TestPostgresStarts(t *testing.T) { storetest.StartTogether(t, running.postgres.URL(t)) }

func TestPostgresServerKilled(t *testing.T) {
	var server pgtest.Server // the other tests need theirs
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	storetest.ServerKilled(t, server.URL(t), func() {
		server.Kill(t)
		server.Again(t)
	})
}

func TestPostgresRefuses(t *testing.T) {
	url := running.postgres.URL(t)
	open := func(url string) *fault.Error {
		_, err := store.Open(t.Context(), store.Options{URL: url, Server: true, BusyTimeout: 5 * time.Second})
		require.Error(t, err)
		return fault.As(err)
	}
	require.Equal(t, store.CodeMissing, open(strings.Replace(url, pgtest.Database(t, url), "none", 1)).Code)
	for setting, value := range map[string]string{"synchronous_commit": "off"} {
		e := open(url + "&" + setting + "=" + value)
		require.Equal(t, store.CodeNotDurable, e.Code)
		require.Equal(t, fault.Args{"setting": setting, "value": value}, e.Args)
	}
	nowhere := pgtest.SocketURL(t.TempDir(), "x")
	e := open(nowhere)
	require.Equal(t, store.CodeUnreachable, e.Code)
	require.True(t, store.Away(e))

	// An address never shows its password, however wrong it is.
	for _, url := range []string{
		"postgres://u:geheim@127.0.0.1:1/db?connect_timeout=1", "postgres://u:geheim@h:port/db", "postgres://h/db?password=geheim&sslmode=nonsense",
		"postgres://u:geheim%zz@h/db", "mysql://u:geheim@h/db",
	} {
		require.NotContains(t, open(url).Error(), "geheim", url)
	}
}

// TestPostgresUser: a user who may not is told apart from a server that is away.
func TestPostgresUser(t *testing.T) {
	s := openPostgres(t)
	name := "u_" + pgtest.Database(t, s.URL())
	running.postgres.SQL(t, s.URL(), "CREATE USER "+name)
	t.Cleanup(func() { running.postgres.SQL(t, s.URL(), "DROP USER "+name) })
	r, err := store.Open(t.Context(), store.Options{URL: s.URL() + "&user=" + name})
	if err == nil { // the schema of a database that is not his can be looked at
		_, err = r.List(t.Context(), store.Filter{})
		require.NoError(t, r.Close())
	}
	code(t, store.CodeDenied, err)
}

// TestPostgresReadOnly: a standby, or a server that was told not to write.
func TestPostgresReadOnly(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: openPostgres(t).URL() + "&default_transaction_read_only=on"})
	require.NoError(t, err)
	defer s.Close()
	err = s.SetMeta(t.Context(), "x", "y")
	code(t, store.CodeReadOnly, err)
	require.True(t, store.Away(err))
}

// waiting counts the sessions of a database that wait for a lock.
func waiting(t *testing.T, s *store.Store) int {
	var n int
	require.NoError(t, raw(t, s).QueryRow(`SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE NOT l.granted AND a.datname = current_database()`).Scan(&n))
	return n
}

// TestBeginWaits: what a former process is writing while its successor begins
// is there before the new term is, and never appears after it.
func TestBeginWaits(t *testing.T) {
	s := openPostgres(t)
	term, err := s.Begin(t.Context(), now, "one", "host", 1)
	require.NoError(t, err)
	for name, write := range map[string]func(row *transfer.Transfer, inside func()) error{
		"change": func(row *transfer.Transfer, inside func()) error {
			_, err := s.Change(t.Context(), now, row.Ref(), func(row *transfer.Transfer) error {
				inside()
				row.Missed = 1
				return nil
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Sending, Owner: "one", Term: term}
			require.NoError(t, s.Create(t.Context(), now, row))
			if name == "reclaim" { // left by the process before
				var err error
				term, err = s.Begin(t.Context(), now, "one", "host", 1)
				require.NoError(t, err)
			}
			inside, goOn := make(chan struct{}), make(chan struct{})
			written, begun := make(chan error, 1), make(chan error, 1)
			go func() {
				written <- write(row, func() { close(inside); <-goOn })
			}()
			<-inside
			// The beat does not wait for writes.
			require.NoError(t, s.Beat(t.Context(), now, "one", term))
			go func() {
				next, err := s.Begin(t.Context(), now, "one", "host", 2)
				term = next
				begun <- err
			}()
			for waiting(t, s) == 0 {
				select {
				case err := <-begun:
					close(goOn)
					t.Fatalf("the term began before the write ended: %v", err)
				default:
				}
			}
			close(goOn)
			require.NoError(t, <-begun)
			got, err := s.Transfer(t.Context(), row.ID)
			require.NoError(t, err)
			require.EqualValues(t, 1, got.Missed, "whoever begins sees all that the former process did")
			require.NoError(t, <-written)
			_, err = s.Change(t.Context(), now, got.Ref(), nil)
			require.ErrorIs(t, err, store.ErrFenced)
		})
	}
}

// TestPostgresBusy: a row that somebody keeps, and a transaction that stands
// still, end within the limits of the options.
func TestPostgresBusy(t *testing.T) {
	s := openPostgres(t)
	row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
	require.NoError(t, s.Create(t.Context(), now, row))
	other := raw(t, s)
	_, err := other.Exec("BEGIN; SELECT FROM transfers FOR UPDATE")
	require.NoError(t, err)
	quick, err := store.Open(t.Context(), store.Options{URL: s.URL() + "&connect_timeout=60", BusyTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	defer quick.Close()
	err = quick.BackedUp(t.Context(), now, store.Backup{ID: row.ID, Path: "/b"})
	code(t, store.CodeBusy, err)
	require.True(t, store.Away(err))
	got, err := s.Claim(t.Context(), now, store.ClaimQuery{Owner: "one", Term: 1, Statuses: []transfer.Status{transfer.Stored}, Limit: 1})
	require.NoError(t, err)
	require.Empty(t, got, "a claim does not wait for a row")
	_, err = other.Exec("ROLLBACK")
	require.NoError(t, err)

	// A holder that was stopped in the middle of a write keeps nobody waiting.
	n := 0
	_, err = quick.Command(t.Context(), now, transfer.Command{Name: "x", TransferID: row.ID}, func(*transfer.Transfer) error {
		if n++; n == 1 {
			err := s.BackedUp(t.Context(), now, store.Backup{ID: row.ID, Path: "/b"})
			return err
		}
		return nil
	})
	require.True(t, err == nil || store.Away(err), "%v", err)
	after, err := s.Transfer(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, "/b", after.BackupPath)
}

// TestPostgresWakeAtTheEnd: a command's process is gone as soon as its write is
// there, and the server hears of it all the same.
func TestPostgresWakeAtTheEnd(t *testing.T) {
	url := running.migrated(t)
	server, err := store.Open(t.Context(), store.Options{URL: url, Server: true})
	require.NoError(t, err)
	defer server.Close()
	wake := server.Wake(t.Context())
	heard := func() {
		t.Helper()
		select {
		case <-wake:
		case <-time.After(4 * time.Minute):
			t.Fatal("nobody told of it")
		}
	}
	heard() // it listens
	for range 20 {
		command, err := store.Open(t.Context(), store.Options{URL: url})
		require.NoError(t, err)
		require.NoError(t, command.Create(t.Context(), time.Now(), &transfer.Transfer{Direction: transfer.Send, Status: transfer.Storing}))
		require.NoError(t, command.Close())
		heard()
	}
}

func TestPostgresWake(t *testing.T) {
	s := openPostgres(t)
	other, err := store.Open(t.Context(), store.Options{URL: s.URL()})
	require.NoError(t, err)
	defer other.Close()
	wake := s.Wake(t.Context())
	<-wake // it listens
	require.NoError(t, other.Create(t.Context(), now, &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}))
	<-wake
	require.Nil(t, openSQLite(t).Wake(t.Context()))
}

// TestPostgresCut: connections that the server has ended are nobody's business.
func TestPostgresCut(t *testing.T) {
	s := openPostgres(t)
	for range 3 {
		_, err := raw(t, s).Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
		_, _, err = s.Meta(t.Context(), "x")
		require.NoError(t, err)
		require.NoError(t, s.SetMeta(t.Context(), "x", "y"))
	}
}

// TestPostgresTables: how rows lie on disk, and that ids sort by their bytes.
func TestPostgresTables(t *testing.T) {
	db := raw(t, openPostgres(t))
	var storage string
	require.NoError(t, db.QueryRow(`SELECT attstorage FROM pg_attribute WHERE attrelid = 'blocks'::regclass AND attname = 'payload'`).Scan(&storage))
	require.Equal(t, "e", storage, "external, not compressed")
	var n int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
		WHERE a.attname IN ('id', 'transfer_id') AND c.collname = 'C'
		AND attrelid IN ('transfers'::regclass, 'blocks'::regclass, 'events'::regclass, 'sessions'::regclass)`).Scan(&n))
	require.Equal(t, 4, n)
}
