package instance

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/loopback"
	"pabal/internal/pgtest"
	"pabal/store/storetest"
)

// engine is the database under the servers of a test, and where they keep
// payload.
type engine string

const (
	sqlite        engine = "sqlite"
	postgres      engine = "postgres"
	sqliteFiles   engine = "sqlite, files"
	postgresFiles engine = "postgres, files"
)

// inFiles reports that payload is kept in files.
func (e engine) inFiles() bool { return e == sqliteFiles || e == postgresFiles }

// onBoth runs a test on each engine, side by side. What never reaches the store,
// or reaches it in the same way for both, is tested once and does not need it.
func onBoth(t *testing.T, f func(*testing.T, engine)) { onEach(t, f, sqlite, postgres) }

// onAll runs a test on each engine with each payload keeper: for what depends
// on where payload is.
func onAll(t *testing.T, f func(*testing.T, engine)) {
	onEach(t, f, sqlite, postgres, sqliteFiles, postgresFiles)
}

// onFiles runs a test on each engine with payload in files.
func onFiles(t *testing.T, f func(*testing.T, engine)) { onEach(t, f, sqliteFiles, postgresFiles) }

func onEach(t *testing.T, f func(*testing.T, engine), engines ...engine) {
	for _, on := range engines {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			f(t, on)
		})
	}
}

// inTurn is onBoth for what has much of the machine to itself.
func inTurn(t *testing.T, f func(*testing.T, engine)) {
	for _, on := range []engine{sqlite, postgres} {
		t.Run(string(on), func(t *testing.T) { f(t, on) })
	}
}

// servers are what TestMain stops at the end.
type servers struct {
	postgres  pgtest.Server
	sqlite    storetest.Template
	addresses loopback.Addresses
	content   bytesMade
}

var running servers

// url is the address of a new database for a server whose directory is dir.
func (e engine) url(t *testing.T, dir string) string {
	t.Helper()
	if e == sqlite || e == sqliteFiles {
		return running.sqlite.URL(t, dir)
	}
	return running.postgres.Prepared(t, storetest.Migrate)
}

// makeDirs makes the directories of a server.
func makeDirs(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o750))
	}
}
