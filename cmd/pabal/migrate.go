package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/store"
)

func newMigrate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:  "migrate",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.migrate(cmd.Context()) },
	}
	return a.describe(cmd, "migrate")
}

// migrate brings the database to this program's schema without starting the
// server. The server does the same at its start.
func (a *app) migrate(ctx context.Context) error {
	cfg, err := config.Load(a.configPath, a.env)
	if err != nil {
		return err
	}
	keys, problems := payloadKeys(cfg)
	if err := cfg.Report(problems); err != nil {
		return err
	}
	a.enter(cfg)
	s := &site{cfg: cfg, keys: keys}
	st, err := store.Open(ctx, s.database())
	if err != nil {
		return err
	}
	a.onClose(st.Close)
	name := store.Shown(s.cfg.Database.URL)
	from, _, err := st.SchemaVersions(ctx)
	if err != nil {
		return err
	}
	if err := st.Migrate(ctx); err != nil {
		return err
	}
	to, _, err := st.SchemaVersions(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(a.out, map[string]any{"database": name, "from": from, "to": to})
	}
	line := a.text("ui.migrate.done", "database", name, "from", from, "to", to)
	if from == to {
		line = a.text("ui.migrate.nothing", "database", name, "to", to)
	}
	_, err = fmt.Fprintln(a.out, line)
	return err
}
