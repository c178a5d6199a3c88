// Package control holds what an operator asks and orders. The command line and
// the console use it alike, so both show the same and obey the same rules.
//
// Orders work beside the running server, from any shell of the host: each is
// one short transaction that changes the row and writes who, when and why
// (design §2, D4). What an order does to a transfer is a pure function of the
// row; see orders.go.
package control

import (
	"context"
	"strings"
	"time"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Control asks and orders on one database, in one language.
type Control struct {
	s    *store.Store
	cat  *catalog.Catalog
	lang catalog.Lang
	now  func() time.Time
	here string // the place of this process; "" where it is not known
}

// At is a Control that knows at which place it asks. The instances of that
// place write down when they beat by the same clock.
func (c *Control) At(place string) *Control {
	there := *c
	there.here = place
	return &there
}

// New makes a Control. now is the clock, nil = time.Now.
func New(s *store.Store, cat *catalog.Catalog, lang catalog.Lang, now func() time.Time) *Control {
	if now == nil {
		now = time.Now
	}
	return &Control{s: s, cat: cat, lang: lang, now: now}
}

// Actor is who gives an order. Reason may be empty only for a hold, which can
// always be taken back.
type Actor struct {
	Who     string // OS user, see transfer.Person
	Login   string
	LoginBy string
	Host    string
	Reason  string
}

func (a Actor) person() transfer.Person {
	return transfer.Person{Who: a.Who, Login: a.Login, LoginBy: a.LoginBy, Host: a.Host}
}

// Command is the row of something that this person does.
func (a Actor) Command(name string) transfer.Command {
	return transfer.Command{Name: name, Who: a.Who, Login: a.Login, LoginBy: a.LoginBy, Host: a.Host, Reason: a.Reason}
}

// justified refuses an order without a reason.
func (a Actor) justified(order string) error {
	if strings.TrimSpace(a.Reason) == "" {
		return fault.New(CodeReasonMissing, order)
	}
	return nil
}

// Order is an operator's command over one transfer.
type Order struct {
	Name  string `json:"-"`               // hold, release, resend, cancel, settle, inquire, recall
	Again bool   `json:"again,omitempty"` // resend: also what was sent before
	As    string `json:"as,omitempty"`    // settle: AsArrived or AsNotArrived
	// FromBlock, for resend, is the first block that the counterparty does not
	// hold; 0 = nothing is known. From 1.
	FromBlock int64 `json:"from_block,omitempty"`

	// Peers says of each institution what it can be asked; inquire and recall
	// need it. It comes from the configuration, which this package does not read.
	Peers map[string]Peer `json:"-"`
}

// Peer is what a counterparty can be asked about a file that we sent, and
// which orders about its files need a second person.
type Peer struct {
	Profile string
	Inquire bool // 파일조회
	Recall  bool // 파일 취소/초기화
	Resumes bool // a file that was cut goes on where the counterparty says
	Settles bool // an unknown end is settled by announcing the file again (design D5)

	Second  []string      // orders that another person must agree to: names, ResendAgain, or EveryOrder
	Expires time.Duration // how long they have for it; 0 = DefaultExpiry
}

// Names of the orders, as they stand in the table of commands.
const (
	Hold    = "hold"
	Release = "release"
	Resend  = "resend"
	Cancel  = "cancel"
	Settle  = "settle"
	Inquire = string(transfer.AskStatus)
	Recall  = string(transfer.AskRecall)
)

// What a person can settle an unknown end as.
const (
	AsArrived    = "arrived"
	AsNotArrived = "not-arrived"
)

// Do gives an order. id may be what Find takes. The result is the transfer
// after it; where another person must agree first, it is the transfer as it
// stands, with the request that was made. Errors: those of Find; those of this
// package, which say why the order makes no sense for a transfer as it stands;
// those of the store.
func (c *Control) Do(ctx context.Context, id string, o Order, by Actor) (*Transfer, error) {
	return c.do(ctx, id, o, by, func(*transfer.Transfer) error { return nil })
}

// do is Do with a condition that the row must meet when the order is given.
func (c *Control) do(ctx context.Context, id string, o Order, by Actor, still func(*transfer.Transfer) error) (*Transfer, error) {
	if o.Name != Hold {
		if err := by.justified(o.Name); err != nil {
			return nil, err
		}
	}
	t, err := c.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := c.compared(ctx, o); err != nil {
		_, err := c.result(nil, err)
		return nil, err
	}
	now := c.now().UTC()
	if o.Peers[t.Institution].needsSecond(o) {
		return c.ask(ctx, now, t, o, by, still)
	}
	command := by.Command(o.Name)
	command.TransferID = t.ID
	t, err = c.s.Command(ctx, now, command, func(t *transfer.Transfer) error {
		if err := still(t); err != nil {
			return err
		}
		if err := o.possible(t); err != nil {
			return err
		}
		return Apply(t, o, now)
	})
	return c.result(t, err)
}

// result is what an order gives: the transfer, or why not, in words.
func (c *Control) result(t *transfer.Transfer, err error) (*Transfer, error) {
	if e := fault.As(err); e != nil {
		return nil, c.inWords(e)
	}
	if err != nil {
		return nil, err
	}
	return c.view(t), nil
}

// Find reads the transfer that an operator means: by its id or any beginning
// of it that only one has, else by a wire name or file name that only one has.
// Errors: store.CodeNotFound, store.CodeAmbiguous, CodeWhichOne (arg ids).
func (c *Control) Find(ctx context.Context, text string) (*transfer.Transfer, error) {
	t, err := c.s.Find(ctx, text)
	if fault.CodeOf(err) != store.CodeNotFound || text == "" {
		return t, err
	}
	notFound := err
	found := map[string]*transfer.Transfer{}
	for _, f := range []store.Filter{{WireName: text}, {Name: text}} {
		f.Limit, f.NewestFirst = 6, true
		list, err := c.s.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			found[t.ID] = t
		}
	}
	switch len(found) {
	case 0:
		return nil, notFound
	case 1:
		for _, t := range found {
			return t, nil
		}
	}
	return nil, fault.New(CodeWhichOne, text, "ids", newest(found))
}
