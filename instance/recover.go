package instance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// recover settles what a former process of this instance left in hand. What
// each status means after a crash:
//
//	storing            cut again from the start
//	stored, waiting    as they are
//	sending            nothing says how far it came: all of it may have
//	                   reached the peer, the end request has not left
//	ending             the end request may have left: unknown (design D5)
//	unknown, held      as they are
//	receiving          waits for the peer, who resumes or starts again
//	received, placing  the assemble stage goes on from what the disk shows
func (i *Instance) recover(ctx context.Context) error {
	orphans, err := i.s.Orphans(ctx, i.o.ID, i.term)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		now := i.now()
		t, err := i.s.Reclaim(ctx, now, i.o.ID, i.term, o.ID, func(t *transfer.Transfer) error {
			t.Owner, t.SessionID = "", ""
			switch t.Status {
			case transfer.Sending:
				t.Status, t.NextTry, t.SentBytes = transfer.Waiting, now, t.WireSize
				note(t, fault.New(CodeInterrupted, t.Name))
			case transfer.Ending:
				t.Status, t.NextTry, t.SentBytes = transfer.Unknown, now, t.WireSize
				note(t, fault.New(CodeInterrupted, t.Name))
			}
			return nil
		})
		if errors.Is(err, store.ErrFenced) {
			continue
		}
		if err != nil {
			return err
		}
		i.log.Info("recovered", "transfer", t.ID, "name", t.Name, "was", string(o.Status), "now", string(t.Status))
	}
	return nil
}

// expireStep gives up half files that are too old to be gone on with, so that
// nothing waits for ever for a peer that does not come back.
func (i *Instance) expireStep(ctx context.Context) (bool, error) {
	half, err := i.s.List(ctx, store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Receiving}, Place: i.o.Place})
	if err != nil {
		return false, err
	}
	for _, t := range half {
		age := 4 * time.Hour
		if inst := i.insts[t.Institution]; inst != nil {
			age = or(inst.ResumeAge, age)
		}
		if t.Owner != "" || i.now().Sub(t.UpdatedAt) < age {
			continue
		}
		r, err := i.s.TakeOver(ctx, i.now(), t.ID, i.o.ID, i.term, "")
		if err == nil {
			err = i.abandon(ctx, r)
		}
		if err != nil && !errors.Is(err, store.ErrFenced) {
			return false, err
		}
	}
	return false, i.discardStaged(ctx)
}

// discardStaged removes what was built for received files that then came to
// another end: a person or the counterparty took them back meanwhile.
func (i *Instance) discardStaged(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Dir(filemgr.StagedPath(i.o.Dirs.Receive, "-")))
	if err != nil {
		return nil // nothing was built yet, or the assemble stage says what is wrong
	}
	for _, e := range entries {
		t, err := i.s.Transfer(ctx, e.Name())
		if fault.CodeOf(err) == store.CodeNotFound {
			continue
		}
		if err == nil && t.Status.Final() {
			err = filemgr.Discard(i.o.Dirs.Receive, t.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// abandon ends a half file; what came of it stays until retention takes it.
func (i *Instance) abandon(ctx context.Context, t *transfer.Transfer) error {
	now := i.now()
	t, err := i.s.Change(ctx, now, t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner, r.EndedAt = transfer.Abandoned, "", now
		note(r, fault.New(CodeSuperseded, r.WireName))
		return nil
	})
	if err != nil {
		return err
	}
	i.log.Info("partial file given up", "transfer", t.ID, "wire_name", t.WireName)
	return nil
}
