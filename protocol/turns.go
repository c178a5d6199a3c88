package protocol

import "pabal/internal/fault"

// Turn says which side does something in a session, by the way its files go:
// to open it, to close it, to connect.
type Turn struct{ upload, download Side }

// turns are the words for a turn in a profile.
func turns() []string { return []string{"institution", "centre", "sender", "receiver"} }

// turnOf is the turn that a word means; the institution's for any other.
func turnOf(word string) Turn {
	switch word {
	case "centre":
		return Turn{CentreSide, CentreSide}
	case "sender":
		return Turn{InstitutionSide, CentreSide}
	case "receiver":
		return Turn{CentreSide, InstitutionSide}
	}
	return Turn{InstitutionSide, InstitutionSide}
}

// Of is whose turn it is where files go from the centre to the institution, or
// the other way.
func (t Turn) Of(download bool) Side {
	if download {
		return t.download
	}
	return t.upload
}

// Fixed reports that it is one side's whichever way the files go.
func (t Turn) Fixed() bool { return t.upload == t.download }

// Has reports that it is the side's one way at least.
func (t Turn) Has(side Side) bool { return t.upload == side || t.download == side }

// MayCall reports that a side may connect to the other for files that go that way.
func (s *Session) MayCall(side Side, download bool) bool {
	return s.EitherConnects || s.Connects.Of(download) == side
}

// OpensCalling reports that a side may call and then opens: who is called learns
// from the opening who it is.
func (s *Session) OpensCalling(side Side) bool {
	return s.opensCalling(side, false) || s.opensCalling(side, true)
}

func (s *Session) opensCalling(side Side, download bool) bool {
	return s.MayCall(side, download) && s.Opens.Of(download) == side
}

// OpensCalled reports that a side may be called for files that go that way, and
// opens all the same.
func (s *Session) OpensCalled(side Side, download bool) bool {
	return s.MayCall(side.Other(), download) && s.Opens.Of(download) == side
}

// OneFile reports that a session carries one file of those that go that way: who
// closes has not driven, and no end says that more follow.
func (p *Profile) OneFile(download bool) bool {
	s := &p.Session
	asked := s.FetchByRequest && s.Opens.Of(download) != turnOf("sender").Of(download)
	return s.Closes.Of(download) != turnOf("sender").Of(download) && !asked && (!p.Has(EndMore) || s.NamesFile)
}

// Opened is which way the files of a session go by its opening, and which side
// opens it so. Where the opening does not say it is side that opens.
func (p *Profile) Opened(opening *Telegram, side Side) (download bool, by Side) {
	o := p.Session.Opens
	if sender, said := p.Sender(opening); said {
		download = sender == CentreSide
		return download, o.Of(download)
	}
	// Of a side that opens both ways, as the sender: what it asks for it says later.
	return o.Of(true) == side && (o.Of(false) != side || side == CentreSide), side
}

// compileTurns reads who connects, who opens and who closes. Who drives follows:
// the side that sends the files, or where files are fetched by request the one
// that opened, until it has asked.
func (p *Profile) compileTurns(c *compiler, spec *Spec) {
	s := &spec.Session
	p.Session.Opens = turnOf(c.word("session.opens", s.Opens, turns()...))
	if s.Connects == "" && p.Session.Opens.Fixed() {
		p.Session.Connects = p.Session.Opens
	} else {
		word := c.word("session.connects", s.Connects, append([]string{"either"}, turns()...)...)
		p.Session.EitherConnects, p.Session.Connects = word == "either", turnOf(word)
	}
	p.Session.Closes = turnOf("sender")
	if s.Closes == "" {
		return
	}
	p.Session.Closes = turnOf(c.one("session.closes", s.Closes, turns()...))
	if p.Session.MoreUnsaid && p.Session.Closes != turnOf("sender") {
		c.problem("session.closes", CodeProfileValue, s.Closes, fault.Say("sender_closes"))
	}
}
