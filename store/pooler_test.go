package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// TestPoolerBySession: PgBouncer that pools by session is as good as none.
// Everything that a connection is set to holds behind it.
func TestPoolerBySession(t *testing.T) {
	address := running.postgres.URL(t)
	url := running.postgres.Pooler(t, address, "session")
	s, err := store.Open(t.Context(), store.Options{URL: url, Server: true, BusyTimeout: 5 * time.Second})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Migrate(t.Context()))

	wake := s.Wake(t.Context())
	<-wake // it listens
	other, err := store.Open(t.Context(), store.Options{URL: url, BusyTimeout: 200 * time.Millisecond})
	require.NoError(t, err)
	defer other.Close()
	row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
	require.NoError(t, other.Create(t.Context(), now, row))
	<-wake

	// The limit for locks is ours, also where the server's connection had
	// another client before.
	holder := raw(t, s)
	_, err = holder.Exec("BEGIN; SELECT FROM transfers FOR UPDATE")
	require.NoError(t, err)
	code(t, store.CodeBusy, other.BackedUp(t.Context(), now, store.Backup{ID: row.ID, Path: "/b"}))
	_, err = holder.Exec("ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, s.BackedUp(t.Context(), now, store.Backup{ID: row.ID, Path: "/b"}))

	reader, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
	require.NoError(t, err)
	defer reader.Close()
	got, err := reader.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Len(t, got, 1)

	// Connections that end under it are nobody's business either.
	running.postgres.SQL(t, address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	until(t, "the store does not come back", func() bool { return s.SetMeta(t.Context(), "x", "y") == nil })
}

// TestPoolerRefused: a pooler that hands our connections to others between
// transactions is found out when the store is opened, by operators' commands as
// well, however it chooses the server's connections and whoever else uses it.
func TestPoolerRefused(t *testing.T) {
	address := running.migrated(t)
	open := func(url string, readOnly bool) error {
		s, err := store.Open(t.Context(), store.Options{URL: url, Server: !readOnly, ReadOnly: readOnly})
		if err == nil {
			require.NoError(t, s.Close())
		}
		return err
	}
	for name, settings := range map[string][]string{
		"the last used first": nil,
		"in turns":            {"server_round_robin = 1"},
		"one at most":         {"default_pool_size = 1"},
	} {
		for _, mode := range []string{"transaction", "statement"} {
			t.Run(mode+", "+name, func(t *testing.T) {
				url := running.postgres.Pooler(t, address, mode, settings...)
				for range 3 { // each leaves connections behind for the next
					for _, readOnly := range []bool{false, true} {
						code(t, store.CodePoolerMode, open(url, readOnly))
					}
				}
			})
		}
	}

	url := running.postgres.Pooler(t, address, "session")
	e := code(t, store.CodePoolerParameter, open(url+"&statement_timeout=5000", false))
	require.Equal(t, fault.Args{"parameter": "statement_timeout"}, e.Args)
	require.NoError(t, open(url, false))
}
