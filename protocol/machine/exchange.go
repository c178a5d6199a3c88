package machine

import (
	"strconv"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// What a session does once it is open: files either way, fetches, inquiries
// and the closing. The tables in session.go say when.

func (s *Session) chosen(ev *Event) {
	s.order = ev.Order
	if s.p.Session.NamesFile {
		s.plan(ev.Order)
		return
	}
	switch ev.Order.Kind {
	case SendFile:
		s.state = Sending
		s.snd.begin(ev.Order.File, s.p.Files.AnnounceFetch || !s.wanted())
	case FetchFiles:
		t := s.env.request(protocol.Fetch)
		s.query(t, ev.Order.Query)
		s.await(Fetching)
	case AskAbout:
		t := s.env.request(protocol.Inquiry)
		s.query(t, ev.Order.Query)
		t.SetText(protocol.Serial, ev.Order.File.Serial)
		s.await(Asking)
	case CancelFile:
		s.query(s.env.request(protocol.Cancel), ev.Order.Query)
		s.await(Asking)
	default:
		s.through()
	}
}

func (s *Session) takeLeave() {
	s.total.say(s.env.request(protocol.Close))
	s.await(Leaving)
}

func (s *Session) query(t *protocol.Telegram, q Query) {
	if s.p.Carries(t.Kind, protocol.QueryName) {
		t.SetText(protocol.QueryName, q.Name)
		t.SetText(protocol.QueryDate, q.Date)
		t.SetText(protocol.QueryKind, q.Kind)
		return
	}
	t.SetText(protocol.Name, q.Name)
	t.SetText(protocol.Date, q.Date)
	t.SetText(protocol.EndDate, q.EndDate)
	t.SetText(protocol.Range, q.Range)
	t.SetText(protocol.Password, q.Password)
}

func (s *Session) toSender(ev *Event) {
	if !s.snd.step(ev) {
		return
	}
	if s.snd.gone != nil {
		s.over(s.snd.gone)
		return
	}
	if o := &s.snd.outcome; o.Result == ArrivedWhole {
		s.files++
		if !o.Settled { // one that the peer had says nothing of this session
			s.total.add(s.snd.file.Records, s.snd.file.Size)
		}
	}
	if s.toldLast() {
		s.follow()
		return
	}
	s.choose()
}

func (s *Session) toReceiver(ev *Event) {
	if !s.rcv.step(ev) {
		return
	}
	if ev.Kind == Verified && ev.Reason == protocol.OK {
		s.files++
		s.total.add(s.rcv.records(), s.rcv.came)
		s.unheard = true
	}
	if s.rcv.gone != nil {
		s.over(s.rcv.gone)
		return
	}
	if s.rcv.request.Kind == protocol.End && s.noMoreDue() {
		s.heardLast()
		return
	}
	s.follow()
}

func (s *Session) fetchReply(ev *Event) {
	t := ev.Telegram
	code := t.Text(protocol.Response)
	switch s.p.Meaning(code) {
	case protocol.OK:
		s.fetched = true
		s.more = t.Number(protocol.Total) > t.Number(protocol.Count)
		s.download = s.cfg.Side == protocol.InstitutionSide
		s.promised(int(t.Number(protocol.Count)))
	case protocol.Nothing:
		s.nothing, s.download = true, s.cfg.Side == protocol.InstitutionSide
		if !s.p.Session.EndNothing {
			s.heardLast()
			return
		}
	default:
		s.over(fault.New(CodeSessionRefused, protocol.Fetch.String(), "code", code))
		return
	}
	s.follow()
}

func (s *Session) info(ev *Event) {
	if s.sends() { // who closes is not who sends
		s.unexpected(ev.Telegram)
		return
	}
	s.state = Receiving
	s.rcv.announced(ev.Telegram)
}

// stray: data, a check or an end outside a file. After a fetch it starts one
// where files come unannounced; otherwise only the End after "nothing to
// receive" has a place.
func (s *Session) stray(ev *Event) {
	t := ev.Telegram
	end := t.Kind == protocol.End || t.Kind == protocol.EndMore
	switch {
	case s.sends():
		s.unexpected(t)
	case s.emptyEnd(t):
		s.reply(t, protocol.OK)
		s.takeLeave()
	case s.fetched && !s.p.Files.AnnounceFetch && (end || s.firstBlock(t)):
		s.state = Receiving
		s.rcv.unannounced(ev)
	case end && s.nothing:
		s.reply(t, protocol.OK)
		s.heardLast()
	default:
		s.unexpected(t)
		s.timer(s.cfg.Idle)
	}
}

func (s *Session) fetch(ev *Event) {
	if s.opener() { // the side that called is the one that fetches
		s.unexpected(ev.Telegram)
		return
	}
	s.buf = s.request.Keep(ev.Telegram, s.buf)
	s.add(AskFetch).Telegram = s.request
	s.state = Counting
}

func (s *Session) counted(ev *Event) {
	reason := ev.Reason
	if reason == protocol.OK && ev.Count == 0 {
		reason = protocol.Nothing
	}
	t := s.reply(&s.request, reason)
	t.SetNumber(protocol.Count, int64(ev.Count))
	t.SetNumber(protocol.Total, int64(ev.Total))
	switch {
	case reason == protocol.OK:
		s.download = s.cfg.Side == protocol.CentreSide
		s.promised(ev.Count)
		s.brings = true
		s.choose()
	case reason == protocol.Nothing:
		s.download = s.cfg.Side == protocol.CentreSide
		s.empty = s.p.Session.EndNothing
		s.last = !s.empty
		s.choose() // there may be something to ask, if nothing to send
	default:
		s.follow()
	}
}

func (s *Session) countBroke(ev *Event) {
	s.reply(&s.request, protocol.SystemFault)
	s.over(ev.Err)
}

func (s *Session) inquiry(ev *Event) {
	s.buf = s.request.Keep(ev.Telegram, s.buf)
	do := AskInquiry
	if ev.Telegram.Kind == protocol.Cancel {
		do = AskCancel
	}
	s.add(do).Telegram = s.request
	s.state = Looking
}

func (s *Session) answered(ev *Event) {
	t := s.reply(&s.request, ev.Reason)
	if ev.Reason == protocol.OK {
		s.p.SetFinding(t, ev.Finding)
	}
	t.SetNumber(protocol.Size, ev.Size)
	s.follow()
}

func (s *Session) lookBroke(ev *Event) {
	s.reply(&s.request, protocol.SystemFault)
	s.over(ev.Err)
}

// inquiryReply: the answer goes to the host, which settles what it asked for.
func (s *Session) inquiryReply(ev *Event) {
	t := ev.Telegram
	o := Outcome{Result: InquiryDone, Size: t.Number(protocol.Size)}
	o.Response, o.Finding = s.p.Found(t)
	if s.order.File.Settle {
		s.settled(&o, s.p.Carries(t.Kind, protocol.Size))
	}
	s.add(Finish).Outcome = o
	s.state = Recording
}

// settled is what an inquiry says of an end that nobody heard. Where its answer
// has room for the size, that proves; else that the peer holds the file in order.
func (s *Session) settled(o *Outcome, sized bool) {
	f := &s.order.File
	proof := transfer.Proof{Name: transfer.ProofInquiry, Expected: string(protocol.FoundWhole), Actual: string(o.Finding)}
	if sized {
		proof.Expected, proof.Actual = strconv.FormatInt(f.Declared, 10), strconv.FormatInt(o.Size, 10)
	}
	switch o.Finding {
	case protocol.FoundWhole:
		if proof.Holds() {
			o.Result, o.Settled, o.Proofs = ArrivedWhole, true, []transfer.Proof{proof}
			return
		}
	case protocol.FoundNothing, protocol.FoundUnfinished:
		o.Result = NotThere
		return
	case protocol.FoundBadMAC, protocol.FoundBadData, protocol.FoundAltered:
		o.Result, o.Err = RefusedByPeer, fault.New(CodeFoundBad, f.Name, "code", o.Response, "finding", string(o.Finding))
		return
	}
	o.Result, o.Err = EndUnknown, fault.New(CodeEndUnknown, f.Name)
}

func (s *Session) recorded(*Event) { s.choose() }

func (s *Session) closed(ev *Event) {
	s.over(s.answerClose(ev.Telegram))
}

// closedWithin: the peer closes in the middle of a file.
func (s *Session) closedWithin(ev *Event) {
	err := s.answerClose(ev.Telegram)
	if s.rcv.state == refusing { // some senders never end a file that was refused (§1.5)
		s.over(err)
		return
	}
	s.rcv.leave(fault.New(CodeUnexpected, ev.Telegram.Kind.String(), "state", s.state.String()))
	if s.rcv.state == recvDone {
		s.over(s.rcv.gone)
	}
}

func (s *Session) silent(*Event) {
	after := s.cfg.Reply
	switch s.state {
	case AwaitOpen, Greeting, AwaitLogin:
		after = s.cfg.First
	case Following:
		after = s.cfg.Idle
	}
	s.over(fault.New(CodeSilent, s.state.String(), "after", after))
}

func (s *Session) broke(ev *Event) { s.over(ev.Err) }

// lost: the connection is gone, or not worth going on with. The file under way
// records where it stands.
func (s *Session) lost(ev *Event) {
	switch s.state {
	case Sending:
		s.snd.lost(ev.Err)
		if s.snd.state == recording {
			return
		}
		s.over(s.snd.gone)
		return
	case Receiving:
		s.rcv.leave(ev.Err)
		if s.rcv.state != recvDone {
			return
		}
	case Leaving:
		s.over(nil)
		return
	}
	s.over(ev.Err)
}
