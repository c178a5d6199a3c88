package store

import (
	"context"
	"time"

	"pabal/internal/fault"
)

// metaIdentity is the random name by which a database is known, so that a
// restored or exchanged one can be recognised.
const metaIdentity = "identity"

// metaEnvironment is the environment that the database belongs to.
const metaEnvironment = "environment"

// Environment is production, test or dev, or "" for a database that nobody has
// claimed yet.
func (s *Store) Environment(ctx context.Context) (string, error) {
	v, _, err := s.Meta(ctx, metaEnvironment)
	return v, err
}

// sameEnvironment refuses a database of another environment: a test host must
// not carry production's files, nor a copy of them.
func (s *Store) sameEnvironment(ctx context.Context) error {
	if s.options.Environment == "" {
		return nil
	}
	have, err := s.Environment(ctx)
	if err == nil && have != "" && have != s.options.Environment {
		err = fault.New(CodeEnvironment, s.engine.name(), "have", have, "want", s.options.Environment)
	}
	return err
}

// Identity is the database's random name, given when it was made.
func (s *Store) Identity(ctx context.Context) (string, error) {
	v, _, err := s.Meta(ctx, metaIdentity)
	return v, err
}

// Meta reads a named value; ok is false if there is none.
func (s *Store) Meta(ctx context.Context, name string) (value string, ok bool, err error) {
	ok, err = s.scan(ctx, []any{&value}, `SELECT value FROM meta WHERE name = $1`, name)
	return value, ok, err
}

// SetMeta writes a named value.
func (s *Store) SetMeta(ctx context.Context, name, value string) error {
	return s.write(ctx, 0, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
		return err
	})
}

// Window is when a receive window was last tried and last succeeded.
type Window struct {
	LastTry     time.Time
	LastSuccess time.Time
}

// Window reads a receive window's row; both times are zero if there is none.
func (s *Store) Window(ctx context.Context, name string) (Window, error) {
	var w Window
	_, err := s.scan(ctx, []any{micros{&w.LastTry}, micros{&w.LastSuccess}},
		`SELECT last_try, last_success FROM windows WHERE name = $1`, name)
	return w, err
}

// SetWindow writes a receive window's row.
func (s *Store) SetWindow(ctx context.Context, now time.Time, name string, w Window) error {
	return s.write(ctx, 0, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO windows (name, last_try, last_success, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET last_try = excluded.last_try,
				last_success = excluded.last_success, updated_at = excluded.updated_at`,
			name, micros{&w.LastTry}, micros{&w.LastSuccess}, toMicros(now))
		return err
	})
}
