package machine

import (
	"pabal/internal/fault"
	"pabal/protocol"
)

// end: the sender says that the file is whole, or that it gives it up.
func (r *receiver) end(t *protocol.Telegram) {
	r.buf = r.request.Keep(t, r.buf)
	switch {
	case r.state == refusing:
		reason := r.refusal
		if reason == protocol.Complete {
			reason = protocol.OK
		}
		r.answerEnd(reason)
	case r.p.Meaning(t.Text(protocol.Response)) != protocol.OK:
		a := r.add(Finish)
		a.Outcome = Outcome{Result: GivenUpByPeer, Response: t.Text(protocol.Response), Missed: r.missed,
			Err: fault.New(CodeGivenUp, r.offer.Name, "code", t.Text(protocol.Response))}
		r.state = givingUp
	case r.held.Count() > 0:
		// A block without a check of its own: durable before it counts.
		r.save(r.held.Last(), r.held.MissingUpTo(r.held.Last()) == 0)
		r.state = savingEnd
	default:
		r.verify()
	}
}

func (r *receiver) verify() {
	a := r.add(Verify)
	a.Claims = Claims{Declared: r.offer.Size, AtEnd: -1, Blocks: r.block - 1, Sequences: r.checked, Serial: r.serial, Missed: r.missed}
	if r.p.Carries(protocol.End, protocol.Size) && !r.overrun {
		a.Claims.AtEnd = r.request.Number(protocol.Size)
	}
	r.state = verifying
}

func (r *receiver) answerEnd(reason protocol.Reason) {
	if r.overrun && r.state == verifying { // the end is to come, and whatever it says is no
		r.refusal = protocol.BadSize
		r.await(refusing)
		return
	}
	r.reply(&r.request, reason)
	r.state = recvDone
}

// interrupted: a new announcement within a file. What came is kept, the file
// is recorded as cut, and the announcement starts afresh.
func (r *receiver) interrupted(ev *Event) {
	if r.state == refusing {
		r.announced(ev.Telegram)
		return
	}
	r.next = *ev
	r.lost(fault.New(CodeUnexpected, ev.Telegram.Kind.String(), "state", "data"))
}

// leave: the line is to be left with this file.
func (r *receiver) leave(err error) {
	r.gone = err
	r.lost(err)
}

// lost: the file is cut. Whatever came of the block is worth keeping, so
// that the sender may go on from there.
func (r *receiver) lost(err error) {
	r.lostErr = err
	switch r.state {
	case recvIdle, recvDone:
	case accepting, refusing, givingUp, closing:
		r.state = recvDone
	default:
		if r.dirty && r.held.Has(1) && r.p.Files.Resume {
			r.save(r.held.Last(), false)
			r.state = keeping
			return
		}
		r.recordCut()
	}
}

func (r *receiver) recordCut() {
	r.add(Finish).Outcome = Outcome{Result: CutBefore, Err: r.lostErr, Missed: r.missed}
	r.state = closing
}

func (r *receiver) finished() {
	if r.state == givingUp {
		r.answerEnd(protocol.OtherReason)
		return
	}
	if r.next.Kind == Arrived && r.gone == nil {
		r.announced(r.next.Telegram)
		return
	}
	r.state = recvDone
}

// broke: our side could not do it. A request that waits is told so, never
// anything positive. A file that was taken from us is refused from here on; a
// fault of our own ends the session (D5).
func (r *receiver) broke(ev *Event) {
	reason := ev.Reason
	if reason == "" || reason == protocol.OK || reason == protocol.Complete {
		reason = protocol.SystemFault
	}
	was := r.state
	r.refusal, r.state = reason, refusing
	switch was {
	case accepting:
		if r.announce {
			t := r.reply(&r.request, reason)
			if r.p.Files.Resume {
				r.p.SayHeld(t, 0, 1)
			}
		}
		r.takePending()
	case saving:
		r.p.SetMap(r.reply(&r.request, reason), r.block, r.asked, r.asked, func(int) bool { return false })
	case savingEnd, verifying, givingUp:
		if !r.overrun {
			r.reply(&r.request, reason)
			r.state = recvDone
		}
	case keeping, closing:
		if r.finished(); !ev.Drop {
			r.out = r.out[:0]
		}
	}
	switch {
	case !ev.Drop:
		r.gone, r.state = ev.Err, recvDone
	case r.state == refusing:
		r.timer(r.cfg.Idle)
	}
}
