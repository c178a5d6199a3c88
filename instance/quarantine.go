package instance

import (
	"context"

	"pabal/internal/fault"
	"pabal/store"
)

// inQuarantine asks the database, which any host may have put into quarantine.
func (i *Instance) inQuarantine(ctx context.Context) (*fault.Error, error) {
	q, err := i.s.Quarantine(ctx)
	if err != nil || q == nil {
		return nil, err
	}
	return fault.New(store.CodeQuarantined, i.o.ID, "since", q.Since.In(i.o.Zone).Format("2006-01-02 15:04:05")), nil
}

// trusted says why what the rows say is not to be told to anybody. It is for a
// session that was open when the quarantine began, until quarantineStep cuts it.
func (i *Instance) trusted(ctx context.Context) error {
	why, err := i.inQuarantine(ctx)
	if err == nil && why != nil {
		err = why
	}
	return err
}

// quarantineStep notices that a quarantine has begun or ended. When one has
// begun the sessions are cut: what they held was taken from them in the
// database already, and nothing is to be answered for any more. The stages
// stand still meanwhile; a claim would find nothing in any case.
func (i *Instance) quarantineStep(ctx context.Context) (bool, error) {
	why, err := i.inQuarantine(ctx)
	if err != nil {
		return false, err
	}
	switch was := i.quarantine.Swap(why != nil); {
	case why != nil && !was:
		i.log.Error("the database is in quarantine: nothing is sent or received", "code", why.Code, "next", "pabal recover")
		for _, id := range i.open.ids() {
			i.open.cut(id, why)
		}
	case why == nil && was:
		i.log.Info("the quarantine is over")
	}
	return false, nil
}

// worksInQuarantine are the stages that carry no file.
func worksInQuarantine(stage string) bool {
	return stage == "quarantine" || stage == "observe" || stage == "settle" || stage == "lines"
}
