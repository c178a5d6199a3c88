package instance

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// orphaned is what becomes of a transfer whose holder can write to it no more:
// its process has died, its instance's lease is over, or its session was ended
// by a newer one. Nobody knows more of it than the row says:
//
//	storing            cut again from the start, at its place
//	stored, waiting    as they are
//	sending            nothing says how far it came: all of it may have
//	                   reached the peer, the end request has not left. One
//	                   whose end was unknown before is again
//	ending             the end request may have left: unknown (design D5)
//	unknown, held      as they are
//	receiving          waits for the peer, who resumes or starts again
//	received, placing  the assemble stage goes on from what the disk shows,
//	                   at its place
func (i *Instance) orphaned(t *transfer.Transfer) error {
	t.SessionID = ""
	switch t.Status {
	case transfer.Sending:
		t.Status, t.NextTry, t.SentBytes = again(t, i.insts[t.Institution]), i.now(), t.WireSize
		note(t, fault.New(CodeInterrupted, t.Name))
	case transfer.Ending:
		t.Status, t.NextTry, t.SentBytes = transfer.Unknown, i.now(), t.WireSize
		note(t, fault.New(CodeInterrupted, t.Name))
	}
	return nil
}

// recover settles what terms that are over have left in hand: former ones of
// this instance, and those of others. A crash in the middle leaves the rest to
// the next look, of whichever instance has it first.
func (i *Instance) recover(ctx context.Context) error {
	orphans, err := i.s.Orphans(ctx)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		t, err := i.s.Reclaim(ctx, i.now(), o.Ref(), i.orphaned)
		if errors.Is(err, store.ErrFenced) {
			continue
		}
		if err != nil {
			return err
		}
		i.log.Info("recovered", "transfer", t.ID, "name", t.Name, "of", o.Owner, "was", string(o.Status), "now", string(t.Status))
	}
	if len(orphans) > 0 {
		i.wake.store.Give()
		i.wake.send.Give()
		i.wake.assemble.Give()
	}
	return nil
}

// expireStep gives up half files that are too old to be gone on with, so that
// nothing waits for ever for a peer that does not come back. In quarantine
// nothing is: what the rows say is not to be relied on, and what stands on the
// disk may be all that is left.
func (i *Instance) expireStep(ctx context.Context) (bool, error) {
	if why, err := i.inQuarantine(ctx); err != nil || why != nil {
		return false, err
	}
	half, err := i.s.List(ctx, store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Receiving}})
	if err != nil {
		return false, err
	}
	for _, t := range half {
		age := 4 * time.Hour
		if inst := i.insts[t.Institution]; inst != nil {
			age = or(inst.ResumeAge, age)
		}
		// One of ours without a session is what an earlier step here left in hand.
		ours := t.Owner == i.o.ID && t.Term == i.term && t.SessionID == ""
		if t.Owner != "" && !ours || i.now().Sub(t.UpdatedAt) < age {
			continue
		}
		r, err := i.takeOver(ctx, t.ID, "", "")
		if err == nil {
			if err = i.abandon(ctx, r); err != nil {
				i.giveUp(r)
			}
		}
		// Another instance may be at the same.
		if err != nil && !errors.Is(err, store.ErrFenced) && fault.CodeOf(err) != store.CodeNotReceiving {
			return false, err
		}
	}
	for _, id := range i.aheads.waiting() { // another instance has built it, or a person has ended it
		if t, err := i.s.Transfer(ctx, id); err == nil && t.Status.Final() {
			i.aheads.forget(id)
		}
	}
	return false, i.discardStaged(ctx)
}

// discardStaged removes what was built for received files that then came to
// another end: a person or the counterparty took them back meanwhile.
func (i *Instance) discardStaged(ctx context.Context) error {
	dir := filepath.Dir(filemgr.StagedPath(i.o.Dirs.Receive, "-"))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // nothing was built yet, or the assemble stage says what is wrong
	}
	for _, e := range entries {
		id, _, _ := strings.Cut(e.Name(), ".")
		t, err := i.s.Transfer(ctx, id)
		if fault.CodeOf(err) == store.CodeNotFound {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err == nil && t.Status.Final() && path != t.PayloadIn { // payload goes by Release
			err = filemgr.DiscardStaged(path)
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
