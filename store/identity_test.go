package store_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// TestIdentities: no two databases have one identity. The other tests work on
// copies of one, which share it.
func TestIdentities(t *testing.T) {
	for engine, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "pabal.db") },
		"postgres": func() string { return running.postgres.URL(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			seen := map[string]bool{}
			for range 2 {
				s, err := store.Open(t.Context(), store.Options{URL: url(), Server: true})
				require.NoError(t, err)
				require.NoError(t, s.Migrate(t.Context()))
				id, err := s.Identity(t.Context())
				require.NoError(t, err)
				require.False(t, seen[id])
				seen[id] = true
				require.NoError(t, s.Close())
			}
		})
	}
}
