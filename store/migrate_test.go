package store

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"
)

// TestMarkedStatementsAreThoseOfTheFiles: what goose finds in the files as they
// are, and what it is told to be statements, makes the same tables, to the letter.
func TestMarkedStatementsAreThoseOfTheFiles(t *testing.T) {
	replace := func(text string) string {
		for word, meaning := range sqliteWords {
			text = strings.ReplaceAll(text, word, meaning)
		}
		return text
	}
	plain := fstest.MapFS{}
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	require.NoError(t, err)
	for _, name := range names {
		text, err := migrationFiles.ReadFile(name)
		require.NoError(t, err)
		unmarked := strings.ReplaceAll(strings.ReplaceAll(string(text), markBegin, ""), markEnd, "")
		require.Equal(t, unmarked, strings.ReplaceAll(strings.ReplaceAll(marked(string(text)), markBegin, ""), markEnd, ""), name)
		if !strings.HasSuffix(name, ".postgres.sql") {
			plain[filepath.Base(name)] = &fstest.MapFile{Data: []byte(replace(string(text)))}
		}
	}
	made := func(migrate func(*sql.DB) (*goose.Provider, error)) (texts []string) {
		db, err := sql.Open("sqlite", sqliteURL(filepath.Join(t.TempDir(), "x.db"), 0, sqliteReaderCacheKiB, false))
		require.NoError(t, err)
		defer db.Close()
		p, err := migrate(db)
		require.NoError(t, err)
		_, err = p.Up(t.Context())
		require.NoError(t, err)
		rows, err := db.QueryContext(t.Context(), `SELECT coalesce(sql, '') FROM sqlite_master ORDER BY name`)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			texts = append(texts, text)
		}
		require.NoError(t, rows.Err())
		return texts
	}
	want := made(func(db *sql.DB) (*goose.Provider, error) {
		return goose.NewProvider(goose.DialectSQLite3, db, plain, goose.WithTableName(schemaTable), goose.WithDisableGlobalRegistry(true))
	})
	require.Greater(t, len(want), 40)
	require.Equal(t, want, made(func(db *sql.DB) (*goose.Provider, error) {
		return migrations(db, goose.DialectSQLite3, sqliteWords, "postgres")
	}))
}
