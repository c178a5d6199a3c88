package store_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// TestDatabaseTakenAway: a database that is removed under the process that has
// it open, or that another copy is renamed over, is noticed by the first write,
// and nothing is read or written from then on. The other copy stays as it is,
// and nobody writes the old one's log into it.
func TestDatabaseTakenAway(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(t *testing.T, path, copied string)
		left bool // a file is at the path
	}{
		{"renamed over", func(t *testing.T, path, copied string) { require.NoError(t, os.Rename(copied, path)) }, true},
		{"removed", func(t *testing.T, path, _ string) { require.NoError(t, os.Remove(path)) }, false},
		{"moved away and back", func(t *testing.T, path, _ string) { require.NoError(t, os.Rename(path, path+".old")) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := openSQLite(t)
			path := path(s)
			require.NoError(t, s.SetMeta(t.Context(), "a", "in both"))
			copied := path + ".copy"
			_, err := raw(t, s).ExecContext(t.Context(), "VACUUM INTO '"+copied+"'")
			require.NoError(t, err)
			require.NoError(t, s.SetMeta(t.Context(), "b", "in the old one alone"))
			before, err := os.ReadFile(copied)
			require.NoError(t, err)
			log, err := os.Stat(path + "-wal")
			require.NoError(t, err)

			test.do(t, path, copied)
			e := code(t, store.CodeReplaced, s.SetMeta(t.Context(), "c", "nowhere"))
			require.Equal(t, path, e.Subject)
			require.False(t, store.Away(e), "it does not pass")
			_, _, err = s.Meta(t.Context(), "a")
			code(t, store.CodeReplaced, err)
			if test.name == "moved away and back" {
				require.NoError(t, os.Rename(path+".old", path))
				code(t, store.CodeReplaced, s.SetMeta(t.Context(), "c", "nowhere"))
				return
			}
			lost, err := os.Stat(path + "-wal.lost")
			require.NoError(t, err)
			require.True(t, os.SameFile(log, lost), "the log of the old one is kept")
			require.NoError(t, s.Close())
			require.NoFileExists(t, path+"-wal")
			require.NoFileExists(t, path+"-shm")
			if !test.left {
				require.NoFileExists(t, path)
				return
			}
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, before, after)
			again, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + path, Server: true})
			require.NoError(t, err)
			defer again.Close()
			for name, want := range map[string]bool{"a": true, "b": false, "c": false} {
				_, there, err := again.Meta(t.Context(), name)
				require.NoError(t, err)
				require.Equal(t, want, there, name)
			}
		})
	}
}
