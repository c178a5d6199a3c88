package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
)

// Said is a statement that a store said, with its values as they were then.
type Said struct {
	Text string
	Args []any
}

// Overhear runs f and returns what the store says meanwhile to its database,
// in reads and in writes, without BEGIN and COMMIT. Nobody else may use the
// store at that time.
func (s *Store) Overhear(t testing.TB, f func()) (said []Said) {
	inner := s.engine
	defer func() { s.engine = inner }()
	s.engine = &overheard{inner, func(text string, args []any) {
		values := make([]any, len(args))
		for n, arg := range args {
			v, err := driver.DefaultParameterConverter.ConvertValue(arg)
			if err != nil {
				t.Error(err)
			}
			values[n] = v
		}
		said = append(said, Said{text, values})
	}}
	f()
	return said
}

type overheard struct {
	engine
	hear func(string, []any)
}

func (o *overheard) readers() *statements { return o.wrap(o.engine.readers()) }

func (o *overheard) write(ctx context.Context, payload int64, f func(*tx) error) error {
	return o.engine.write(ctx, payload, func(t *tx) error {
		if t.pipe != nil {
			t.pipe.said = o.hear
			return f(t)
		}
		inner := t.statements
		t.statements = o.wrap(inner)
		defer func() { t.statements = inner }()
		return f(t)
	})
}

func (o *overheard) wrap(inner *statements) *statements {
	return &statements{
		among: inner.among,
		direct: func(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
			o.hear(text, args)
			return inner.direct(ctx, text, args...)
		},
		change: func(ctx context.Context, text string, args ...any) (sql.Result, error) {
			o.hear(text, args)
			return inner.change(ctx, text, args...)
		},
	}
}

// MigrateTo brings the schema to an earlier version than the newest.
func (s *Store) MigrateTo(t testing.TB, version int64) {
	e := s.engine.(*postgres)
	db := stdlib.OpenDB(*e.config)
	defer db.Close()
	p, err := migrations(db, postgresDialect, postgresWords, "sqlite")
	if err == nil {
		_, err = p.UpTo(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// SessionSettings are those of each connection to PostgreSQL.
func (s *Store) SessionSettings() map[string]string { return s.engine.(*postgres).settings }
