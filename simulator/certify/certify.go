// Package certify walks a counterparty through the procedure of its profile,
// each step with a variation of what can happen on a line, and judges its
// answers by the documents: not by whether our side could live with them.
//
// What goes wrong on the line is done by the faults of package simulator. A
// step is judged by the telegrams that a Peer of that package says and hears.
package certify

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
)

// Options say who is walked through.
type Options struct {
	Peer simulator.Options // who we are: profile, part, codes, password, waits
	// Address is where the counterparty listens; "" = it calls us, and Accept
	// waits for it.
	Address string
	Accept  func(ctx context.Context) (net.Conn, error)
	// Wait is how long each call is waited for; 0 = for ever. After one that does
	// not come nothing is tried any more.
	Wait time.Duration
	Dir  string // for our files; empty
	// Name is the name of the nth file that it takes, from 1, as the folder of a
	// Peer has it (simulator.Options.GiveDir); Wrong one that it must refuse.
	Name  func(n int) string
	Wrong string
	Give  bool       // the steps in which we give
	Fetch bool       // … in which we take what it has
	Tell  func(Step) // each step when it is over; nil = nobody
}

// Verdict of a step.
type Verdict string

const (
	Right  Verdict = "right"
	Wrong  Verdict = "wrong"
	Unseen Verdict = "unseen" // it could not be tried
)

// Step is one variation and how the counterparty did.
type Step struct {
	Name     string        `json:"step"`
	Section  string        `json:"section"` // of the document that it is judged by
	Verdict  Verdict       `json:"verdict"`
	Mistake  *fault.Error  `json:"-"`
	Telegram []Said        `json:"telegrams"`
	Took     time.Duration `json:"-"`
}

// Said is a telegram of a step, without its data and passwords.
type Said struct {
	Ours     bool   `json:"ours"`
	Kind     string `json:"kind"`
	File     string `json:"file,omitempty"`
	Block    int64  `json:"block,omitempty"`
	Sequence int    `json:"sequence,omitempty"`
	Size     int64  `json:"size,omitempty"`
	Missing  int64  `json:"missing,omitempty"`
	Map      string `json:"map,omitempty"`
	Response string `json:"response,omitempty"`
	Finding  string `json:"finding,omitempty"` // of an answer to an inquiry or a cancellation

	kind    protocol.Kind
	meaning protocol.Reason
	lost    []int // an answer to a check: the sequences that it says are missing
	held    int64 // an answer to an announcement: the bytes that it says are held
	session int
}

// Walk takes the steps one after the other. An error is that of this machine;
// what the counterparty does is in the steps.
func Walk(ctx context.Context, o Options) ([]Step, error) {
	w := &walk{o: o, p: o.Peer.Profile}
	// Small telegrams: a few kilobytes have several blocks.
	w.o.Peer.MessageSize = w.p.Files.MessageSize - max(0, w.p.MaxData(w.p.Files.MessageSize)-dataBytes)
	w.o.Peer.Packing = "filled"
	if r := &w.o.Peer.Reply; *r > 0 { // our own lateness must not end a session
		*r = max(*r, 2*latePause)
	}
	l, err := w.o.Peer.DataSize()
	if err != nil {
		return nil, err
	}
	w.size, w.block = int64(l), int64(l*w.p.Files.PerBlock)
	var plans []plan
	if o.Give {
		plans = append(plans, givings(w.p.Files.PerBlock)...)
	}
	if o.Fetch {
		plans = append(plans, fetches()...)
	}
	var out []Step
	for n := range plans {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		began := time.Now()
		st, err := w.step(ctx, &plans[n])
		if err != nil {
			return out, err
		}
		st.Took = time.Since(began)
		out = append(out, st)
		if o.Tell != nil {
			o.Tell(st)
		}
	}
	return out, nil
}

// dataBytes is how many bytes of a file a telegram of ours carries, as far as
// the profile lets us choose.
const dataBytes = 100

type walk struct {
	o           Options
	p           *protocol.Profile
	size, block int64 // data bytes of a telegram, of a block
	files       int   // names used
	last        string
	silent      bool // a call has not come
}

// try is what a step does, and what it has heard.
type try struct {
	w        *walk
	plan     *plan
	dir      string
	gifts    []gift
	mu       sync.Mutex
	said     []Said
	sessions int
	events   []simulator.Event
	ends     []error
	asked    []simulator.Question
}

type gift struct {
	name string
	size int64
}

func (w *walk) step(ctx context.Context, pl *plan) (Step, error) {
	st := Step{Name: pl.name, Section: pl.section, Verdict: Unseen}
	if pl.applies != nil && !pl.applies(w) || pl.wrongName && w.o.Wrong == "" || w.silent {
		return st, nil
	}
	t := &try{w: w, plan: pl, dir: filepath.Join(w.o.Dir, pl.name)}
	if err := t.run(ctx); err != nil {
		switch fault.CodeOf(err) {
		case CodeUnreached:
		case CodeNoCall:
			w.silent = true
		default:
			return st, err
		}
		st.Verdict, st.Mistake, st.Telegram = Wrong, fault.As(err), t.said
		return st, nil
	}
	st.Telegram = t.said
	if pl.fetch && t.nothing() {
		return st, nil
	}
	st.Verdict = Right
	if e := t.judge(); e != nil {
		st.Verdict, st.Mistake = Wrong, e
	}
	return st, nil
}

// run holds the sessions of a step.
func (t *try) run(ctx context.Context) error {
	w, pl := t.w, t.plan
	give, take := filepath.Join(t.dir, "give"), filepath.Join(t.dir, "take")
	if err := os.MkdirAll(give, 0o750); err != nil {
		return err
	}
	if pl.gifts != nil {
		t.gifts = pl.gifts(w)
	}
	for _, g := range t.gifts {
		content := []byte(strings.Repeat(g.name+" 0123456789", int(g.size)/11+1))[:g.size] // the same whenever it comes
		if err := os.WriteFile(filepath.Join(give, g.name), content, 0o600); err != nil {
			return err
		}
	}
	o := w.o.Peer
	if !pl.fetch {
		o.GiveDir = give
	} else {
		o.TakeDir = take
	}
	if pl.password != "" {
		o.Password = pl.password
	}
	faults, err := simulator.ParseFaults(pl.faults)
	if err != nil {
		return err
	}
	faults.Answers = append(faults.Answers, pl.answers...)
	o.Faults = faults
	var apart []simulator.Question
	sessions := max(1, pl.sessions)
	if pl.asks != protocol.NoKind {
		o.Ask = t.questions(pl.asks)
	}
	if w.oneFile() { // nothing follows a file, so each further thing has a session of its own
		sessions *= max(1, len(t.gifts))
		apart, o.Ask = o.Ask, nil
	}
	o.Trace = t.heard
	o.Observe = func(e simulator.Event) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.events = append(t.events, e)
	}
	if err := t.holds(ctx, o, sessions); err != nil {
		return err
	}
	for _, q := range apart {
		o.Ask = []simulator.Question{q}
		if err := t.holds(ctx, o, 1); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// holds are some sessions of a step as one counterparty.
func (t *try) holds(ctx context.Context, o simulator.Options, sessions int) error {
	peer, err := simulator.New(o)
	if err != nil {
		return err
	}
	for range sessions {
		t.sessions++
		err := t.hold(ctx, peer)
		if ctx.Err() != nil { // we were stopped: that is nobody's mistake
			return ctx.Err()
		}
		switch fault.CodeOf(err) {
		case simulator.CodeAddress:
			return fault.New(CodeUnreached, t.plan.name).Because(err)
		case CodeNoCall:
			return err
		}
		t.ends = append(t.ends, err)
	}
	return nil
}

// oneFile: a session carries one file of ours.
func (w *walk) oneFile() bool { return w.p.OneFile(w.o.Peer.Side == protocol.CentreSide) }

// hold is one session of a step.
func (t *try) hold(ctx context.Context, peer *simulator.Peer) error {
	o := &t.w.o
	if o.Address != "" {
		_, err := peer.Call(ctx, o.Address, t.plan.fetch)
		return err
	}
	waits, over := ctx, func() {}
	if o.Wait > 0 {
		waits, over = context.WithTimeout(ctx, o.Wait)
	}
	conn, err := o.Accept(waits)
	over()
	if err != nil && ctx.Err() == nil && waits.Err() != nil {
		return fault.New(CodeNoCall, t.plan.name, "limit", o.Wait)
	}
	if err != nil {
		return fault.New(simulator.CodeAddress, t.plan.name).Because(err)
	}
	_, err = peer.Welcome(ctx, conn, t.plan.fetch)
	return err
}

// heard keeps a telegram.
func (t *try) heard(ours bool, tg *protocol.Telegram, _ []byte) {
	p := t.w.p
	s := Said{Ours: ours, Kind: tg.Kind.String(), kind: tg.Kind, session: t.sessions,
		File: tg.Text(protocol.Name), Size: tg.Number(protocol.Size), Response: tg.Text(protocol.Response)}
	s.meaning = p.Meaning(s.Response)
	if tg.Kind == protocol.InfoReply {
		switch p.Files.ResumeBy {
		case protocol.ResumeBytes:
			s.held = tg.Number(p.HeldRow())
		case protocol.ResumeNext, protocol.ResumeLast:
			s.held = (p.NextBlock(tg) - 1) * t.w.block
		}
	}
	if tg.Kind == protocol.Check || tg.Kind == protocol.CheckReply {
		s.Block, s.Sequence = p.Place(tg)
		s.Missing = tg.Number(protocol.Missing)
		if tg.Kind == protocol.CheckReply {
			s.Map = tg.Text(protocol.Map)
			s.lost = missing(p, tg, s.Block, s.Sequence)
		}
	}
	switch tg.Kind {
	case protocol.Inquiry, protocol.Cancel, protocol.InquiryReply, protocol.CancelReply:
		s.File = cmp.Or(s.File, tg.Text(protocol.QueryName))
		if !ours {
			var found protocol.Finding
			s.Response, found = p.Found(tg)
			s.Finding = string(found)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, s)
}

// nothing reports that the counterparty had no file for us.
func (t *try) nothing() bool {
	for _, s := range t.said {
		if !s.Ours && s.kind == protocol.FetchReply && s.meaning == protocol.Nothing {
			break
		}
		if !s.Ours && (s.kind == protocol.Info || s.kind == protocol.Check || s.kind == protocol.End || s.kind == protocol.EndMore) {
			return false
		}
	}
	return errors.Join(t.ends...) == nil
}
