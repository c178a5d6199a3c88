package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/store/storetest"
)

func TestMain(m *testing.M) {
	if ran, err := storetest.Child(); ran {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if err := running.postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func openSQLite(t *testing.T) *store.Store {
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "pabal.db"), Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestSQLite(t *testing.T) { storetest.Run(t, openSQLite) }

// TestSQLiteSealed: a store does the same when it seals payload.
func TestSQLiteSealed(t *testing.T) { storetest.Run(t, openSealedSQLite) }

func openSealedSQLite(t *testing.T) *store.Store {
	return openSealed(t, "sqlite:"+filepath.Join(t.TempDir(), "pabal.db"), storetest.TestKey())
}
