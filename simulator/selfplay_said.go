package simulator

import (
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
)

// Lament is what one side of a play says of a session that went wrong.
type Lament struct {
	Side protocol.Side
	Err  error   // how its session ended, or why the file was not taken or given in it
	Last []Heard // the last telegrams on its line, in order
}

// Heard is a telegram as one side of a play saw it. Secrets and data are masked.
type Heard struct {
	Sent bool // by this side
	protocol.Explained
}

// keptTelegrams is how many telegrams a lament shows.
const keptTelegrams = 4

// ear keeps the last telegrams on a line. One session writes it, and it is read
// when that is over.
type ear struct {
	p    *protocol.Profile
	last []overheard
	then []Heard // what was last when a file failed, which need not end a session
}

type overheard struct {
	sent  bool
	frame []byte
}

func (e *ear) keep(sent bool, frame []byte) {
	if len(e.last) == keptTelegrams {
		e.last = slices.Delete(e.last, 0, 1)
	}
	e.last = append(e.last, overheard{sent, slices.Clone(frame)})
}

// Telegram keeps one that is not data.
func (e *ear) Telegram(_ time.Time, outgoing bool, _ *protocol.Telegram, frame []byte, _ error) {
	e.keep(outgoing, frame)
}

// Data keeps a data telegram.
func (e *ear) Data(_ time.Time, outgoing bool, _ *protocol.Telegram, _ int64, _, _ int, frame []byte) {
	e.keep(outgoing, frame)
}

// Bytes are no telegram: what is wrong with them the error says.
func (e *ear) Bytes(time.Time, bool, *protocol.Step, []byte) {}

// Rest says that nothing comes.
func (e *ear) Rest() {}

var _ line.Recorder = (*ear)(nil)

func (e *ear) said() []Heard {
	out := make([]Heard, len(e.last))
	for i, o := range e.last {
		out[i] = Heard{o.sent, e.p.AnyBusiness().Explain(o.frame)}
	}
	return out
}

// event is told what becomes of files.
func (e *ear) event(ev Event) {
	if ev.Kind == Failed && e.then == nil {
		e.then = e.said()
	}
}

// lament is what a side says when a session of it is over; nil where all went well.
func lament(p *Peer, ears *ear, r Report, err error) *Lament {
	last := ears.said()
	for _, ev := range r.Events {
		if ev.Kind == Failed && ev.Err != nil && (err == nil || fault.CodeOf(err) == machine.CodeLost) {
			err, last = ev.Err, ears.then
			break
		}
	}
	if err == nil {
		return nil
	}
	return &Lament{Side: p.opt.Side, Err: err, Last: last}
}

// laments puts those of both sides into an order: who was only left by the other
// comes last, as it knows nothing.
func laments(both ...*Lament) []Lament {
	var out []Lament
	for _, l := range both {
		if l != nil {
			out = append(out, *l)
		}
	}
	left := func(l Lament) int {
		if slices.Contains([]fault.Code{machine.CodeLost, machine.CodeSilent}, fault.CodeOf(l.Err)) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b Lament) int { return left(a) - left(b) })
	return out
}
