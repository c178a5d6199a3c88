package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/store/storetest"
)

// servers are what TestMain stops at the end.
type servers struct {
	postgres pgtest.Server
	template string // a migrated database, for copies
}

var running servers

// openPostgres gives a copy of a migrated database.
func openPostgres(t *testing.T) *store.Store {
	s, err := store.Open(t.Context(), store.Options{URL: running.postgres.URL(t), Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestPostgres(t *testing.T) { storetest.Run(t, openPostgres) }
