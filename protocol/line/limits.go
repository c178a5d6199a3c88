package line

import (
	"errors"
	"os"
	"time"

	"pabal/internal/fault"
	"pabal/protocol/machine"
)

// Phase is a part of a session that has limits of its own.
type Phase uint8

// Phases.
const (
	Opening Phase = iota // the session is not open yet
	Between              // no file is under way
	File                 // one is
)

// String is the name of the phase's limits in the configuration.
func (p Phase) String() string { return [...]string{"opening", "between", "file"}[p] }

// Limit is how much a phase may take; a zero is no limit.
type Limit struct {
	Time     time.Duration // from its beginning
	Bytes    int64         // that the peer sends in it
	Mistakes int           // telegrams of the peer that have no place or do not fit
}

// phaseOf a state.
func phaseOf(s machine.State) Phase {
	switch {
	case s <= machine.Judging:
		return Opening
	case s == machine.Sending || s == machine.Receiving:
		return File
	}
	return Between
}

// limits watches over the phase under way.
type limits struct {
	phase  Phase
	begun  bool
	limit  Limit
	since  time.Time
	ends   time.Time // zero = never
	bytes  int64     // that came in it
	wrongs int       // mistakes before it
}

// enter begins a phase if the session is in another than before. A file after
// a file is one.
func (d *driver) enter() {
	p, l := phaseOf(d.session.State()), &d.limits
	if l.begun && p == l.phase {
		return
	}
	*l = limits{phase: p, begun: true, since: d.read, wrongs: d.session.Mistakes()}
	if d.opt.Limits == nil {
		return
	}
	if l.limit = d.opt.Limits(p); l.limit.Time > 0 {
		l.ends = l.since.Add(l.limit.Time)
	}
}

// last is the end of a wait: the earlier of the timer and the end of the phase.
func (d *driver) last() time.Time {
	if ends := d.limits.ends; !ends.IsZero() && (d.deadline.IsZero() || ends.Before(d.deadline)) {
		return ends
	}
	return d.deadline
}

// beyond is what of the phase's limits is used up, nil if nothing is.
func (d *driver) beyond(err error) error {
	l := &d.limits
	switch {
	case l.limit.Mistakes > 0 && d.session.Mistakes()-l.wrongs > l.limit.Mistakes:
		return fault.New(machine.CodeMistakes, "", "mistakes", d.session.Mistakes()-l.wrongs)
	case l.limit.Bytes > 0 && l.bytes > l.limit.Bytes:
		return fault.New(CodePhaseBytes, l.phase.String(), "limit", l.limit.Bytes)
	case !l.ends.IsZero() && errors.Is(err, os.ErrDeadlineExceeded) && !d.read.Before(l.ends):
		return fault.New(CodePhaseTime, l.phase.String(), "limit", l.limit.Time)
	}
	return nil
}
