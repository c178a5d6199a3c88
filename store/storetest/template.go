package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// Template is a migrated SQLite database that is made once for a test binary
// and copied for every test, which takes a tenth of the time of making its
// tables again. The zero value is ready; many tests may use it at once.
type Template struct {
	once  sync.Once
	image []byte
	err   error
}

// URL puts a copy into a file pabal.db of a directory and returns its address.
func (m *Template) URL(t testing.TB, dir string) string {
	t.Helper()
	m.once.Do(func() { m.image, m.err = makeImage() })
	require.NoError(t, m.err)
	path := filepath.Join(dir, "pabal.db")
	require.NoError(t, os.WriteFile(path, m.image, 0o600))
	return "sqlite:" + path
}

// makeImage makes the file to copy. Whoever closes a database last writes
// everything into its one file.
func makeImage() (image []byte, err error) {
	dir, err := os.MkdirTemp("", "template")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "pabal.db")
	if err := Migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Migrate makes the tables in a new database and leaves it: what is copied for
// each test, here and by pgtest.
func Migrate(url string) error {
	s, err := store.Open(context.Background(), store.Options{URL: url, Server: true})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(context.Background()), s.Close())
}
