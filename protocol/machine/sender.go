package machine

import (
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
	counts, begun := s.counts, s.begun
	s.newFile()
	s.geo = transfer.Geometry{DataSize: f.DataSize, PerBlock: s.p.Files.PerBlock, Head: f.Head, Tail: f.Tail}
	if err := s.writable(); err != nil {
		s.counts, s.begun = counts, begun // nothing of it leaves
		s.record(Outcome{Result: FailedHere, Err: err})
		return
	}
	if !announce {
		s.position(0)
		return
	}
	s.info()
}

// writable tries the telegrams of this file: a name, size or password that has
// no room in them is the file's fault alone.
func (s *sender) writable() error {
	kinds := []protocol.Kind{protocol.Info, protocol.Check, s.end(true), s.end(false), protocol.DataTelegram}
	if s.p.Session.NamesFile {
		kinds = append(kinds, protocol.Open)
	}
	for _, k := range kinds {
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
	most := max(s.file.DataSize, s.file.Head, s.file.Tail)
	if whole := s.p.MaxFile(s.file.DataSize); s.p.Files.Whole && s.file.Size > whole {
		return fault.New(CodeDataSize, s.file.Name, "size", s.file.Size, "most", whole)
	}
	if s.file.DataSize < 1 || most > s.p.MostData() {
		return fault.New(CodeDataSize, s.file.Name, "size", most, "most", s.p.MostData())
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
