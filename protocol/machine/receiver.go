package machine

import (
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
	came    int64 // bytes of the blocks before it, resumed ones included
	fresh   int64 // … and of the one being received
	overrun bool  // more came than was declared
	begun   bool  // of a file that one telegram carries: that telegram has come
	record  int   // bytes of a record, 0 = not counted
	size    int   // N agreed
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
	r.newFile()
}

func (r *receiver) offerFrom(t *protocol.Telegram) Offer {
	name := t.Text(protocol.Name)
	if r.p.Session.NamesFile && !r.p.Carries(t.Kind, protocol.Name) {
		name = r.named // the opening has said it for all that follows
	}
	return Offer{
		Name: name, Date: t.Text(protocol.Date), Serial: t.Text(protocol.Serial), Size: -1,
		Gzip: t.Text(protocol.Gzip) != "", EBCDIC: t.Text(protocol.EBCDIC) != "", Password: t.Text(protocol.Password),
	}
}

func (r *receiver) accept() {
	r.asNamed(&r.offer)
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
	if r.offer.Misnamed {
		reason = protocol.BadName // whatever the host thinks of it
	}
	r.size = r.cfg.MessageSize
	if n := r.offer.MessageSize; n > 0 && n < r.size {
		r.size = n
	}
	if n := ev.Resume.MessageSize; n > 0 {
		r.size = min(n, r.cfg.MessageSize)
	}
	r.block = max(1, ev.Resume.Block)
	r.came, r.record = ev.Resume.Held, ev.Resume.Record
	for i, n := range ev.Resume.Lengths[:min(len(ev.Resume.Lengths), r.p.Files.PerBlock)] {
		r.held.Add(i + 1)
		r.lengths[i] = n
		r.came, r.fresh = r.came-int64(n), r.fresh+int64(n)
	}
	if r.announce {
		t := r.reply(&r.request, reason)
		if r.p.Carries(protocol.InfoReply, protocol.MessageSize) {
			t.SetNumber(protocol.MessageSize, int64(r.size))
		}
		if r.p.Files.Resume {
			r.p.SayHeld(t, ev.Resume.Held, ev.Resume.Block)
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

// despite: some senders pass over the answer that the file is held whole, and
// send it (§1.5). Its data is taken from the start, to be compared.
func (r *receiver) despite(ev *Event) {
	r.pending, r.announce = *ev, false
	r.offer.Despite = true
	r.accept()
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
