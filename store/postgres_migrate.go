package store

import (
	"context"
	"maps"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"pabal/internal/fault"
)

const postgresDialect = goose.DialectPostgres

// migrate lets one process at a time migrate; the others wait and find it
// done. They ask for the lock again and again instead of waiting in it, which
// would keep an index from being built beside the work.
func (e *postgres) migrate(ctx context.Context) error {
	if !e.canTell {
		return fault.New(CodeReadOnly, e.label)
	}
	// Connections of its own, without a limit for a statement.
	config := e.config.Copy()
	settings := maps.Clone(e.settings)
	settings["statement_timeout"], settings["idle_in_transaction_session_timeout"] = "0", "0"
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return apply(ctx, conn, settings)
	}))
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return fault.New(CodeSchemaBroken, e.label).Because(err)
	}
	p, err := migrations(db, postgresDialect, postgresWords, "sqlite", goose.WithSessionLocker(locker))
	if err != nil {
		return fault.New(CodeSchemaBroken, e.label).Because(err)
	}
	have, want, err := e.schema(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return fault.New(CodeSchemaNewer, e.label, "have", have, "want", want)
	case have == want:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		if f := fault.As(postgresFault(e.label, err)); f != nil {
			return f
		}
		return fault.New(CodeSchemaBroken, e.label).Because(err)
	}
	return nil
}
