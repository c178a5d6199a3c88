package line

import (
	"context"
	"errors"

	"pabal/protocol"
	"pabal/protocol/machine"
)

// ask puts the machine's question to the host and makes the answer an event.
func (d *driver) ask(a *machine.Action) machine.Event {
	ev := machine.Event{}
	var err error
	if a.Do != machine.Load {
		d.rest()
	}
	switch a.Do {
	case machine.Expect:
		return d.greet(a.Step)
	case machine.AskOpen:
		var j Judgement
		j, err = d.host.Open(d.ctx, &a.Telegram)
		ev.Kind, ev.Reason, ev.Err = machine.Judged, j.Reason, j.Err
		ev.Terms = j.Terms
	case machine.AskNext:
		ev.Kind = machine.Chosen
		ev.Order, err = d.host.Next(d.ctx)
	case machine.AskFetch:
		var c Counted
		c, err = d.host.Fetch(d.ctx, &a.Telegram)
		ev.Kind, ev.Reason, ev.Count, ev.Total = machine.Counted, c.Reason, c.Count, c.Total
	case machine.AskAccept:
		var acc Acceptance
		acc, err = d.host.Accept(d.ctx, a.Offer)
		ev.Kind, ev.Reason, ev.Resume = machine.Accepted, acc.Reason, acc.Resume
		d.grow()
		if err == nil {
			err = d.unpack(&acc)
		}
	case machine.Load:
		ev.Kind = machine.Loaded
		err = d.load(a)
	case machine.Save:
		ev.Kind = machine.Saved
		ctx, cancel := d.settling()
		err = d.host.Save(ctx, d.pack(a), a.Complete)
		cancel()
		d.grow() // it may have been light in a pause of the peer's
	case machine.MarkEnding:
		ev.Kind = machine.Marked
		ev.More, err = d.host.Ending(d.ctx, a.Outcome.Resent)
	case machine.Verify:
		ev.Kind = machine.Verified
		ev.Reason, err = d.host.Verify(d.ctx, a.Claims)
	case machine.Finish:
		ev.Kind = machine.Finished
		ctx, cancel := d.settling()
		err = d.host.Finish(ctx, a.Outcome)
		cancel()
	case machine.AskInquiry, machine.AskCancel:
		var ans Answer
		ans, err = d.host.Inquire(d.ctx, &a.Telegram)
		ev.Kind, ev.Reason, ev.Finding, ev.Size = machine.Answered, ans.Reason, ans.Finding, ans.Size
	}
	d.look()
	ev.Now = d.now
	if err != nil {
		return machine.Event{Kind: machine.Broke, Now: d.now, Err: err, Reason: protocol.SystemFault,
			Drop: errors.Is(err, ErrDropped)}
	}
	return ev
}

// settling is a context that outlives a stopped session: what a file has come
// to is recorded even while the server shuts down.
func (d *driver) settling() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(d.ctx), d.opt.Settle)
}
