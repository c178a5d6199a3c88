package machine

import (
	"pabal/internal/fault"
	"pabal/protocol"
)

func (s *sender) info() {
	t := s.request0(protocol.Info)
	if !s.p.Files.NoSize {
		t.SetNumber(protocol.Size, s.file.Declared)
	}
	t.SetNumber(protocol.MessageSize, int64(s.file.MessageSize))
	t.SetText(protocol.Password, s.file.Password)
	s.await(announcing)
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
	if n := int(t.Number(protocol.MessageSize)); s.p.Carries(protocol.InfoReply, protocol.MessageSize) && n > 0 && n < s.file.MessageSize && !s.agree(n, code) {
		return
	}
	held := s.held(t)
	switch {
	case held < 0:
		s.fail(FailedHere, code, fault.New(CodeOutOfRange, t.Kind.String(), "block", t.Number(protocol.Block), "sequence", 0), protocol.Unable)
	case held > s.file.Sent:
		s.fail(FailedHere, code, fault.New(CodeResumeForeign, s.file.Name, "held", held, "sent", s.file.Sent), protocol.Unable)
	case held > s.file.Size || !s.geo.Starts(held, s.file.Size):
		s.fail(FailedHere, code, fault.New(CodeResumeOffset, s.file.Name, "held", held, "message_size", s.geo.DataSize), protocol.Unable)
	default:
		s.position(held)
	}
}

// held is what the peer says to hold, in bytes: -1 if it wants a block that
// the file does not have. By block, what it holds of the next one is sent
// again; it knows by the numbers.
func (s *sender) held(t *protocol.Telegram) int64 {
	switch s.p.Files.ResumeBy {
	case protocol.ResumeBytes:
		return t.Number(s.p.HeldRow())
	case protocol.ResumeNext, protocol.ResumeLast:
		next := s.p.NextBlock(t)
		if next > s.geo.Blocks(s.file.Size)+1 {
			return -1
		}
		held, _, _ := s.geo.BlockRange(next, s.file.Size)
		return held
	}
	return 0
}

// agree makes do with the smaller telegrams of a peer. What is cut for good is
// given up: our own side cuts it anew for that size.
func (s *sender) agree(n int, code string) bool {
	s.geo.DataSize = min(s.file.DataSize, fit(s.p.MaxData(n), s.file.Unit))
	switch {
	case s.file.CutOnce && max(s.file.DataSize, s.file.Head, s.file.Tail) > s.p.MaxData(n):
		s.farewell = protocol.Unable
		s.record(Outcome{Result: FailedHere, Response: code, MessageSize: n,
			Err: fault.New(CodeCutSmaller, s.file.Name, "message_size", n, "cut", s.file.MessageSize)})
		return false
	case s.file.CutOnce:
		s.geo.DataSize = s.file.DataSize
	case s.geo.DataSize < 1:
		s.fail(FailedHere, code, fault.New(CodeResumeOffset, s.file.Name, "message_size", n, "held", 0), protocol.Unable)
		return false
	}
	return true
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
	if most := s.p.MostSequences(); s.geo.Sequences(s.file.Size) > most {
		s.fail(FailedHere, "", fault.New(CodeTooManyBlocks, s.file.Name, "blocks", s.blocks, "max", most/int64(s.p.Files.PerBlock)), protocol.Unable)
		return
	}
	s.reached = max(s.reached, held)
	at := s.geo.At(held, s.file.Size)
	s.clean = at.Block - 1
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
	s.block = at.Block
	s.missing.Reset()
	s.load()
	// Only what the receiver does not hold is sent; the block is loaded whole
	// because its check may still name any sequence.
	for seq := at.Seq; seq <= s.last; seq++ {
		s.missing.Add(seq)
	}
}
