package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

var now = time.Date(2026, 3, 20, 1, 2, 3, 0, time.UTC)

func path(s *store.Store) string { return strings.TrimPrefix(s.URL(), "sqlite:") }

// raw is a connection past the store, as a SQL client or another process has.
func raw(t testing.TB, s *store.Store) *sql.DB {
	driver, address := "sqlite", "file:"+path(s)
	if strings.HasPrefix(s.URL(), "postgres") {
		driver, address = "pgx", s.URL()
	}
	db, err := sql.Open(driver, address)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func bothEngines(t *testing.T, f func(*testing.T, *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { f(t, openSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, openPostgres(t)) })
}

func code(t *testing.T, want fault.Code, err error) *fault.Error {
	t.Helper()
	require.Equal(t, want, fault.CodeOf(err), "%v", err)
	return fault.As(err)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	open := func(o store.Options) error {
		s, err := store.Open(t.Context(), o)
		if err == nil {
			require.NoError(t, s.Close())
		} else {
			require.Nil(t, s)
		}
		return err
	}
	for _, url := range []string{"", "sqlite:", "/x.db", "mysql://x"} {
		code(t, store.CodeURL, open(store.Options{URL: url, Server: true}))
	}
	missing := "sqlite:" + filepath.Join(dir, "none.db")
	code(t, store.CodeMissing, open(store.Options{URL: missing}))
	_, err := os.Stat(filepath.Join(dir, "none.db"))
	require.ErrorIs(t, err, os.ErrNotExist, "an operator's command makes no database")
	for _, none := range []string{filepath.Join(dir, "no", "dir.db"), "/proc/nowhere/pabal.db"} {
		code(t, store.CodeMissing, open(store.Options{URL: "sqlite:" + none, Server: true}))
	}

	text := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("this is no database ", 100)), 0o600))
	code(t, store.CodeNotDatabase, open(store.Options{URL: "sqlite:" + text, Server: true}))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory"), 0o700))
	require.Error(t, open(store.Options{URL: "sqlite:" + filepath.Join(dir, "directory"), Server: true}))
}

func TestOneServer(t *testing.T) {
	s := openSQLite(t)
	_, err := store.Open(t.Context(), store.Options{URL: s.URL(), Server: true})
	e := code(t, store.CodeLocked, err)
	host, _ := os.Hostname()
	require.Equal(t, fault.Args{"pid": fmt.Sprint(os.Getpid()), "host": host}, e.Args)

	operator, err := store.Open(t.Context(), store.Options{URL: s.URL()})
	require.NoError(t, err)
	require.NoError(t, operator.SetMeta(t.Context(), "x", "operator"))
	require.NoError(t, operator.Close())
	require.NoError(t, s.Close())
	again, err := store.Open(t.Context(), store.Options{URL: s.URL(), Server: true})
	require.NoError(t, err)
	v, _, err := again.Meta(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "operator", v)
	require.NoError(t, again.Close())
}

func TestSchemaVersions(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "pabal.db")
	s, err := store.Open(t.Context(), store.Options{URL: url, Server: true})
	require.NoError(t, err)
	have, want, err := s.SchemaVersions(t.Context())
	require.NoError(t, err)
	require.Zero(t, have)
	require.Positive(t, want)
	_, err = store.Open(t.Context(), store.Options{URL: url})
	code(t, store.CodeSchemaOlder, err)
	require.NoError(t, s.Migrate(t.Context()))
	have, _, err = s.SchemaVersions(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, have)

	_, err = raw(t, s).Exec(`INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, 1)`)
	require.NoError(t, err)
	code(t, store.CodeSchemaNewer, s.Migrate(t.Context()))
	require.NoError(t, s.Close())
	for _, server := range []bool{true, false} {
		_, err = store.Open(t.Context(), store.Options{URL: url, Server: server})
		e := code(t, store.CodeSchemaNewer, err)
		require.Equal(t, "9999", e.Args["have"])
	}
}

func TestReadOnly(t *testing.T) { bothEngines(t, readOnly) }

func readOnly(t *testing.T, s *store.Store) {
	r, err := store.Open(t.Context(), store.Options{URL: s.URL(), ReadOnly: true})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	err = r.SetMeta(t.Context(), "x", "y")
	code(t, store.CodeReadOnly, err)
	require.True(t, store.Away(err))
	code(t, store.CodeReadOnly, r.Migrate(t.Context()))
}

// TestBusy: another process that holds the lock too long makes the store
// away, and leaves it well.
func TestBusy(t *testing.T) {
	url := openSQLite(t).URL()
	s, err := store.Open(t.Context(), store.Options{URL: url, BusyTimeout: 30 * time.Millisecond})
	require.NoError(t, err)
	defer s.Close()
	other := raw(t, s)
	_, err = other.Exec("BEGIN IMMEDIATE")
	require.NoError(t, err)
	for range 2 {
		err = s.SetMeta(t.Context(), "x", "y")
		code(t, store.CodeBusy, err)
		require.True(t, store.Away(err))
	}
	_, _, err = s.Meta(t.Context(), "x")
	require.NoError(t, err, "reading goes on")
	_, err = other.Exec("ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, s.SetMeta(t.Context(), "x", "y"))
}

func TestAway(t *testing.T) {
	for code, want := range map[fault.Code]bool{
		store.CodeBusy: true, store.CodeDiskFull: true, store.CodeReadOnly: true, store.CodeIO: true, store.CodeClosed: true,
		store.CodeUnreachable: true, store.CodeDenied: true, store.CodeCommitUnknown: true, store.CodePoolerMode: true,
		store.CodeFenced: false, store.CodeNotFound: false, store.CodeBlockDamaged: false, store.CodeNotDatabase: false,
	} {
		require.Equal(t, want, store.Away(fmt.Errorf("while: %w", fault.New(code, "x"))), code)
		require.Equal(t, want, store.Away(fault.New("file.other", "x").Because(fault.New(code, "x"))), code)
	}
	require.False(t, store.Away(nil))
	require.False(t, store.Away(os.ErrClosed))
}

func TestNewID(t *testing.T) {
	require.Equal(t, "0000000000", store.NewID(time.UnixMilli(0))[:9]+"0")
	earlier, later := store.NewID(now), store.NewID(now.Add(time.Millisecond))
	require.Less(t, earlier, later)
	require.Less(t, later, store.NewID(now.AddDate(1000, 0, 0)))
	// 2^48 ms − 1 and 16 bits are 64 bits: the first character holds four.
	require.Regexp(t, `^[0-9a-f][0-9a-hjkmnp-tv-z]{12}$`, store.NewID(time.UnixMilli(1<<48-1)))
	require.Equal(t, "fzzzzzzzz", store.NewID(time.UnixMilli(1<<48 - 1))[:9])
}

// TestReadableViews: what a person sees with a SQL client.
func TestReadableViews(t *testing.T) { bothEngines(t, readableViews) }

func readableViews(t *testing.T, s *store.Store) {
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, DataSize: 4000, PerBlock: 3, CreatedAt: now}
	require.NoError(t, s.Create(t.Context(), now, row))
	b := transfer.Block{Number: 1, Lengths: []uint16{4000, 0, 255}, Payload: make([]byte, 4255)}
	b.Held.Add(1)
	b.Held.Add(3)
	_, err := s.PutBlocks(t.Context(), now, row.Ref(), []transfer.Block{b}, nil)
	require.NoError(t, err)
	_, err = s.Command(t.Context(), now, transfer.Command{Name: "hold", TransferID: row.ID}, nil)
	require.NoError(t, err)

	db := raw(t, s)
	got := [][4]any{}
	rows, err := db.Query(`SELECT block, number, length, state FROM sequences WHERE transfer_id = $1 ORDER BY block, number`, row.ID)
	require.NoError(t, err)
	for rows.Next() {
		var r [4]any
		require.NoError(t, rows.Scan(&r[0], &r[1], &r[2], &r[3]))
		got = append(got, r)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, [][4]any{
		{int64(1), int64(1), int64(4000), "held"}, {int64(1), int64(2), int64(0), "missing"}, {int64(1), int64(3), int64(255), "held"},
	}, got)

	var created string
	var next *string
	require.NoError(t, db.QueryRow(`SELECT created, next FROM transfers_readable`).Scan(&created, &next))
	require.Equal(t, "2026-03-20T01:02:03.000Z", created)
	require.Nil(t, next)
	for _, view := range []string{"events_readable", "commands_readable"} {
		require.NoError(t, db.QueryRow(`SELECT time FROM `+view).Scan(&created))
		require.Equal(t, "2026-03-20T01:02:03.000Z", created)
	}
	refused := []string{
		`UPDATE commands SET reason = 'x'`, `DELETE FROM commands`, `UPDATE commands SET reason = 'x' WHERE id = 0`,
		`INSERT INTO commands SELECT * FROM commands WHERE true ON CONFLICT (id) DO UPDATE SET reason = 'x'`,
	}
	if strings.HasPrefix(s.URL(), "sqlite:") {
		refused = append(refused[:2], refused[3], `INSERT OR REPLACE INTO commands SELECT * FROM commands`,
			`REPLACE INTO commands SELECT * FROM commands`, `UPDATE OR REPLACE commands SET id = id + 1`)
	} else {
		refused[3] = strings.Replace(refused[3], "SELECT", "OVERRIDING SYSTEM VALUE SELECT", 1)
		refused = append(refused, `TRUNCATE commands`, `SET session_replication_role = replica; DELETE FROM commands`)
	}
	for _, text := range refused {
		_, err = db.Exec(text)
		require.ErrorContains(t, err, "append-only", text)
	}
}

// TestFile: properties that only a new file can be given.
func TestFile(t *testing.T) {
	s := openSQLite(t)
	info, err := os.Stat(path(s))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	db := raw(t, s)
	var size int
	var mode string
	require.NoError(t, db.QueryRow(`PRAGMA page_size`).Scan(&size))
	require.NoError(t, db.QueryRow(`PRAGMA journal_mode`).Scan(&mode))
	require.Equal(t, 16384, size)
	require.Equal(t, "wal", mode)
}

// TestDamage: a row that is not what was written is never handed out.
func TestDamage(t *testing.T) { bothEngines(t, damage) }

func damage(t *testing.T, s *store.Store) {
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, DataSize: 4000, PerBlock: 50}
	require.NoError(t, s.Create(t.Context(), now, row))
	b := transfer.Block{Number: 1, Payload: make([]byte, 200000)}
	for seq := 1; seq <= 50; seq++ {
		b.Lengths = append(b.Lengths, 4000)
		b.Held.Add(seq)
	}
	_, err := s.PutBlocks(t.Context(), now, row.Ref(), []transfer.Block{b}, nil)
	require.NoError(t, err)
	b.Payload[199999] = 1
	_, err = raw(t, s).Exec(`UPDATE blocks SET payload = $1`, b.Payload)
	require.NoError(t, err)
	_, err = s.ReadRange(t.Context(), row.ID, 0, 100000, nil)
	require.Equal(t, "1", code(t, store.CodeBlockDamaged, err).Args["block"])
	_, err = s.Verify(t.Context(), row.ID)
	code(t, store.CodeBlockDamaged, err)

	_, err = raw(t, s).Exec(`UPDATE blocks SET payload = $1`, b.Payload[:5])
	require.NoError(t, err)
	for _, length := range []int64{10, 100000} {
		_, err = s.ReadRange(t.Context(), row.ID, 0, length, nil)
		code(t, store.CodeBlockDamaged, err)
	}
}
