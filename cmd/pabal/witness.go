package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"pabal/config"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/store/journal"
)

// journalDir is where a place remembers its database: outside of it, and where
// the server may write in any case.
func journalDir(cfg *config.Config) string { return filepath.Join(cfg.System.Work, ".pabal") }

// sessionLogs is where a place writes down what is said on its lines.
func sessionLogs(cfg *config.Config) string { return filepath.Join(journalDir(cfg), "sessions") }

// witness opens the server's journal.
func (a *app) witness(cfg *config.Config, log *slog.Logger) (*journal.Journal, error) {
	j, err := journal.Open(journal.Options{
		Dir: journalDir(cfg), Server: true, Keep: cfg.Retention.Journal, Now: a.now,
		Failed: func(err error) { log.Error("the journal is not written", "directory", journalDir(cfg), "err", err) },
	})
	if err != nil {
		return nil, fault.New(codeJournal, journalDir(cfg)).Because(err)
	}
	return j, nil
}

// beside is the journal for an operator's command: what it writes to the
// database is remembered too. A host without the server's directories has none,
// and one that cannot write to it must not keep an operator from working.
func (a *app) beside(cfg *config.Config, o *store.Options) {
	j, err := journal.Open(journal.Options{Dir: journalDir(cfg), Now: a.now})
	if err != nil || j == nil {
		return
	}
	a.onClose(j.Close)
	o.Witness = j
}

// How often the database is held against the journal: at once after a new
// connection, and from time to time in any case.
const (
	recogniseSoon  = 200 * time.Millisecond
	recogniseEvery = 5 * time.Second
)

func (a *app) recognise(ctx context.Context, st *store.Store, place string, log *slog.Logger) error {
	q, err := st.Recognise(ctx, a.now(), place)
	if err == nil && q != nil && q.Place == place && a.now().Sub(q.Since) < recogniseEvery {
		log.Error("the database is older than what this place has seen of it, or another one: quarantine",
			"code", store.CodeQuarantined, "why", q.Why, "next", "pabal recover")
	}
	return err
}

// watchDatabase recognises the database for as long as the server runs. While
// it cannot be asked nothing can be written to it either.
func (a *app) watchDatabase(ctx context.Context, st *store.Store, place string, log *slog.Logger) error {
	tick := time.NewTicker(recogniseSoon)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !st.Unsure() && time.Since(last) < recogniseEvery {
			continue
		}
		last = time.Now()
		if err := a.recognise(ctx, st, place, log); err != nil && ctx.Err() == nil {
			log.Warn("the database could not be looked at", "code", fault.CodeOf(err), "err", err)
		}
	}
}
