package machine

import (
	"math"
	"slices"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// data takes one sequence. By number, never by arrival: what is held already,
// belongs to a block that is done, or has no place in this one is not taken.
func (r *receiver) data(ev *Event) {
	t := ev.Telegram
	if r.state == refusing {
		if r.refusal == protocol.Complete && !r.offer.Despite && r.firstBlock(t) {
			r.despite(ev)
			return
		}
		r.timer(r.cfg.Idle)
		return
	}
	if s := t.Raw(protocol.Serial); r.serial == "" && s != nil {
		r.serial = t.Text(protocol.Serial)
	}
	block, seq := r.place(t)
	if r.p.Files.Stream && block > r.p.Files.MaxBlock { // nothing else would end it
		r.leave(fault.New(CodeTooManyBlocks, r.offer.Name, "blocks", block, "max", r.p.Files.MaxBlock))
		return
	}
	if r.p.Files.NoCheck && block == r.block+1 && r.held.Count() > 0 {
		// Nobody checks: a block is over when the next one begins.
		r.pending = *ev
		r.save(r.held.Last(), r.held.MissingUpTo(r.held.Last()) == 0)
		r.state = savingBlock
		return
	}
	if t.Begins() && r.begun {
		// One telegram is the file, and which of two would be it? Their sizes may
		// well sum up to the declared one, so no proof would tell.
		r.leave(fault.New(CodeSecondWhole, r.offer.Name))
		return
	}
	r.begun = r.begun || t.Begins()
	if block > r.block || block < 1 || seq < 1 || seq > r.p.Files.PerBlock || len(t.Data()) > r.stride() {
		r.misplaced(t)
		return
	}
	if r.idle > mostIdle*r.p.Files.PerBlock {
		r.leave(fault.New(CodeNoProgress, r.offer.Name, "block", r.block, "telegrams", r.idle))
		return
	}
	r.timer(r.cfg.Idle)
	if block < r.block || !r.held.Add(seq) {
		return
	}
	r.idle = 0
	r.lengths[seq-1] = uint16(len(t.Data()))
	r.fresh += int64(len(t.Data()))
	r.dirty = true
	a := r.add(Keep)
	a.Block, a.First = block, seq
	if r.overrun = r.tooMuch(); r.overrun {
		r.save(r.held.Last(), r.held.MissingUpTo(r.held.Last()) == 0)
		r.state = savingEnd
		return
	}
	if t.Kind == protocol.Resend && r.p.Files.Resend == protocol.ResendEach && r.asked > 0 {
		r.answerResend(t)
	}
}

// place is where data belongs. Without numbers it comes behind what is held.
func (r *receiver) place(t *protocol.Telegram) (block int64, sequence int) {
	if !r.p.Files.Numbering.None {
		return r.p.Place(t)
	}
	if last := r.held.Last(); last < r.p.Files.PerBlock {
		return r.block, last + 1
	}
	return r.block + 1, 1
}

// tooMuch reports that a stream has gone on behind the size that was declared
// and is to prove. What came is held against it at once, as at an end, so that
// no later session goes on with it; the end is answered with no.
func (r *receiver) tooMuch() bool {
	return r.p.Files.Stream && r.offer.Size >= 0 && !r.p.Files.FileSizes && r.came+r.fresh > r.offer.Size &&
		slices.Contains(r.p.Files.ReceiveProofs, transfer.ProofDeclaredSize)
}

// answerResend answers a sequence that was sent again as the check that asked
// for it was answered (§4.5).
func (r *receiver) answerResend(t *protocol.Telegram) {
	r.buf = r.request.Keep(t, r.buf)
	r.request.Kind = protocol.Check
	r.p.SetPlace(&r.request, r.block, r.asked)
	r.missing = r.held.MissingUpTo(r.asked)
	r.save(r.asked, r.missing == 0)
	r.state = saving
}

// mostIdle is how many blocks' worth of telegrams may come without anything
// new in them. Our own sender gives up long before; one that never does would
// keep the line for ever.
const mostIdle = 20

// stride is the room of one sequence in the driver's block buffer. It is the
// same for the whole session. Some senders fill N with data alone (§1.5), so
// it is N and not N less its overhead.
func (r *receiver) stride() int {
	return min(max(r.cfg.MessageSize, r.p.Files.MessageSize), math.MaxUint16)
}

func (r *receiver) check(t *protocol.Telegram) {
	block, last := r.p.Place(t)
	last = max(0, last)
	if r.serial == "" {
		r.serial = t.Text(protocol.Serial)
	}
	switch {
	case last > r.p.Files.PerBlock:
		r.misplaced(t)
	case r.state == refusing:
		c := r.reply(t, r.refusal)
		r.p.SetMap(c, block, last, last, func(int) bool { return false })
		r.timer(r.cfg.Idle)
	case block > r.block || block < 1 && last > 0:
		r.misplaced(t)
	case r.idle > mostIdle*r.p.Files.PerBlock:
		r.leave(fault.New(CodeNoProgress, r.offer.Name, "block", r.block, "telegrams", r.idle))
	case last == 0:
		// An empty file, or one check more after an exact multiple (§1.5).
		c := r.reply(t, protocol.OK)
		r.p.SetMap(c, block, 0, 0, func(int) bool { return true })
		r.timer(r.cfg.Idle)
	case block == r.block-1 && r.lastOf > 0:
		// Asked again about the block before, which is durable: what we hold
		// of it is what it had (§4.10: beyond the answered last is missing).
		answered := min(last, r.lastOf)
		c := r.reply(t, protocol.OK)
		r.p.SetPlace(c, block, answered)
		r.p.SetMap(c, block, answered, 0, func(int) bool { return true })
		r.timer(r.cfg.Idle)
	case block < r.block: // what it had is no longer known here: nothing is claimed
		r.misplaced(t)
	default:
		for seq := last + 1; seq <= r.held.Last(); seq++ {
			if r.held.Has(seq) { // not of this block, says who cut it
				r.held.Remove(seq)
				r.fresh -= int64(r.lengths[seq-1])
			}
		}
		r.asked, r.missing = last, r.held.MissingUpTo(last)
		r.buf = r.request.Keep(t, r.buf)
		if r.held.Count() == 0 || r.missing > 0 && !r.dirty {
			r.answerCheck()
			return
		}
		r.save(last, r.missing == 0)
		r.state = saving
	}
}

func (r *receiver) save(last int, complete bool) {
	a := r.add(Save)
	a.Block, a.Last, a.Sequences, a.Complete = r.block, last, r.held, complete
}

// Lengths are the lengths of the sequences of the block being received, by
// sequence from 1; good until the next step.
func (r *receiver) Lengths() []uint16 { return r.lengths[:r.held.Last()] }

// records is how many the file has, 0 if that is not known.
func (r *receiver) records() int64 {
	if r.record == 0 {
		return 0
	}
	return r.came / int64(r.record)
}

func (r *receiver) saved() {
	r.dirty = false
	switch r.state {
	case saving:
		r.answerCheck()
	case savingBlock:
		r.advance(r.held.Last())
		r.await(receiving)
		r.takePending()
	case savingEnd:
		r.advance(r.held.Last())
		r.verify()
	case keeping:
		r.recordCut()
	}
}

func (r *receiver) answerCheck() {
	t := r.reply(&r.request, protocol.OK)
	r.p.SetMap(t, r.block, r.asked, r.missing, r.held.Has)
	if r.missing == 0 {
		r.advance(r.asked)
	} else {
		r.missed += int64(r.missing)
	}
	r.await(receiving)
}

func (r *receiver) advance(last int) {
	r.idle = 0
	r.lastOf = last
	r.checked += int64(last)
	r.came, r.fresh = r.came+r.fresh, 0
	r.block++
	r.held.Reset()
	r.dirty = false
}
