package instance

import (
	"context"
	"errors"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// What happens while the store is away (design D5): no positive answer leaves,
// a session holds its reply up to a limit, and what was written without our
// knowing is read again before anything rests on it.

// holdStep is the wait between two tries while an answer is held back.
const holdStep = 200 * time.Millisecond

// hold does f, whose success is a positive answer to the counterparty. While
// the store is away it tries again, up to the institution's limit; then the
// error ends the session with "system fault".
func (s *session) hold(ctx context.Context, what string, f func() error) error {
	limit := time.NewTimer(s.storeWait())
	defer limit.Stop()
	for told := false; ; told = true {
		err := f()
		if err == nil || !store.Away(err) {
			return err
		}
		if !told {
			s.log.Warn("the store is away, the answer waits", "answer", what, "at_most", s.storeWait(), "err", err)
		}
		again := time.NewTimer(holdStep)
		select {
		case <-again.C:
		case <-limit.C:
			again.Stop()
			s.log.Error("the store was away for too long, the counterparty is told of a fault", "answer", what, "err", err)
			return err
		case <-ctx.Done():
			again.Stop()
			return err
		}
	}
}

// relyOnStore notes that what this session remembers of a file rests on the
// connections that there are now.
func (s *session) relyOnStore() { s.relies, s.losses = true, s.s.Losses() }

// lostStore cuts the session when a connection to the store broke since it
// began to rely on it: a server that took over may not hold what was confirmed.
// Cut, it is resumed from what the store holds (design D2).
func (s *session) lostStore(name string) error {
	if !s.relies || s.s.Losses() == s.losses {
		return nil
	}
	err := fault.New(CodeStoreLost, name)
	s.cut(err)
	return err
}

// claim is the store's. Rows of a claim that nobody knows to have happened are
// given back as soon as the store answers: nobody works on them.
func (i *Instance) claim(ctx context.Context, q store.ClaimQuery) ([]*transfer.Transfer, error) {
	got, err := i.s.Claim(ctx, i.now(), q)
	if err != nil {
		for _, t := range got {
			i.giveUp(t)
		}
		return nil, err
	}
	return got, nil
}

// takeOver is the store's, see claim.
func (i *Instance) takeOver(ctx context.Context, id, sessionID, place string) (*transfer.Transfer, error) {
	t, err := i.s.TakeOver(ctx, i.now(), id, i.o.ID, i.term, sessionID, place)
	if err != nil && t != nil {
		i.giveUp(t)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// giveUp has a row that we may hold without working on it given back. If we do
// not hold it, or there is none, that is as good. A process that dies before
// leaves it to its successor, who settles all that an earlier term held.
func (i *Instance) giveUp(t *transfer.Transfer) {
	ref := t.Ref()
	i.later(func(ctx context.Context) error {
		_, err := i.s.Change(ctx, i.now(), ref, func(r *transfer.Transfer) error {
			r.Owner, r.SessionID = "", ""
			if r.Status == transfer.Sending { // it never came to a line
				r.Status, r.NextTry = transfer.Waiting, i.now()
			}
			return nil
		})
		if errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// ownOutcome reads a row again that a write of ours may have settled without
// our knowing. It is ours if nobody has taken it since: only its holder can
// give a row up without raising the attempt.
func (i *Instance) ownOutcome(ctx context.Context, ref transfer.Ref) (*transfer.Transfer, error) {
	r, err := i.s.Transfer(ctx, ref.ID)
	if err != nil {
		return nil, err
	}
	if r.Owner == "" && r.Term == ref.Term && r.Attempt == ref.Attempt {
		return r, nil
	}
	return nil, store.ErrFenced
}

// safe makes text from a counterparty fit for every store: one that is not
// UTF-8 or has a NUL in it equals nothing that we know, and stays readable.
func safe(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "�"), "�")
}
