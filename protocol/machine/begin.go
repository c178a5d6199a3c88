package machine

import (
	"bytes"
	"pabal/internal/fault"
	"pabal/protocol"
)

// What comes before the opening: the profile's steps in their order, then the
// opening itself. Nothing of a file is known or stored here on either side, so
// a crash or a cut in any of these states leaves nothing behind: who called
// calls again and begins with the first step.

func (s *Session) start(*Event) {
	s.letters()
	if len(s.p.Session.Begins) > 0 {
		s.timer(s.cfg.First) // for all bytes together: one that comes each minute does not hold the line
	}
	s.proceed()
}

// proceed takes the steps up to one that the peer has to do something for.
func (s *Session) proceed() {
	for ; s.step < len(s.p.Session.Begins); s.step++ {
		st := &s.p.Session.Begins[s.step]
		mine := st.By.Is(s.cfg.Side, s.cfg.Called)
		switch {
		case st.Bytes != nil && mine:
			s.add(SendBytes).Step = st
			continue
		case st.Bytes != nil:
			s.add(Expect).Step = st
			s.state = Greeting
		case mine:
			s.challenge(s.env.request(st.Ask))
			s.await(LoggingIn)
		default:
			s.state = AwaitLogin
			s.timer(s.cfg.First)
		}
		return
	}
	s.startOpening()
}

func (s *Session) greeted(*Event) {
	s.step++
	s.proceed()
}

// challenge puts the one-time value into a telegram of ours that has room for
// it: the one that the peer made up, or ours if nobody has yet.
func (s *Session) challenge(t *protocol.Telegram) {
	if !s.p.Carries(t.Kind, protocol.Challenge) {
		return
	}
	if s.nonce == "" {
		s.nonce = s.cfg.Challenge[:min(len(s.cfg.Challenge), s.p.ChallengeWidth())]
	}
	t.SetText(protocol.Challenge, s.nonce)
}

// repeats reports that a telegram of the peer has the one-time value, if it
// has room for one. The first such telegram makes it up.
func (s *Session) repeats(t *protocol.Telegram) bool {
	if !s.p.Carries(t.Kind, protocol.Challenge) {
		return true
	}
	said := t.Text(protocol.Challenge)
	if s.nonce == "" {
		s.nonce = said
	}
	return said != "" && said == s.nonce
}

// login: the peer asks. What it says of itself is judged by our host, also
// where it says nothing but its code: who it is decides what we answer.
func (s *Session) login(ev *Event) {
	if ev.Telegram.Kind != s.p.Session.Begins[s.step].Ask {
		s.unexpected(ev.Telegram)
		return
	}
	s.buf = s.request.Keep(ev.Telegram, s.buf)
	if !s.repeats(&s.request) {
		s.refuse(protocol.BadPassword, nil)
		return
	}
	s.vet()
}

func (s *Session) vet() {
	s.add(AskOpen).Telegram = s.request
	s.state = Vetting
}

// refuse answers a request of the login with no and hangs up.
func (s *Session) refuse(r protocol.Reason, why error) {
	s.reply(&s.request, r)
	s.over(fault.New(CodeNotLetIn, s.request.Kind.String(), "code", s.p.Code(r)).Because(why))
}

// asked reports that the telegram that was judged is a request of the peer;
// else it is the answer to one of ours.
func (s *Session) asked() bool { return s.request.Kind.Reply() != protocol.NoKind }

func (s *Session) vetted(ev *Event) {
	switch {
	case ev.Reason != protocol.OK && s.asked():
		s.refuse(ev.Reason, ev.Err)
		return
	case ev.Reason != protocol.OK: // an answer is answered by nothing
		s.over(fault.New(CodeLogin, s.request.Kind.String()).Because(ev.Err))
		return
	}
	s.agree(ev.Terms)
	if s.cfg.Institution == "" { // who was called knows now who is there
		s.cfg.Institution = s.request.Text(protocol.Institution)
		s.business = bytes.Clone(s.request.Raw(protocol.Business))
	}
	if s.asked() {
		s.answerLogin()
	}
	s.step++
	s.proceed()
}

// answerLogin says yes, and who we are where only the answer has room for it.
func (s *Session) answerLogin() {
	t := s.reply(&s.request, protocol.OK)
	t.SetText(protocol.Institution, s.cfg.Institution) // who asked may not have known it
	if !s.p.Proves(s.request.Kind) {
		s.sender(t)
	}
	s.challenge(t)
}

func (s *Session) vettingBroke(ev *Event) {
	if s.asked() {
		s.reply(&s.request, protocol.SystemFault)
	}
	s.over(ev.Err)
}

// loginReply: the peer's answer to our request. A code that is not plainly yes
// is no (§1.6), and a wrong one-time value is no whatever the code.
func (s *Session) loginReply(ev *Event) {
	t := ev.Telegram
	asked := s.p.Session.Begins[s.step].Ask
	code := t.Text(protocol.Response)
	switch {
	case t.Kind != asked.Reply():
		s.unexpected(t)
	case !s.p.LetsIn(code):
		s.over(fault.New(CodeSessionRefused, asked.String(), "code", code))
	case !s.repeats(t):
		s.over(fault.New(CodeLogin, t.Kind.String()))
	case s.p.Carries(t.Kind, protocol.SenderName) && !s.p.Proves(asked):
		s.buf = s.request.Keep(t, s.buf)
		s.vet()
	default:
		s.step++
		s.proceed()
	}
}
