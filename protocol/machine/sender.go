package machine

import (
	"strconv"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// sendState is where the sender of one file stands.
type sendState uint8

const (
	sendIdle    sendState = iota
	announcing            // Info sent
	loading               // a block is being loaded
	checking              // Check sent
	pausing               // between two missing rounds
	marking               // "ending" is being committed
	ending                // End sent: from here the peer may have the file
	recording             // the outcome is being committed
	takingLeave           // the outcome stands; End sent only to close the file
	sendDone
)

// sender sends one file.
type sender struct {
	*env
	state    sendState
	file     File
	geo      transfer.Geometry
	blocks   int64
	block    int64 // the one under way
	last     int   // its last sequence
	rounds   int   // missing rounds of this block
	again    int   // the sequence that was sent again and is to be answered by itself; 0 = a check is
	resends  int   // of the request that waits for its answer
	reached  int64 // bytes that may have reached the peer
	resent   int64
	clean    int64  // blocks of which the peer has said that nothing is missing, or that it holds them
	complete string // the response by which the peer said that it holds it whole; "" = it was sent
	missing  transfer.SeqSet
	outcome  Outcome
	farewell protocol.Reason // response code of a closing End; "" = none is sent
	request  protocol.Kind   // what waits for its answer
	gone     error           // why the session ends with this file; nil = it goes on
}

// begin announces f, or where the profile does not, starts with its data.
func (s *sender) begin(f File, announce bool) {
	*s = sender{env: s.env, file: f, reached: f.Sent}
	s.geo = transfer.Geometry{DataSize: f.DataSize, PerBlock: s.p.Files.PerBlock}
	if err := s.writable(); err != nil {
		s.record(Outcome{Result: FailedHere, Err: err})
		return
	}
	if !announce {
		s.position(0)
		return
	}
	s.info()
}

func (s *sender) info() {
	t := s.request0(protocol.Info)
	if !s.p.Files.NoSize {
		t.SetNumber(protocol.Size, s.file.Declared)
	}
	t.SetNumber(protocol.MessageSize, int64(s.file.MessageSize))
	t.SetText(protocol.Password, s.file.Password)
	s.await(announcing)
}

// writable tries the telegrams of this file: a name, size or password that has
// no room in them is the file's fault alone.
func (s *sender) writable() error {
	for _, k := range []protocol.Kind{protocol.Info, protocol.Check, s.end(true), s.end(false), protocol.DataTelegram} {
		t := protocol.Telegram{Kind: k}
		s.head(&t)
		s.describe(&t)
		t.SetNumber(protocol.Size, s.file.Declared)
		if k == protocol.Info {
			t.SetNumber(protocol.MessageSize, int64(s.file.MessageSize))
			t.SetText(protocol.Password, s.file.Password)
		}
		if err := s.fits(&t); err != nil {
			return err
		}
	}
	if s.file.DataSize < 1 || s.file.DataSize > s.p.MostData() {
		return fault.New(CodeDataSize, s.file.Name, "size", s.file.DataSize, "most", s.p.MostData())
	}
	return nil
}

// request0 starts a telegram of this file.
func (s *sender) request0(k protocol.Kind) *protocol.Telegram {
	s.request = k
	t := s.env.request(k)
	s.describe(t)
	return t
}

// describe puts in what every telegram of a file carries where it has room.
func (s *sender) describe(t *protocol.Telegram) {
	t.SetText(protocol.Name, s.file.Name)
	t.SetText(protocol.Date, s.file.Date)
	t.SetText(protocol.Serial, s.file.Serial)
	if s.file.Gzip {
		t.SetText(protocol.Gzip, "Z")
	}
	if s.file.EBCDIC {
		t.SetText(protocol.EBCDIC, "E")
	}
}

func (s *sender) await(st sendState) {
	s.state = st
	s.timer(s.cfg.Reply)
}

// step handles one event and reports whether the file is done with.
func (s *sender) step(ev *Event) bool {
	switch ev.Kind {
	case Arrived:
		s.arrived(ev.Telegram)
	case Loaded:
		s.sendBlock()
	case Marked:
		s.sendEnd(ev.More)
	case Finished:
		s.leave()
	case TimedOut:
		s.timedOut()
	case Broke:
		s.broke(ev)
	}
	return s.state == sendDone
}

func (s *sender) arrived(t *protocol.Telegram) {
	switch {
	case s.state == announcing && t.Kind == protocol.InfoReply:
		s.infoReply(t)
	case (s.state == checking || s.state == pausing) && t.Kind == protocol.CheckReply:
		s.checkReply(t)
	case (s.state == ending || s.state == takingLeave) && (t.Kind == protocol.EndReply || t.Kind == protocol.EndMoreReply):
		s.endReply(t)
	case t.Kind == protocol.CheckReply, t.Kind == protocol.InfoReply, s.state == takingLeave:
		// A late answer to something already settled (§4.11).
		s.wrong(fault.New(CodeUnexpected, t.Kind.String(), "state", s.request.String()))
	default:
		s.fail(FailedHere, "", fault.New(CodeUnexpected, t.Kind.String(), "state", s.request.String()), protocol.BadFormat)
	}
}

// infoReply: where the receiver stands (§1.4, §1.5).
func (s *sender) infoReply(t *protocol.Telegram) {
	code := t.Text(protocol.Response)
	switch s.p.Meaning(code) {
	case protocol.OK:
	case protocol.Complete:
		s.heldWhole(code)
		return
	case protocol.Retry:
		s.fail(LaterByPeer, code, fault.New(CodeLater, s.file.Name, "code", code), protocol.OK)
		return
	default:
		s.fail(RefusedByPeer, code, fault.New(CodeRefused, s.file.Name, "code", code), protocol.OK)
		return
	}
	if n := int(t.Number(protocol.MessageSize)); s.p.Carries(protocol.InfoReply, protocol.MessageSize) && n > 0 && n < s.file.MessageSize {
		s.geo.DataSize = min(s.file.DataSize, fit(s.p.MaxData(n), s.file.Unit))
		if s.geo.DataSize < 1 {
			s.fail(FailedHere, code, fault.New(CodeResumeOffset, s.file.Name, "message_size", n, "held", 0), protocol.Unable)
			return
		}
	}
	held := int64(0)
	if s.p.Files.Resume {
		held = t.Number(protocol.Size)
	}
	switch {
	case held > s.file.Sent:
		s.fail(FailedHere, code, fault.New(CodeResumeForeign, s.file.Name, "held", held, "sent", s.file.Sent), protocol.Unable)
	case held > s.file.Size || held != s.file.Size && held%int64(s.geo.DataSize) != 0:
		s.fail(FailedHere, code, fault.New(CodeResumeOffset, s.file.Name, "held", held, "message_size", s.geo.DataSize), protocol.Unable)
	default:
		s.position(held)
	}
}

// fit rounds most down to whole units where at least one fits.
func fit(most, unit int) int {
	if unit > 1 && most >= unit {
		return most - most%unit
	}
	return most
}

// heldWhole: the receiver says that it holds the file whole. That proves
// success only when we know that an earlier attempt sent the end (D5).
func (s *sender) heldWhole(code string) {
	if s.file.Ended {
		s.reached = s.file.Size
		s.complete = code
		s.state = marking
		s.add(MarkEnding)
		return
	}
	s.fail(AlreadyThere, code, fault.New(CodeAlreadyThere, s.file.Name, "code", code), protocol.OK)
}

// position goes on from held bytes, numbering as if nothing had broken.
func (s *sender) position(held int64) {
	s.blocks = s.geo.Blocks(s.file.Size)
	if s.blocks > s.p.Files.MaxBlock {
		s.fail(FailedHere, "", fault.New(CodeTooManyBlocks, s.file.Name, "blocks", s.blocks, "max", s.p.Files.MaxBlock), protocol.Unable)
		return
	}
	s.reached = max(s.reached, held)
	s.clean = held / s.geo.BlockBytes()
	if held >= s.file.Size {
		s.clean = s.blocks
	}
	if held >= s.file.Size {
		if s.file.Size == 0 && s.p.Files.EmptyCheck {
			s.block, s.last = 1, 0
			s.check()
			return
		}
		s.mark()
		return
	}
	at := s.geo.At(held)
	s.block = at.Block
	s.missing.Reset()
	s.load()
	// Only what the receiver does not hold is sent; the block is loaded whole
	// because its check may still name any sequence.
	for seq := at.Seq; seq <= s.last; seq++ {
		s.missing.Add(seq)
	}
}

func (s *sender) load() {
	off, n, last := s.geo.BlockRange(s.block, s.file.Size)
	s.last, s.rounds, s.again = last, 0, 0
	a := s.add(Load)
	a.Offset, a.Length = off, n
	_, a.Ahead, _ = s.geo.BlockRange(s.block+1, s.file.Size)
	s.state = loading
}

func (s *sender) sendBlock() {
	off, n, _ := s.geo.BlockRange(s.block, s.file.Size)
	s.data(protocol.DataTelegram)
	s.reached = max(s.reached, off+n)
	if s.p.Files.NoCheck {
		s.clean = min(s.clean+1, s.blocks)
		s.nextBlock()
		return
	}
	s.check()
}

// data sends the missing sequences of the loaded block, then nothing more of
// it is asked to be sent until the check's answer.
func (s *sender) data(k protocol.Kind) {
	a := s.add(SendData)
	a.Telegram.Kind = k
	s.head(&a.Telegram)
	s.describe(&a.Telegram)
	a.Block, a.Last, a.Sequences, a.DataSize = s.block, s.last, s.missing, s.geo.DataSize
}

func (s *sender) check() {
	t := s.request0(protocol.Check)
	s.p.SetPlace(t, s.block, s.last)
	s.again = 0
	s.await(checking)
}

// checkReply: which sequences of the block are missing (§4.10, §4.11).
func (s *sender) checkReply(t *protocol.Telegram) {
	block, answered := s.p.Place(t)
	if block != s.block || answered > s.last || s.state == pausing {
		// About another block, or beyond what was asked: stale.
		s.wrong(fault.New(CodeOutOfRange, t.Kind.String(), "block", block, "sequence", answered))
		return
	}
	code := t.Text(protocol.Response)
	switch s.p.Meaning(code) {
	case protocol.OK:
	case protocol.Retry:
		s.fail(LaterByPeer, code, fault.New(CodeLater, s.file.Name, "code", code), protocol.Unable)
		return
	default:
		s.fail(RefusedByPeer, code, fault.New(CodeRefused, s.file.Name, "code", code), protocol.Unable)
		return
	}
	s.resends = 0
	s.p.Missing(t, s.block, s.last, &s.missing)
	if s.missing.Count() == 0 {
		s.clean = min(s.clean+1, s.blocks)
		s.nextBlock()
		return
	}
	switch first := s.first(); {
	case s.again == 0:
		s.rounds++
	case first <= s.again:
		// It names what we have just sent again: an answer to a telegram that
		// came twice. Were each of those followed, a storm would begin (§4.11).
		s.missing.Reset()
		s.wrong(fault.New(CodeOutOfRange, t.Kind.String(), "block", block, "sequence", first))
		return
	}
	if s.rounds > s.cfg.Rounds {
		s.fail(FailedHere, code, fault.New(CodeMissingRounds, s.file.Name, "block", s.block,
			"missing", s.missing.Count(), "rounds", s.cfg.Rounds), protocol.Unable)
		return
	}
	if s.rounds > 1 && s.cfg.Pause > 0 {
		s.state = pausing
		s.timer(s.cfg.Pause)
		return
	}
	s.resend()
}

func (s *sender) resend() {
	first := s.first()
	switch s.p.Files.Resend {
	case protocol.ResendRest:
		for seq := first; seq <= s.last; seq++ {
			s.missing.Add(seq)
		}
	case protocol.ResendEach:
		s.missing.Reset()
		s.missing.Add(first)
		s.again = first
	}
	s.resent += int64(s.missing.Count())
	s.data(protocol.Resend)
	if s.p.Files.Resend == protocol.ResendEach {
		s.request = protocol.Check // it is answered like one (§4.5, §4.11)
		s.await(checking)
		return
	}
	s.check()
}

// first is the first missing sequence, 0 if none is.
func (s *sender) first() int {
	for seq := 1; seq <= s.last; seq++ {
		if s.missing.Has(seq) {
			return seq
		}
	}
	return 0
}

func (s *sender) nextBlock() {
	if s.block >= s.blocks {
		s.mark()
		return
	}
	s.block++
	s.missing.Reset()
	s.load()
	s.missing.Fill(s.last)
}

func (s *sender) mark() {
	s.reached = s.file.Size
	a := s.add(MarkEnding)
	a.Outcome.Resent = s.resent
	s.state = marking
}

func (s *sender) sendEnd(more bool) {
	t := s.request0(s.end(more))
	t.SetNumber(protocol.Size, s.file.Declared)
	s.await(ending)
}

func (s *sender) endReply(t *protocol.Telegram) {
	if s.state == takingLeave {
		s.state = sendDone
		return
	}
	code := t.Text(protocol.Response)
	switch s.p.Meaning(code) {
	case protocol.OK, protocol.Complete:
		s.record(Outcome{Result: ArrivedWhole, Response: code, Proofs: s.proofs(code), Settled: s.complete != ""})
	case protocol.Retry:
		s.record(Outcome{Result: LaterByPeer, Response: code, Err: fault.New(CodeLater, s.file.Name, "code", code)})
	default:
		s.record(Outcome{Result: RefusedByPeer, Response: code, Err: fault.New(CodeRefused, s.file.Name, "code", code)})
	}
}

// proofs are what this session has compared. A peer that held the file whole
// has said so instead of answering checks.
func (s *sender) proofs(code string) []transfer.Proof {
	end := transfer.Proof{Name: transfer.ProofEndReply, Expected: s.code(protocol.OK, code), Actual: code}
	if s.complete != "" {
		there := transfer.Proof{Name: transfer.ProofAlreadyComplete, Expected: s.code(protocol.Complete, s.complete), Actual: s.complete}
		return []transfer.Proof{there, end}
	}
	return []transfer.Proof{
		{Name: transfer.ProofBlocks, Expected: strconv.FormatInt(s.blocks, 10), Actual: strconv.FormatInt(s.clean, 10)}, end,
	}
}

// code is the profile's for a reason; or the one that was said, where that
// means success as well.
func (s *sender) code(r protocol.Reason, said string) string {
	if m := s.p.Meaning(said); m == r || m == protocol.Complete {
		return said
	}
	return s.p.Code(r)
}

// record commits what became of the file.
func (s *sender) record(o Outcome) {
	o.Sent, o.Resent = s.reached, s.resent
	s.outcome = o
	s.add(Finish).Outcome = o
	s.state = recording
}

// fail records an outcome, then closes the file on the wire with an end whose
// response says why, so that nobody can take it for success.
func (s *sender) fail(r Result, code string, err error, farewell protocol.Reason) {
	s.farewell = farewell
	s.record(Outcome{Result: r, Response: code, Err: err})
}

// leave: the outcome is durable. A failed file is closed on the wire.
func (s *sender) leave() {
	if s.farewell == "" || s.gone != nil {
		s.state = sendDone
		return
	}
	t := s.request0(s.end(true))
	t.SetNumber(protocol.Size, s.file.Declared)
	if s.farewell != protocol.OK {
		t.SetText(protocol.Response, s.p.Code(s.farewell))
	}
	s.await(takingLeave)
}

func (s *sender) timedOut() {
	switch s.state {
	case pausing:
		s.resend()
	case announcing, checking:
		if s.resends++; s.resends > s.p.Session.Resends {
			s.lost(fault.New(CodeSilent, s.request.String(), "after", s.cfg.Reply))
			return
		}
		if s.state == announcing {
			s.info()
		} else {
			s.check()
		}
	default:
		s.lost(fault.New(CodeSilent, s.request.String(), "after", s.cfg.Reply))
	}
}

// lost: the line is gone or the peer silent. Past the end request nobody
// knows whether the file arrived (D5).
func (s *sender) lost(err error) {
	s.farewell, s.gone = "", err
	switch s.state {
	case recording, sendDone, sendIdle:
	case takingLeave:
		s.state = sendDone
	case ending:
		s.gone = fault.New(CodeEndUnknown, s.file.Name).Because(err)
		s.record(Outcome{Result: EndUnknown, Err: s.gone})
	default:
		s.record(Outcome{Result: CutBefore, Err: err})
	}
}

// broke: our own side could not do what was asked. A file that was taken from
// us is closed on the wire and the session goes on; a fault of our own ends it.
// Once all of the file is over there, no end request of any kind may follow:
// a peer that does not read its response code would take the file for whole.
func (s *sender) broke(ev *Event) {
	switch {
	case s.state == recording: // not committed: recovery will decide from the row
		if ev.Drop && s.gone == nil {
			s.leave()
			return
		}
		s.gone = ev.Err
		s.state = sendDone
	case ev.Drop && s.state == loading:
		s.fail(CutBefore, "", ev.Err, protocol.Unable)
	default:
		s.lost(ev.Err)
	}
}
