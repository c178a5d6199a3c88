package machine

import (
	"cmp"

	"pabal/protocol"
)

// Where the opening names the file, what is to be sent is asked before the
// session is open, and every file has an opening of its own: the next one comes
// on the same line when the file before is at its end, and only then the close.
// So no end ever says that more follows. An opening without a name says that
// there is nothing.

// plan opens for the file that was ordered. One that cannot be written fails
// alone, and another is asked for.
func (s *Session) plan(o Order) {
	switch {
	case o.Kind == SendFile:
		s.snd = sender{env: s.env, file: o.File}
		if err := s.snd.writable(); err != nil {
			s.state = Sending
			s.snd.record(Outcome{Result: FailedHere, Err: err})
			return
		}
		s.planned, s.resends = true, 0
		s.sendOpen()
	case s.stands:
		s.through()
	default:
		s.sendOpen()
	}
}

// sendNamed sends the file that the opening has named.
func (s *Session) sendNamed() {
	if !s.planned {
		s.last = true
		s.through()
		return
	}
	s.planned = false
	s.state = Sending
	s.snd.begin(s.order.File, true)
}

// abandon records that the opening for a file did not come about.
func (s *sender) abandon(err error) {
	s.gone = err
	s.reached = s.file.Sent
	s.record(Outcome{Result: CutBefore, Err: err})
}

// openAgain: the next file of a sender that names each in its opening.
func (s *Session) openAgain(ev *Event) {
	if !s.p.Session.NamesFile {
		s.unexpected(ev.Telegram)
		return
	}
	s.judge(ev)
}

// asNamed puts what the opening has said into an offer.
func (r *receiver) asNamed(o *Offer) {
	if !r.p.Session.NamesFile {
		return
	}
	o.Opened = r.named
	o.Misnamed = o.Name != r.named || o.Date != "" && protocol.FullDate(o.Date, r.now) != protocol.FullDate(r.namedDate, r.now)
	o.Date = cmp.Or(o.Date, r.namedDate)
}
