package machine

import (
	"math"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// recvState is where the receiver of one file stands.
type recvState uint8

const (
	recvIdle    recvState = iota
	accepting             // asked whether and from where
	receiving             // data may come
	saving                // a block is being made durable; its check waits
	savingEnd             // … and the end request waits
	savingBlock           // … and the first data of the next block waits, where nobody checks
	verifying             // asked for the proofs
	refusing              // refused; data is not taken, checks and end are answered no
	givingUp              // the sender gave the file up; being recorded
	keeping               // the line is lost: what came is saved
	closing               // … and that it was cut is recorded
	recvDone
)

// receiver receives one file. It answers nothing positive about a block
// before the block is durable (D2).
type receiver struct {
	*env
	state    recvState
	request  protocol.Telegram // the one that waits for its answer
	buf      []byte
	announce bool // the file was announced; its announcement wants a reply
	offer    Offer
	refusal  protocol.Reason
	pending  Event // the telegram that started an unannounced file, handled once accepted; Started = none

	block   int64 // the one being received
	held    transfer.SeqSet
	lengths [transfer.MaxPerBlock]uint16
	dirty   bool  // something came since the last save
	lastOf  int   // last sequence of the block before
	checked int64 // the sum of them
	missed  int64
	size    int // N agreed
	serial  string
	asked   int // last sequence that the waiting check asked for
	missing int
	idle    int   // telegrams since something new came
	gone    error // why the session ends with this file; nil = it goes on
	lostErr error // why the file was cut
	next    Event // a new announcement that arrived within this file; Started = none
}

// announced starts a file from its announcement.
func (r *receiver) announced(t *protocol.Telegram) {
	r.reset()
	r.buf = r.request.Keep(t, r.buf)
	r.announce = true
	r.offer = r.offerFrom(t)
	if r.p.Carries(protocol.Info, protocol.Size) && !r.p.Files.NoSize {
		r.offer.Size = t.Number(protocol.Size)
	}
	r.offer.MessageSize = int(t.Number(protocol.MessageSize))
	r.accept()
}

// unannounced starts a file from its first data, check or end.
func (r *receiver) unannounced(ev *Event) {
	r.reset()
	r.offer = r.offerFrom(ev.Telegram)
	r.pending = *ev
	r.accept()
}

func (r *receiver) reset() {
	*r = receiver{env: r.env, buf: r.buf}
}

func (r *receiver) offerFrom(t *protocol.Telegram) Offer {
	return Offer{
		Name: t.Text(protocol.Name), Date: t.Text(protocol.Date), Serial: t.Text(protocol.Serial), Size: -1,
		Gzip: t.Text(protocol.Gzip) != "", EBCDIC: t.Text(protocol.EBCDIC) != "", Password: t.Text(protocol.Password),
	}
}

func (r *receiver) accept() {
	r.add(AskAccept).Offer = r.offer
	r.state = accepting
}

// step handles one event and reports whether the file is done with.
func (r *receiver) step(ev *Event) bool {
	switch ev.Kind {
	case Arrived:
		r.arrived(ev)
	case Accepted:
		r.accepted(ev)
	case Saved:
		r.saved()
	case Verified:
		r.answerEnd(ev.Reason)
	case Finished:
		r.finished()
	case TimedOut:
		r.leave(fault.New(CodeSilent, "data", "after", r.cfg.Idle))
	case Broke:
		r.broke(ev)
	}
	return r.state == recvDone
}

func (r *receiver) await(st recvState) {
	r.state = st
	r.timer(r.cfg.Idle)
}

func (r *receiver) accepted(ev *Event) {
	reason := ev.Reason
	r.size = r.cfg.MessageSize
	if n := r.offer.MessageSize; n > 0 && n < r.size {
		r.size = n
	}
	if n := ev.Resume.MessageSize; n > 0 {
		r.size = min(n, r.cfg.MessageSize)
	}
	r.block = max(1, ev.Resume.Block)
	for i, n := range ev.Resume.Lengths[:min(len(ev.Resume.Lengths), r.p.Files.PerBlock)] {
		r.held.Add(i + 1)
		r.lengths[i] = n
	}
	if r.announce {
		t := r.reply(&r.request, reason)
		if r.p.Carries(protocol.InfoReply, protocol.MessageSize) {
			t.SetNumber(protocol.MessageSize, int64(r.size))
		}
		if r.p.Files.Resume {
			t.SetNumber(protocol.Size, ev.Resume.Held)
		}
	}
	switch reason {
	case protocol.OK:
		r.await(receiving)
	default:
		// Complete too: the sender skips the data and closes the file.
		r.refusal = reason
		r.await(refusing)
	}
	r.takePending()
}

// takePending handles the telegram that started the file.
func (r *receiver) takePending() {
	if p := r.pending; p.Kind == Arrived {
		r.pending = Event{}
		r.arrived(&p)
	}
}

func (r *receiver) arrived(ev *Event) {
	t := ev.Telegram
	if r.state != refusing {
		r.idle++
	}
	switch t.Kind {
	case protocol.DataTelegram, protocol.Resend:
		r.data(ev)
	case protocol.Check:
		r.check(t)
	case protocol.End, protocol.EndMore:
		r.end(t)
	case protocol.Info:
		r.interrupted(ev)
	default:
		r.mistake(t)
	}
}

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
	block, seq := r.p.Place(t)
	if r.p.Files.NoCheck && block == r.block+1 && r.held.Count() > 0 {
		// Nobody checks: a block is over when the next one begins.
		r.pending = *ev
		r.save(r.held.Last(), r.held.MissingUpTo(r.held.Last()) == 0)
		r.state = savingBlock
		return
	}
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
	r.dirty = true
	a := r.add(Keep)
	a.Block, a.First = block, seq
	if t.Kind == protocol.Resend && r.p.Files.Resend == protocol.ResendEach && r.asked > 0 {
		r.answerResend(t)
	}
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

// despite: some senders pass over the answer that the file is held whole, and
// send it (§1.5). Its data is taken from the start, to be compared.
func (r *receiver) despite(ev *Event) {
	r.pending, r.announce = *ev, false
	r.offer.Despite = true
	r.accept()
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
			r.held.Remove(seq) // not of this block, says who cut it
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
	r.block++
	r.held.Reset()
	r.dirty = false
}

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
	if r.p.Carries(protocol.End, protocol.Size) {
		a.Claims.AtEnd = r.request.Number(protocol.Size)
	}
	r.state = verifying
}

func (r *receiver) answerEnd(reason protocol.Reason) {
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
				t.SetNumber(protocol.Size, 0)
			}
		}
		r.takePending()
	case saving:
		r.p.SetMap(r.reply(&r.request, reason), r.block, r.asked, r.asked, func(int) bool { return false })
	case savingEnd, verifying, givingUp:
		r.reply(&r.request, reason)
		r.state = recvDone
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

// misplaced: a block, sequence or length that has no place here.
func (r *receiver) misplaced(t *protocol.Telegram) {
	r.mistook(t, fault.New(CodeOutOfRange, t.Kind.String(),
		"block", t.Number(protocol.Block), "sequence", t.Number(protocol.Sequence)))
}

func (r *receiver) mistake(t *protocol.Telegram) {
	r.mistook(t, fault.New(CodeUnexpected, t.Kind.String(), "state", "data"))
}

func (r *receiver) mistook(t *protocol.Telegram, err error) {
	r.wrong(err)
	if k := t.Kind.Reply(); k != protocol.NoKind {
		r.reply(t, protocol.BadFormat)
	}
	r.timer(r.cfg.Idle)
}
