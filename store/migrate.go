package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"pabal/internal/fault"
)

// migrationFiles are numbered and forward-only. A file whose name ends in
// .sqlite.sql or .postgres.sql is for that engine alone.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// sqliteWords are what SQLite calls the things that engines call differently.
var sqliteWords = map[string]string{
	"{{id}}":    "INTEGER PRIMARY KEY AUTOINCREMENT",
	"{{bytes}}": "BLOB",
	"{{key}}":   "TEXT",
}

// postgresWords are PostgreSQL's. Ids are compared byte by byte, whatever
// language the database was made for: they sort by time (NewID).
var postgresWords = map[string]string{
	"{{id}}":    "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	"{{bytes}}": "BYTEA",
	"{{key}}":   `TEXT COLLATE "C"`,
}

const schemaTable = "schema_versions"

// migrations is goose over our files with the engine's words put in.
func migrations(db *sql.DB, dialect goose.Dialect, words map[string]string, other string, options ...goose.ProviderOption) (*goose.Provider, error) {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(sub, "*."+other+".sql")
	if err != nil {
		return nil, err
	}
	pairs := make([]string, 0, 2*len(words))
	for word, meaning := range words {
		pairs = append(pairs, word, meaning)
	}
	options = append(options, goose.WithTableName(schemaTable), goose.WithExcludeNames(names), goose.WithDisableGlobalRegistry(true))
	return goose.NewProvider(dialect, db, wordFS{sub, strings.NewReplacer(pairs...)}, options...)
}

func (e *sqlite) migrate(ctx context.Context) error {
	if e.writer == nil {
		return fault.New(CodeReadOnly, e.path)
	}
	// A connection of its own: goose begins transactions itself.
	db, err := sql.Open("sqlite", sqliteURL(e.path, 10*time.Second, sqliteReaderCacheKiB, false)+"&_txlock=immediate")
	if err != nil {
		return openFault(e.path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := migrations(db, goose.DialectSQLite3, sqliteWords, "postgres")
	if err != nil {
		return fault.New(CodeSchemaBroken, e.path).Because(err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return schemaFault(e.path, err)
	}
	if have > want {
		return fault.New(CodeSchemaNewer, e.path, "have", have, "want", want)
	}
	if _, err := p.Up(ctx); err != nil {
		return schemaFault(e.path, err)
	}
	return nil
}

func schemaFault(path string, err error) error {
	if f := fault.As(sqliteFault(path, err)); f != nil {
		return f
	}
	return fault.New(CodeSchemaBroken, path).Because(err)
}

// schema asks the table that goose keeps without making it, for operators'
// processes never write to a schema.
func (e *sqlite) schema(ctx context.Context) (have, want int64, err error) {
	p, err := migrations(e.reads, goose.DialectSQLite3, sqliteWords, "postgres")
	if err != nil {
		return 0, 0, fault.New(CodeSchemaBroken, e.path).Because(err)
	}
	sources := p.ListSources()
	want = sources[len(sources)-1].Version
	var tables int
	err = e.reads.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = $1`, schemaTable).Scan(&tables)
	if err == nil && tables > 0 {
		err = e.reads.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+schemaTable).Scan(&have)
	}
	return have, want, sqliteFault(e.path, err)
}

// newIdentity is the random name by which a database is known.
func newIdentity() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// wordFS gives the files of another file system with words replaced.
type wordFS struct {
	fs.FS
	words *strings.Replacer
}

func (w wordFS) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &wordFile{File: f, content: strings.NewReader(marked(w.words.Replace(string(content))))}, nil
}

const (
	mark      = "-- +goose "
	markBegin = mark + "StatementBegin\n"
	markEnd   = mark + "StatementEnd\n"
)

// marked says where each statement begins and ends. Where nobody says so, goose
// looks at every line for a semicolon, each time with a buffer of 4 MiB: for a new
// database that took longer than making the tables.
func marked(text string) string {
	var out strings.Builder
	inside, said := false, false // a statement; one that the file itself marks
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "--")
		code = strings.TrimSpace(code)
		switch {
		case strings.HasPrefix(line, mark):
			said = line == markBegin
		case !said && !inside && code != "":
			inside = true
			out.WriteString(markBegin)
		}
		out.WriteString(line)
		if !said && inside && strings.HasSuffix(code, ";") {
			inside = false
			out.WriteString(markEnd)
		}
	}
	return out.String()
}

type wordFile struct {
	fs.File
	content *strings.Reader
}

func (f *wordFile) Read(b []byte) (int, error) { return f.content.Read(b) }
