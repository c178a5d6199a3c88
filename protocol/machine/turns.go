package machine

import (
	"pabal/protocol"
)

// Whose turn it is to open and to close. The profile says both by the way the
// files go, whoever called; who drives in between is who sends the files, or
// who opened, where the profile has a telegram to ask for them.

// opener reports that our side sends the opening. Who calls us and is not known
// yet opens by that: nobody would know whom to open for.
func (s *Session) opener() bool {
	return !s.cfg.EitherSide && s.p.Session.Opens.Of(s.going()) == s.cfg.Side
}

// going: the files of the session go from the centre to the institution, as far
// as our own side knows before the opening.
func (s *Session) going() bool {
	return s.cfg.Receive == (s.cfg.Side == protocol.InstitutionSide)
}

// letters has those of our telegrams say which way the files go.
func (s *Session) letters() {
	switch {
	case !s.opener():
	case s.p.Session.FetchByRequest: // we send, until we ask
		s.download = s.cfg.Side == protocol.CentreSide
	default:
		s.download = s.going()
	}
}

// directed takes from an opening which way the files go. It reports false where
// its letter is none, or says that it is our side that opens.
func (s *Session) directed(t *protocol.Telegram) bool {
	if _, said := s.p.Sender(t); !said && s.p.Letters.Download != nil && s.p.Carries(protocol.Open, protocol.Direction) {
		return false
	}
	download, by := s.p.Opened(t, s.cfg.Side.Other())
	if s.cfg.EitherSide {
		s.cfg.Side = by.Other()
	}
	s.download = download
	return by != s.cfg.Side
}

// closer reports that our side sends the closing.
func (s *Session) closer() bool { return s.p.Session.Closes.Of(s.download) == s.cfg.Side }

// through: we drive and have nothing more. Where the other side closes it is
// told, unless it knows: by an end without a file.
func (s *Session) through() {
	switch {
	case s.empty && !s.last:
		s.endEmpty()
	case s.closer():
		s.takeLeave()
	case s.last:
		s.follow()
	default:
		s.endEmpty()
	}
}

func (s *Session) endEmpty() {
	t := s.env.request(protocol.End)
	if s.empty {
		t.SetRaw(protocol.Name, s.request.Raw(protocol.Name))
	}
	s.await(EndingEmpty)
}

func (s *Session) endedEmpty(*Event) {
	s.last = true
	s.through()
}

// toldLast reports that who closes has heard with the end of a file of ours that
// nothing follows.
func (s *Session) toldLast() bool {
	s.last = !s.closer() && s.snd.request == protocol.End && s.noMoreDue()
	return s.last
}

// noMoreDue counts a file whose end says nothing of those that follow.
func (s *Session) noMoreDue() bool {
	if s.due > 0 {
		s.due--
	}
	return s.due == 0
}

// heardLast: we follow, and know that nothing follows.
func (s *Session) heardLast() {
	if s.closer() {
		s.takeLeave()
		return
	}
	s.follow()
}

// wanted reports that the peer has asked for the files that we send: some
// profiles begin those with their data.
func (s *Session) wanted() bool {
	if s.p.Session.FetchByRequest {
		return s.brings
	}
	return s.download
}

// promised notes how many files a fetch is to bring, where nothing else tells
// the last of them.
func (s *Session) promised(files int) {
	if !s.p.Has(protocol.EndMore) {
		s.due = files
	}
}

// emptyEnd reports that an end is about no file: it says that nothing follows
// to who closes without having driven.
func (s *Session) emptyEnd(t *protocol.Telegram) bool {
	return s.closer() && t.Kind == protocol.End && t.Text(protocol.Name) == "" && t.Number(protocol.Size) == 0
}

// closedToo: the peer closes as well, while we wait for the answer to our own
// closing. It has nothing more to say.
func (s *Session) closedToo(ev *Event) {
	s.over(s.answerClose(ev.Telegram))
}
