package control

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Words for orders that need a second person, beside the names of the orders.
const (
	ResendAgain = "resend_again" // a resend of what was sent before
	EveryOrder  = "all"
)

// DefaultExpiry is how long a request waits for the second person.
const DefaultExpiry = 24 * time.Hour

// SecondPerson are the words that an institution's list may have.
func SecondPerson() []string {
	return []string{EveryOrder, Hold, Release, Resend, ResendAgain, Cancel, Settle, Inquire, Recall}
}

func (p Peer) needsSecond(o Order) bool {
	return slices.Contains(p.Second, o.Name) ||
		o.Name == Resend && o.Again && slices.Contains(p.Second, ResendAgain) ||
		o.Name != Hold && slices.Contains(p.Second, EveryOrder) // a hold harms nothing and is urgent
}

// Request is an order that waits for a second person, or waited.
type Request struct {
	ID         string          `json:"id"`
	At         time.Time       `json:"at"`
	Expires    time.Time       `json:"expires"`
	Order      string          `json:"order"`
	Options    json.RawMessage `json:"options,omitempty"`
	TransferID string          `json:"transfer"`
	Name       string          `json:"name"` // of the file
	Status     string          `json:"status"`
	Who        string          `json:"who"`
	Login      string          `json:"login,omitempty"`
	Host       string          `json:"host"`
	Reason     string          `json:"reason"`
	State      string          `json:"state"` // pending, approved, rejected, expired
	DecidedBy  string          `json:"decided_by,omitempty"`
	Decided    *time.Time      `json:"decided,omitempty"`
}

// Person is who asked, for people.
func (r *Request) Person() string {
	return transfer.Person{Who: r.Who, Login: r.Login, Host: r.Host}.String()
}

// expired is the state of a request that nobody decided on in time.
const expired = "expired"

// seen is what of a transfer an order rests on, to notice that it has changed
// before the second person agrees. That it was tried again meanwhile, and how
// far that came, is not in it: a transfer of which nobody knows whether it
// arrived would never stand still for long enough.
func seen(t *transfer.Transfer) string {
	kept := struct {
		Status                           transfer.Status
		Error, Digest, Wire, Proofs, Ask string
		Ended                            bool
		EndedAt, Released                int64
		Final                            string
	}{t.Status, "", t.FileDigest, t.WireDigest, t.Proofs, string(t.Ask), t.EndedOnce, 0, 0, t.FinalPath}
	if t.Status == transfer.Held || t.Status == transfer.Failed {
		kept.Error = t.ErrorCode
	}
	if !t.EndedAt.IsZero() {
		kept.EndedAt = t.EndedAt.UnixMicro()
	}
	if !t.ReleasedAt.IsZero() {
		kept.Released = t.ReleasedAt.UnixMicro()
	}
	b, _ := json.Marshal(kept) // texts, numbers and truth values cannot fail
	return string(b)
}

// ask has an order wait for a second person. One that makes no sense is
// refused at once.
func (c *Control) ask(ctx context.Context, now time.Time, t *transfer.Transfer, o Order, by Actor, still func(*transfer.Transfer) error) (*Transfer, error) {
	options, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	r := &transfer.Request{
		ExpiresAt: now.Add(cmp.Or(o.Peers[t.Institution].Expires, DefaultExpiry)), Command: o.Name, Options: string(options), TransferID: t.ID,
		Who: by.Who, Login: by.Login, LoginBy: by.LoginBy, Host: by.Host, Reason: by.Reason,
	}
	err = c.s.Ask(ctx, now, r, func(row *transfer.Transfer) (string, error) {
		t = row
		if err := still(row); err != nil {
			return "", err
		}
		if err := o.possible(row); err != nil {
			return "", err
		}
		after := *row
		return seen(row), Apply(&after, o, now)
	})
	out, err := c.result(t, err)
	if err == nil {
		out.Pending = c.request(r, t)
	}
	return out, err
}

// Approve carries out what another person asked for, if the transfer still
// stands as that person saw it. peers are as in Order.
// Errors: CodeSamePerson, CodeChangedSince, CodeRequestExpired, and those of Do.
func (c *Control) Approve(ctx context.Context, id string, peers map[string]Peer, by Actor) (*Transfer, error) {
	if err := by.justified(store.CommandApprove); err != nil {
		return nil, err
	}
	now := c.now().UTC()
	t, err := c.s.Decide(ctx, now, id, by.Command(store.CommandApprove), func(r *transfer.Request, t *transfer.Transfer) (*transfer.Command, error) {
		o := Order{Name: r.Command, Peers: peers}
		if err := json.Unmarshal([]byte(r.Options), &o); err != nil {
			return nil, fault.New(CodeRequestBroken, r.ID).Because(err)
		}
		switch {
		case by.person().MayBe(r.By()):
			return nil, fault.New(CodeSamePerson, r.ID, "who", by.person(), "by", r.By())
		case !now.Before(r.ExpiresAt):
			return nil, fault.New(CodeRequestExpired, r.ID, "at", r.ExpiresAt.UTC().Format(time.RFC3339))
		case seen(t) != r.Seen:
			return nil, fault.New(CodeChangedSince, r.ID, "name", title(t), "transfer", t.ID, "status", t.Status)
		}
		if err := o.possible(t); err != nil {
			return nil, err
		}
		order := Actor{r.Who, r.Login, r.LoginBy, r.Host, r.Reason}.Command(r.Command)
		return &order, Apply(t, o, now)
	})
	return c.result(t, err)
}

// Reject ends a request without carrying it out. Who asked may do that too.
func (c *Control) Reject(ctx context.Context, id string, by Actor) (*Transfer, error) {
	if err := by.justified(store.CommandReject); err != nil {
		return nil, err
	}
	t, err := c.s.Decide(ctx, c.now().UTC(), id, by.Command(store.CommandReject),
		func(*transfer.Request, *transfer.Transfer) (*transfer.Command, error) { return nil, nil })
	return c.result(t, err)
}

// Requests reads the orders that wait for a second person, or all.
func (c *Control) Requests(ctx context.Context, all bool) ([]*Request, error) {
	f := store.RequestFilter{PendingAt: c.now().UTC(), NewestFirst: true}
	if all {
		f.PendingAt = time.Time{}
	}
	rows, err := c.s.Requests(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]*Request, len(rows))
	for n, r := range rows {
		t, err := c.s.Transfer(ctx, r.TransferID)
		if err != nil {
			return nil, err
		}
		out[n] = c.request(r, t)
	}
	return out, nil
}

func (c *Control) request(r *transfer.Request, t *transfer.Transfer) *Request {
	out := &Request{
		ID: r.ID, At: r.At, Expires: r.ExpiresAt, Order: r.Command, TransferID: r.TransferID, Name: title(t), Status: string(t.Status),
		Who: r.Who, Login: r.Login, Host: r.Host, Reason: r.Reason, State: string(r.State), DecidedBy: r.DecidedBy, Decided: at(r.DecidedAt),
	}
	if r.Options != "{}" {
		out.Options = raw(r.Options)
	}
	if r.State == transfer.Pending && !c.now().Before(r.ExpiresAt) {
		out.State = expired
	}
	return out
}
