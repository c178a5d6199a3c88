package store_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/needs"
	"pabal/store"
	"pabal/store/storetest"
	"pabal/transfer"
)

func TestMain(m *testing.M) {
	if ran, err := storetest.Child(); ran {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("PABAL_ROWS") == "" { // which may be more than memory has room for
		needs.Memory()
	}
	code := m.Run()
	if err := running.postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func openSQLite(t *testing.T) *store.Store {
	s, err := store.Open(t.Context(), store.Options{URL: running.sqlite.URL(t, t.TempDir()), Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestSQLite(t *testing.T) { storetest.Run(t, openSQLite) }

// TestSQLiteSealed: a store does the same when it seals payload.
func TestSQLiteSealed(t *testing.T) { storetest.Run(t, openSealedSQLite) }

func openSealedSQLite(t *testing.T) *store.Store {
	return openSealed(t, running.sqlite.URL(t, t.TempDir()), storetest.TestKey())
}

// TestSQLiteSpace: what retention frees is used again, so the file stays as
// large as what it held at most.
func TestSQLiteSpace(t *testing.T) {
	s := openSQLite(t)
	size := func() int64 {
		db := raw(t, s)
		var pages int64
		require.NoError(t, db.QueryRow("PRAGMA page_count").Scan(&pages))
		return pages * 16384
	}
	var first int64
	for round := range 5 {
		id := putLarge(t, s, 10, 400_000)
		if first == 0 {
			first = size()
		}
		require.NoError(t, s.Release(t.Context(), now, id))
		require.LessOrEqual(t, size(), first+first/20, "round %d", round)
	}
}

// putLarge makes an abandoned transfer with payload.
func putLarge(t *testing.T, s *store.Store, blocks int64, size int) string {
	t.Helper()
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Abandoned, PerBlock: 8}
	require.NoError(t, s.Create(t.Context(), now, row))
	for n := range blocks {
		b := transfer.Block{Number: n + 1, Offset: n * int64(size), Payload: make([]byte, size)}
		for range 8 {
			b.Lengths = append(b.Lengths, uint16(size/8))
		}
		b.Held.Fill(8)
		_, err := s.PutBlocks(t.Context(), now, row.Ref(), []transfer.Block{b}, nil)
		require.NoError(t, err)
	}
	return row.ID
}
