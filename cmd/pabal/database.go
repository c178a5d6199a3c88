package main

import (
	"context"
	"log/slog"
	"time"

	"pabal/internal/loop"
	"pabal/store"
)

// database says how the server opens the database of the configuration.
func (s *site) database() store.Options {
	d := s.cfg.Database
	return store.Options{URL: d.URL, Password: d.Password.Reveal(), Environment: s.cfg.Environment, Server: true, Keys: s.keys, Lease: s.cfg.Lease}
}

// openServer opens a database and brings it to this program's schema.
func openServer(ctx context.Context, o store.Options) (*store.Store, error) {
	o.Server = true
	st, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := st.Migrate(ctx); err != nil {
		_ = st.Close()
		return nil, err
	}
	return st, nil
}

// Pauses between tries to reach a database server at the start.
const (
	awaitFirst = time.Second
	awaitMost  = 10 * time.Second
)

// awaitServer is openServer for a service: after a power cut the machines come
// back in any order, so a database server that is away is waited for. Each try
// is a line in the log. What does not pass by itself, such as a wrong password,
// fails at once.
func awaitServer(ctx context.Context, o store.Options, wait time.Duration, log *slog.Logger) (*store.Store, error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for n := 1; ; n++ {
		st, err := openServer(ctx, o)
		if err == nil || !store.Coming(err) {
			return st, err
		}
		pause := loop.Backoff(awaitFirst, awaitMost, n)
		log.Warn("the database server is away, waiting for it", "database", store.Shown(o.URL), "try", n, "again_in", pause.Round(time.Millisecond).String(),
			"at_most", wait, "err", err)
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-limit.C:
			again.Stop()
			return nil, err
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
	}
}
