package machine

import (
	"pabal/internal/fault"
	"pabal/protocol"
)

func (s *sender) load() {
	off, n, last := s.geo.BlockRange(s.block, s.file.Size)
	s.last, s.rounds, s.again = last, 0, 0
	a := s.add(Load)
	a.Offset, a.Length = off, n
	_, a.Ahead, _ = s.geo.BlockRange(s.block+1, s.file.Size)
	a.Rest = s.file.Size - off - n - a.Ahead
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
	a.Length = s.file.Size
	switch {
	case !s.p.Files.Whole:
		s.count(s.missing.Count())
	case s.block == 1: // the others are more of it
		s.count(1)
	}
	s.describe(&a.Telegram)
	a.Block, a.Last, a.Sequences, a.Geometry = s.block, s.last, s.missing, s.geo.Block(s.block, s.file.Size)
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
