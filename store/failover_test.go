package store_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/transfer"
)

// until waits for something that another process does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := time.After(4 * time.Minute)
	for pause := 2 * time.Millisecond; !done(); pause = min(pause*5/4, 200*time.Millisecond) { // each look costs a process
		select {
		case <-time.After(pause):
		case <-limit:
			t.Fatal(what)
		}
	}
}

// TestFailover: a server with a synchronous standby. What the store says is
// written is there when the standby has taken over, whatever was before.
func TestFailover(t *testing.T) {
	pair := pgtest.NewPair(t, true)
	url := pair.URL(t) + "&connect_timeout=60"
	s, err := store.Open(t.Context(), store.Options{URL: url, Server: true, BusyTimeout: 700 * time.Millisecond})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Migrate(t.Context()))
	row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
	require.NoError(t, s.Create(t.Context(), now, row))
	var confirmed int64 // the highest number that was said to be written
	note := func(n int64) error {
		return s.SetMeta(t.Context(), "n", strconv.FormatInt(n, 10))
	}
	missed := func(n int64) error {
		_, err := s.Change(t.Context(), now, row.Ref(), func(row *transfer.Transfer) error { row.Missed = n; return nil })
		return err
	}
	require.NoError(t, note(1))

	t.Run("who only reads is let in where only a primary will do", func(t *testing.T) {
		reader, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
		require.NoError(t, err)
		defer reader.Close()
		got, err := reader.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		code(t, store.CodeReadOnly, reader.SetMeta(t.Context(), "x", "y"))
	})

	// While the standby stands still the primary has what is written on its own
	// disk, and shows it to everybody when a wait for the standby is given up:
	// by us, whose time is over, or by somebody on the server, which then
	// answers that the commit was done. Nobody is told that it is written.
	waiters := func() string {
		return pair.Primary.Admin(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'pabal'")
	}
	for n, cancel := range []bool{false, true} {
		t.Run("the standby stands still, cancelled "+strconv.FormatBool(cancel), func(t *testing.T) {
			pair.Standby.Freeze(t)
			defer pair.Standby.Thaw(t)
			setting, row := make(chan error, 1), make(chan error, 1)
			go func() { setting <- note(int64(2 + n)) }()
			go func() { row <- missed(int64(2 + n)) }()
			if cancel {
				until(t, "nobody waits for the standby", func() bool { return waiters() == "2" })
				pair.Primary.Admin(t, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			}
			for _, written := range []chan error{setting, row} {
				err := <-written
				require.Error(t, err)
				require.True(t, store.Away(err), "%v", err)
			}
		})
	}
	until(t, "the store does not come back", func() bool { return note(4) == nil && missed(4) == nil })

	t.Run("the primary dies in the middle of writes", func(t *testing.T) {
		var last atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			for n := int64(5); ctx.Err() == nil; n++ {
				if err := note(n); err == nil {
					last.Store(n)
				} else if !store.Away(err) {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		until(t, "no writes", func() bool { return last.Load() > 10 })
		pair.Primary.Crash(t)
		before := last.Load()
		pair.Promote(t)
		there, err := strconv.ParseInt(pair.Standby.SQL(t, pair.Address(t, pair.Standby, url), "SELECT value FROM meta WHERE name = 'n'"), 10, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, there, before, "what was confirmed is there")
		until(t, "no writes go on", func() bool { return last.Load() > before+10 })
		stop()
		require.NoError(t, <-ended)
		confirmed = last.Load()
	})
	value, _, err := s.Meta(t.Context(), "n")
	require.NoError(t, err)
	require.Equal(t, strconv.FormatInt(confirmed, 10), value)
	got, err := s.Transfer(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 4, got.Missed)
}
