package instance

import (
	"context"
	"errors"
	"time"

	"pabal/store"
	"pabal/transfer"
)

// strayEvery is how often an instance looks for what it holds and nobody works at.
const strayEvery = 30 * time.Second

// outcomesStep writes what could not be written before, then looks for strays.
func (i *Instance) outcomesStep(ctx context.Context) (bool, error) {
	if _, err := i.settleStep(ctx); err != nil {
		return false, err
	}
	if time.Since(i.strayAt) < strayEvery {
		return false, nil
	}
	i.strayAt = time.Now()
	return false, i.strays(ctx)
}

// strays gives back what this term holds for a session that is not there: its
// line and its transfers. A commit that was done long after its answer was lost,
// or an outcome that the store would not take, leaves such, and what a living
// term holds nobody else may take. A session is known from before its line is
// taken until after everything in its hand was written, or was left to
// settleStep; so the rows are read first, then who is there, and then that
// settleStep, which runs in this very goroutine, has nothing left.
func (i *Instance) strays(ctx context.Context) error {
	lines, err := i.s.Lines(ctx)
	if err != nil {
		return err
	}
	held, err := i.s.Owned(ctx, i.o.ID, i.term)
	if err != nil {
		return err
	}
	there := i.open.known()
	if i.owes() {
		return nil // the next look
	}
	for _, l := range lines {
		if l.Owner != i.o.ID || l.Term != i.term || there[l.SessionID] {
			continue
		}
		i.log.Warn("a line without a session is given back", "institution", l.Institution, "session", l.SessionID)
		sessions, err := i.s.Sessions(ctx, store.SessionFilter{ID: l.SessionID})
		if err != nil {
			return err
		}
		row := &transfer.Session{ID: l.SessionID, Instance: l.Owner}
		if len(sessions) > 0 {
			row = sessions[0]
		}
		row.ClosedAt, row.ErrorCode = i.now(), string(store.CodeSessionCut)
		if err := i.s.CloseSession(ctx, i.now(), l.Term, row); err != nil {
			return err
		}
	}
	for _, t := range held {
		if t.SessionID == "" || there[t.SessionID] || ofStage(t) {
			continue
		}
		_, err := i.s.Change(ctx, i.now(), t.Ref(), func(r *transfer.Transfer) error {
			r.Owner = ""
			return i.orphaned(r)
		})
		if errors.Is(err, store.ErrFenced) {
			continue
		}
		if err != nil {
			return err
		}
		i.log.Warn("a transfer that nobody worked at is given back", "transfer", t.ID, "name", t.Name, "status", string(t.Status))
	}
	return nil
}

// ofStage says that it is stages and not sessions that work on a transfer in
// its status. They settle whatever they claim; what they leave names the session
// of before.
func ofStage(t *transfer.Transfer) bool {
	if t.Direction == transfer.Receive {
		return t.Status != transfer.Receiving
	}
	return t.Status == transfer.Storing
}

// owes reports that outcomes wait for the store.
func (i *Instance) owes() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.unsettled) > 0
}
