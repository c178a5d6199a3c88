package machine

import (
	"strconv"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

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
	case ev.Drop && s.state == loading && s.p.Files.Whole && s.block > 1:
		s.lost(ev.Err) // within the telegram nothing else can be said: whatever came would be data
	case ev.Drop && s.state == loading:
		s.fail(CutBefore, "", ev.Err, protocol.Unable)
	default:
		s.lost(ev.Err)
	}
}
