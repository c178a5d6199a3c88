package machine

import (
	"bytes"
	"pabal/internal/fault"
	"pabal/protocol"
)

// State is where a session stands.
type State uint8

const (
	Fresh       State = iota // nothing has happened
	Greeting                 // the peer is to send its bytes
	LoggingIn                // a request of the login sent
	AwaitLogin               // the peer is to send one
	Vetting                  // asked whether what the peer said in the login is right
	Opening                  // Open sent
	AwaitOpen                // the peer is to open
	Judging                  // asked whether the caller may come in
	Choosing                 // we drive: asked what is next
	Sending                  // the sender runs
	Fetching                 // Fetch sent
	Asking                   // Inquiry or Cancel sent
	Recording                // an inquiry's outcome is being committed
	Following                // the peer drives
	Receiving                // the receiver runs
	Counting                 // asked how many files there are
	Looking                  // asked about a file on the peer's behalf
	EndingEmpty              // End sent though nothing was to be sent
	Leaving                  // Close sent
	Over
	numStates
)

func (s State) String() string {
	return [...]string{"fresh", "greeting", "logging-in", "await-login", "vetting", "opening", "await-open", "judging", "choosing", "sending", "fetching", "asking", "recording",
		"following", "receiving", "counting", "looking", "ending-empty", "leaving", "over"}[s]
}

// maxMistakes is how many telegrams without a place a peer may send.
const maxMistakes = 100

// Session is the conversation on one connection.
type Session struct {
	*env
	state   State
	snd     sender
	rcv     receiver
	step    int               // of the profile's Begins that is under way
	nonce   string            // the one-time value of the login; "" = nobody has sent it yet
	request protocol.Telegram // the one that waits for our answer
	buf     []byte
	order   Order
	resends int
	nothing bool // a fetch of ours found nothing: an End without a file is in order
	empty   bool // a fetch of the peer's found nothing: an End without a file goes before Close
	fetched bool // files come unannounced from here on
	more    bool // there is more to fetch than this session brings
	files   int
	total   totals // of those, what the closing says
	unheard bool   // nothing has come since the last file's end was confirmed
	ev      Event  // the one being handled
	open    Do     // the question that waits for its answer; Send if none
	opens   int    // openings that may still be answered
	stands  bool   // the session has been opened
	planned bool   // the opening names a file, which is sent when the session is open
	due     int    // files that a fetch has promised and that have not come, where no end says that more follow
	brings  bool   // a fetch of the peer's is what we send for
	last    bool   // who follows knows that nothing follows
	ended   error  // too many mistakes: the file under way is recorded, then it is over
}

// New is a session that has not started.
func New(cfg Config) *Session {
	e := newEnv(cfg)
	return &Session{env: e, snd: sender{env: e}, rcv: receiver{env: e}}
}

// State is where the session stands.
func (s *Session) State() State { return s.state }

// Awaits reports that the peer is to say who it is: by its opening, or in the
// login before it.
func (s *Session) Awaits() bool { return s.state == AwaitOpen || s.state == AwaitLogin }

// Mistakes is how many telegrams of the peer had no place or did not fit.
func (s *Session) Mistakes() int { return s.mistakes }

// Over reports that nothing more will be done.
func (s *Session) Over() bool { return s.state == Over }

// Lengths of the sequences of the block being received.
func (s *Session) Lengths() []uint16 { return s.rcv.Lengths() }

// Stride is the room of one sequence in the buffer of the block being received.
func (s *Session) Stride() int { return s.rcv.stride() }

// MoreToFetch reports that the peer has more files than this session brought.
func (s *Session) MoreToFetch() bool { return s.more }

// Files is how many files were sent or received to their end.
func (s *Session) Files() int { return s.files }

// Heard reports that the peer has gone on since we last confirmed the end of a
// file, so that it knows what we said; or that we confirmed none.
func (s *Session) Heard() bool { return !s.unheard }

// Step handles one event. The returned actions are good until the next Step.
//
// While a question is open only its answer, Broke and Lost count; anything else
// would let a telegram overtake what our own side has yet to commit (D2), and
// is not looked at. An answer to a question that was not asked is not either.
func (s *Session) Step(ev Event) []Action {
	s.out = s.out[:0]
	if s.state == Over || !s.inOrder(ev.Kind) {
		return nil
	}
	s.now, s.ev = ev.Now, ev
	if ev.Kind != Lost || s.open != Finish { // an outcome that is being committed is waited for
		s.open = Send
	}
	if ev.Kind == Arrived || ev.Kind == Garbled {
		s.unheard = false
	}
	switch ev.Kind {
	case Arrived:
		s.arrived(&s.ev)
	case Garbled:
		s.garbled(&s.ev)
	case Lost:
		s.lost(&s.ev)
	default:
		if h := onEvent[s.state][ev.Kind]; h != nil {
			h(s, &s.ev)
		}
	}
	if s.mistakes > maxMistakes && s.ended == nil && s.state != Over && !s.asking() {
		s.ended = fault.New(CodeMistakes, "", "mistakes", s.mistakes).Because(s.mistake)
		s.lost(&Event{Kind: Lost, Now: ev.Now, Err: s.ended})
	}
	if s.asking() {
		s.open = s.out[len(s.out)-1].Do
	}
	return s.out
}

// asking reports that the list ends with a question.
func (s *Session) asking() bool {
	return len(s.out) > 0 && s.out[len(s.out)-1].Do.question()
}

func (s *Session) inOrder(k EventKind) bool {
	switch {
	case k == Lost:
		return true
	case s.open.question():
		return k.answers(s.open)
	}
	return k <= TimedOut
}

type handler func(*Session, *Event)

// onTelegram is the table of the procedure: what a telegram means in a state.
// A place without a handler is a telegram without a place: it is answered
// with the profile's format error where it wants an answer, and counted.
var onTelegram = [numStates][protocol.NumKinds]handler{ // immutable
	LoggingIn: {
		protocol.LoginReply:  (*Session).loginReply,
		protocol.VerifyReply: (*Session).loginReply,
	},
	AwaitLogin: {
		protocol.Login:  (*Session).login,
		protocol.Verify: (*Session).login,
	},
	Opening: {
		protocol.OpenReply: (*Session).opened,
		protocol.Info:      (*Session).earlyInfo,
	},
	AwaitOpen: {
		protocol.Open: (*Session).judge,
	},
	Sending:  all((*Session).toSender, protocol.InfoReply, protocol.CheckReply, protocol.EndReply, protocol.EndMoreReply),
	Fetching: {protocol.FetchReply: (*Session).fetchReply},
	Asking: {
		protocol.InquiryReply: (*Session).inquiryReply,
		protocol.CancelReply:  (*Session).inquiryReply,
	},
	Following: {
		protocol.Open:         (*Session).openAgain,
		protocol.OpenReply:    (*Session).lateOpenReply,
		protocol.Info:         (*Session).info,
		protocol.Fetch:        (*Session).fetch,
		protocol.DataTelegram: (*Session).stray,
		protocol.Resend:       (*Session).stray,
		protocol.Check:        (*Session).stray,
		protocol.End:          (*Session).stray,
		protocol.EndMore:      (*Session).stray,
		protocol.Inquiry:      (*Session).inquiry,
		protocol.Cancel:       (*Session).inquiry,
		protocol.Close:        (*Session).closed,
	},
	Receiving: {
		protocol.OpenReply:    (*Session).lateOpenReply,
		protocol.Info:         (*Session).toReceiver,
		protocol.DataTelegram: (*Session).toReceiver,
		protocol.Resend:       (*Session).toReceiver,
		protocol.Check:        (*Session).toReceiver,
		protocol.End:          (*Session).toReceiver,
		protocol.EndMore:      (*Session).toReceiver,
		protocol.Close:        (*Session).closedWithin,
	},
	EndingEmpty: {
		protocol.EndReply:     (*Session).endedEmpty,
		protocol.EndMoreReply: (*Session).endedEmpty,
	},
	Leaving: {
		protocol.CloseReply: (*Session).left,
		protocol.Close:      (*Session).closedToo,
	},
}

// onEvent is the same for what our own side answers, and for time.
var onEvent = [numStates][numEvents]handler{ // immutable
	Fresh:       {Started: (*Session).start},
	Greeting:    {Greeted: (*Session).greeted, TimedOut: (*Session).silent},
	LoggingIn:   {TimedOut: (*Session).silent},
	AwaitLogin:  {TimedOut: (*Session).silent},
	Vetting:     {Judged: (*Session).vetted, Broke: (*Session).vettingBroke},
	Opening:     {TimedOut: (*Session).reopen},
	AwaitOpen:   {TimedOut: (*Session).silent},
	Judging:     {Judged: (*Session).judged, Broke: (*Session).judgeBroke},
	Choosing:    {Chosen: (*Session).chosen, Broke: (*Session).broke},
	Sending:     {Loaded: (*Session).toSender, Marked: (*Session).toSender, Finished: (*Session).toSender, TimedOut: (*Session).toSender, Broke: (*Session).toSender},
	Fetching:    {TimedOut: (*Session).silent},
	Asking:      {TimedOut: (*Session).silent},
	Recording:   {Finished: (*Session).recorded, Broke: (*Session).broke},
	Following:   {TimedOut: (*Session).silent},
	Receiving:   {Accepted: (*Session).toReceiver, Saved: (*Session).toReceiver, Verified: (*Session).toReceiver, Finished: (*Session).toReceiver, TimedOut: (*Session).toReceiver, Broke: (*Session).toReceiver},
	Counting:    {Counted: (*Session).counted, Broke: (*Session).countBroke},
	Looking:     {Answered: (*Session).answered, Broke: (*Session).lookBroke},
	EndingEmpty: {TimedOut: (*Session).silent},
	Leaving:     {TimedOut: (*Session).leftSilently},
}

func all(h handler, kinds ...protocol.Kind) (row [protocol.NumKinds]handler) {
	for _, k := range kinds {
		row[k] = h
	}
	return row
}

func (s *Session) arrived(ev *Event) {
	t := ev.Telegram
	if h := onTelegram[s.state][t.Kind]; h != nil {
		h(s, ev)
		return
	}
	s.unexpected(t)
}

// unexpected: a telegram that has no place in this state. Before the opening
// it ends the session; after, it is answered and counted.
func (s *Session) unexpected(t *protocol.Telegram) {
	s.wrong(fault.New(CodeUnexpected, t.Kind.String(), "state", s.state.String()))
	if t.Kind.Reply() != protocol.NoKind {
		s.reply(t, protocol.BadFormat)
	}
	if s.state <= Judging {
		s.over(s.mistake)
	}
}

// garbled: a telegram was cut off from the next but does not say what its
// layout promises. Data of that kind will be found missing; a request is told.
func (s *Session) garbled(ev *Event) {
	s.wrong(ev.Err)
	if ev.Telegram.Kind.Reply() != protocol.NoKind {
		s.reply(ev.Telegram, ev.Reason)
	}
	if s.state <= Judging {
		s.over(ev.Err)
	}
}

func (s *Session) over(err error) {
	if s.planned { // what was to be sent has not left
		s.planned = false
		s.state = Sending
		s.snd.abandon(err)
		return
	}
	a := s.add(HangUp)
	a.Outcome.Err = err
	s.state = Over
}

func (s *Session) await(st State) {
	s.state = st
	s.timer(s.cfg.Reply)
}

func (s *Session) follow() {
	s.state = Following
	s.timer(s.cfg.Idle)
}

// choose asks what to do next on the side that drives.
func (s *Session) choose() {
	s.add(AskNext)
	s.state = Choosing
}

func (s *Session) startOpening() {
	if !s.opener() {
		s.state = AwaitOpen
		s.timer(s.cfg.First)
		return
	}
	if s.p.Session.NamesFile {
		s.choose()
		return
	}
	s.sendOpen()
}

func (s *Session) sendOpen() {
	t := s.env.request(protocol.Open)
	if s.planned {
		s.snd.describe(t)
	}
	s.opens++
	s.await(Opening)
}

func (s *Session) reopen(*Event) {
	if s.resends++; s.resends > s.p.Session.Resends {
		s.over(fault.New(CodeSilent, protocol.Open.String(), "after", s.cfg.Reply))
		return
	}
	s.sendOpen()
}

func (s *Session) opened(ev *Event) {
	s.opens--
	code := ev.Telegram.Text(protocol.Response)
	if s.p.Meaning(code) != protocol.OK {
		s.over(fault.New(CodeSessionRefused, "", "code", code))
		return
	}
	s.stands = true
	s.begin()
}

// begin: the session is open, and who sends drives it.
func (s *Session) begin() {
	switch {
	case s.sends() && s.p.Session.NamesFile:
		s.sendNamed()
	case s.sends():
		s.choose()
	case s.p.Session.NamesFile && s.named == "":
		s.heardLast()
	default:
		s.follow()
	}
}

// earlyInfo: a centre's first announcement may come before its reply to the
// opening (§1.4).
func (s *Session) earlyInfo(ev *Event) {
	if s.sends() || !s.p.Session.EarlyInfo {
		s.unexpected(ev.Telegram)
		return
	}
	s.info(ev)
}

// lateOpenReply: the reply that the early announcement overtook, or one to an
// opening that we sent twice.
func (s *Session) lateOpenReply(ev *Event) {
	if s.opens == 0 {
		s.unexpected(ev.Telegram)
		return
	}
	s.opens--
	if code := ev.Telegram.Text(protocol.Response); s.p.Meaning(code) != protocol.OK {
		s.lost(&Event{Kind: Lost, Now: s.now, Err: fault.New(CodeSessionRefused, "", "code", code)})
		return
	}
	s.timer(s.cfg.Idle)
}

func (s *Session) judge(ev *Event) {
	s.buf = s.request.Keep(ev.Telegram, s.buf)
	if !s.directed(ev.Telegram) {
		s.reply(&s.request, protocol.BadFormat)
		s.over(fault.New(CodeNotLetIn, "direction", "code", s.p.Code(protocol.BadFormat)))
		return
	}
	s.add(AskOpen).Telegram = s.request
	s.state = Judging
}

func (s *Session) judged(ev *Event) {
	if ev.Reason != protocol.OK {
		s.reply(&s.request, ev.Reason)
		s.over(fault.New(CodeNotLetIn, "", "code", s.p.Code(ev.Reason)).Because(ev.Err))
		return
	}
	s.agree(ev.Terms)
	if s.p.Session.NamesFile {
		s.named, s.namedDate = s.request.Text(protocol.Name), s.request.Text(protocol.Date)
	}
	s.cfg.Institution = s.request.Text(protocol.Institution)
	s.business = bytes.Clone(s.request.Raw(protocol.Business))
	s.reply(&s.request, protocol.OK)
	s.begin()
}

func (s *Session) judgeBroke(ev *Event) {
	s.reply(&s.request, protocol.SystemFault)
	s.over(ev.Err)
}
