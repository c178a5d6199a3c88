package instance

import (
	"context"
	"errors"

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
