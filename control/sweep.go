package control

import (
	"context"
	"slices"
	"strings"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Pick chooses transfers: by what the store can be asked for, and held ones by
// what holds them.
type Pick struct {
	store.Filter
	HeldBy string // HeldByQuarantine, HeldByPerson, or a code such as instance.same_name; "" = whatever
}

// What may hold a transfer, beside the codes of failures.
const (
	HeldByQuarantine = "quarantine" // of a restored database, also after its end
	HeldByPerson     = "person"     // an order, and nothing is wrong
)

// Check refuses what cannot be chosen by. Errors: CodeHeldByUnknown (arg known),
// CodeHeldByStatus.
func (c *Control) Check(p Pick) error {
	switch {
	case p.HeldBy == "":
		return nil
	case p.HeldBy != HeldByQuarantine && p.HeldBy != HeldByPerson && (!strings.Contains(p.HeldBy, ".") || !slices.Contains(c.cat.Codes(), fault.Code(p.HeldBy))):
		return fault.New(CodeHeldByUnknown, p.HeldBy)
	case len(p.Statuses) > 0 && !slices.Equal(p.Statuses, []transfer.Status{transfer.Held}):
		return fault.New(CodeHeldByStatus, string(p.Statuses[0]))
	}
	return nil
}

// holds reports that a held transfer is held by that.
func holds(t *transfer.Transfer, by string) bool {
	switch by {
	case "":
		return true
	case HeldByQuarantine:
		return t.HeldFrom != "" || t.ErrorCode == string(CodeRecovered) || t.ErrorCode == string(CodeEntered)
	case HeldByPerson:
		return t.HeldFrom == "" && t.ErrorCode == ""
	}
	return t.ErrorCode == by
}

// picked reads what is chosen. Of the held ones all are looked at: there are no
// more of them than people have left.
func (c *Control) picked(ctx context.Context, p Pick) ([]*transfer.Transfer, error) {
	if err := c.Check(p); err != nil || p.HeldBy == "" {
		if err != nil {
			return nil, err
		}
		return c.s.List(ctx, p.Filter)
	}
	f := p.Filter
	f.Statuses, f.Limit = []transfer.Status{transfer.Held}, 0
	list, err := c.s.List(ctx, f)
	list = slices.DeleteFunc(list, func(t *transfer.Transfer) bool { return !holds(t, p.HeldBy) })
	if p.Limit > 0 && len(list) > p.Limit {
		list = list[:p.Limit]
	}
	return list, err
}

// Prospect is a transfer that an order would be given to, and what would come
// of it.
type Prospect struct {
	*Transfer
	Becomes     string   `json:"becomes,omitempty"` // "" where it is refused
	BecomesText string   `json:"becomes_text,omitempty"`
	Second      bool     `json:"second_person,omitempty"` // another person must agree first
	Refused     *Failure `json:"refused,omitempty"`
	seen        string
}

// Prospects says what an order would do to all that is chosen, and changes
// nothing. Errors: those of Check; of a quarantine that is not compared yet,
// as the order itself has them; those of the store.
func (c *Control) Prospects(ctx context.Context, p Pick, o Order) ([]*Prospect, error) {
	list, err := c.picked(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := c.compared(ctx, o); err != nil {
		_, err := c.result(nil, err)
		return nil, err
	}
	now := c.now().UTC()
	out := make([]*Prospect, len(list))
	for n, t := range list {
		one := &Prospect{Transfer: c.view(t), Second: o.Peers[t.Institution].needsSecond(o), seen: seen(t)}
		after := *t
		err := o.possible(t)
		if err == nil {
			err = Apply(&after, o, now)
		}
		if err != nil {
			one.Refused = c.told(fault.As(err))
		} else {
			one.Becomes, one.BecomesText = string(after.Status), c.cat.Status(c.lang, string(after.Status))
		}
		out[n] = one
	}
	return out, nil
}

// DoAsSeen gives an order as Do does, if the transfer still stands as it was
// looked at: who orders for many has not seen what came of one meanwhile.
// Errors: CodeMovedSince, and those of Do.
func (c *Control) DoAsSeen(ctx context.Context, p *Prospect, o Order, by Actor) (*Transfer, error) {
	return c.do(ctx, p.ID, o, by, func(t *transfer.Transfer) error {
		if seen(t) != p.seen {
			return fault.New(CodeMovedSince, t.ID, "name", title(t), "status", string(t.Status))
		}
		return nil
	})
}
