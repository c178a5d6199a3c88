package store

import (
	"context"
	"errors"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// postgresDialogue is what a transaction must say here: many write at once, so
// what is read in order to be changed is locked.
func postgresDialogue() dialect {
	return dialect{
		lockRow:    " FOR UPDATE",
		skipLocked: " FOR UPDATE SKIP LOCKED",
		shareRow:   " FOR SHARE",
		returning:  " RETURNING id",
		shareTerm:  "SELECT pg_advisory_xact_lock_shared($1)",
		takeTerm:   "SELECT pg_advisory_xact_lock($1)",
	}
}

const (
	// postgresRuns is how often a write is run in all when it met another one
	// or its connection broke.
	postgresRuns = 4
	// postgresGrace is how much longer than the server's own limits a
	// transaction may take before we give the connection up.
	postgresGrace = 2 * time.Second
	// settleStep is the wait between attempts to read again.
	settleStep = 50 * time.Millisecond
)

// errCommitLost is a commit whose answer did not come.
var errCommitLost = errors.New("store: the answer to the commit was lost")

// write runs f in transactions of its own until one is committed. A failure
// before the commit leaves nothing, so what was nobody's fault is simply run
// again. When the answer to a commit is lost, the row that the write changed
// is read on a new connection: it tells whether the write is there, and if it
// is not the write is run again. A write that changes no row beside its time
// can be run again in any case: blocks are stored by number, and settings by
// name. Only an entry of history could then be there twice.
func (e *postgres) write(ctx context.Context, _ int64, f func(*tx) error) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.busyWG.Done()
	// Waiting for a synchronous standby that is gone ends with the first run's
	// limit, not with that of each.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.busy+postgresGrace)
	defer cancel()
	var doubt error // the last lost answer of which nobody knows what became of it
	var err error
	for range postgresRuns {
		var t *tx
		t, err = e.run(ctx, doubt != nil, f)
		if err == nil {
			e.tellOf(t)
			return nil
		}
		switch {
		case errors.Is(err, errCommitLost):
			written, known := e.settle(ctx, t)
			if !known {
				return fault.New(CodeCommitUnknown, e.label).Because(err)
			}
			if written {
				e.findEvents(ctx, t.written)
				e.tellOf(t)
				return nil
			}
			// Without a proof it may be there all the same.
			if t.proof == nil {
				doubt = err
			}
			if within.Err() == nil {
				continue
			}
		case ctx.Err() == nil && lostConnection(err):
			e.forget()
			continue
		case metAnother(err):
			continue
		}
		break
	}
	if errors.Is(err, errCommitLost) || doubt != nil && Away(e.translate(err)) {
		return fault.New(CodeCommitUnknown, e.label).Because(err)
	}
	return err
}

// run is one transaction. After it has begun the caller's context counts no
// more, but it does not take longer than the limits for locks allow.
func (e *postgres) run(ctx context.Context, again bool, f func(*tx) error) (*tx, error) {
	select {
	case e.writing <- struct{}{}:
		defer func() { <-e.writing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.busy+postgresGrace)
	defer cancel()
	p := newPipeline(limit, conn.Conn(), e.cached.hear)
	defer p.rollback() // of what was not committed, also when f does not return
	t := &tx{pipe: p, limit: limit, dialect: postgresDialogue(), again: again}
	if err = f(t); err == nil {
		err = limit.Err()
	}
	sent := false
	if err == nil {
		sent, err = p.commit()
	}
	switch {
	case sent && err != nil && commitUnknown(err):
		err = errors.Join(errCommitLost, err)
	case sent && err == nil && committedAlone(conn.Conn()):
		err = errCommitLost
	case err != nil && limit.Err() != nil && fault.As(err) == nil:
		err = fault.New(CodeBusy, e.label).Because(err)
	}
	return t, err
}

// findEvents fills in the ids of events whose commit was not answered, because
// the ids come with that answer. Those that cannot be found now have none.
func (e *postgres) findEvents(ctx context.Context, written []Written) {
	for n := range written {
		w := &written[n].Event
		if written[n].Instance != "" || w.ID != 0 {
			continue
		}
		_, _ = scanOne(e.cached, context.WithoutCancel(ctx), []any{&w.ID}, `SELECT id FROM events WHERE transfer_id = $1 AND at = $2
			AND kind = $3 AND from_status = $4 AND to_status = $5 AND session_id = $6 ORDER BY id DESC LIMIT 1`,
			w.TransferID, toMicros(w.At), w.Kind, string(w.From), string(w.To), w.SessionID)
	}
}

// settle finds out what became of a commit. The lost transaction holds the row
// until it has ended, so reading it with a lock gives an answer that stays. The
// lock is a write of its own: its commit waits for a synchronous standby, behind
// the lost one. So a row that only this server has, and would lose with its
// disk, is not taken for written.
// It goes on trying for as long as a write waits for others.
func (e *postgres) settle(ctx context.Context, lost *tx) (written, known bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.busy)
	defer cancel()
	e.forget()
	for {
		var row *transfer.Transfer
		_, err := e.run(ctx, false, func(t *tx) (err error) {
			if lost.proof == nil {
				_, err = t.exec("SELECT 1")
				return err
			}
			row, err = t.transfer(lost.proof.after.ID)
			return err
		})
		switch {
		case err == nil && lost.proof == nil:
			return false, true
		case err == nil:
			return lost.proof.judge(*row)
		case !lostConnection(err) && !metAnother(err):
			return false, false
		}
		select {
		case <-ctx.Done():
			return false, false
		case <-time.After(settleStep):
		}
	}
}
