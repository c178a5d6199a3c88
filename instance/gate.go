package instance

import (
	"context"
	"errors"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// mostCounted is how many waiting files the answer to a fetch can name: its
// total has four digits (§3).
const mostCounted = 9999

// fetchMost is how many files one fetch brings at most (protocols §3).
const fetchMost = 512

// Open finds who opens among our institutions by the code in its header and
// holds its credentials against what was agreed.
func (s *session) Open(ctx context.Context, t *protocol.Telegram) (line.Judgement, error) {
	no := func(r protocol.Reason, e *fault.Error) (line.Judgement, error) {
		return line.Judgement{Reason: r, Err: e}, nil
	}
	if e := s.newest(); e != nil {
		return no(protocol.SystemFault, e)
	}
	if !s.profile.RightBusiness(t) {
		return no(protocol.Unregistered, fault.New(CodeBadBusiness, t.Text(protocol.Business)))
	}
	if t.Kind != protocol.Open {
		return s.login(t)
	}
	code := t.Text(s.profile.Session.CallerField)
	n := s.whoOpens(t, code)
	if n != nil && !n.Profile.RightBusiness(t) {
		return no(protocol.Unregistered, fault.New(CodeBadBusiness, t.Text(protocol.Business)))
	}
	if n == nil || s.who != nil && n != s.who { // who logged in opens, and nobody else
		return no(protocol.BadSender, fault.New(CodeUnknownPeer, code, "profile", s.profile.Name))
	}
	if e := s.admitted(n); e != nil {
		return no(protocol.BadSender, e)
	}
	if !s.proven || s.profile.Carries(protocol.Open, protocol.SenderName) {
		if reason, e := s.credentials(t, n, code); e != nil {
			return no(reason, e)
		}
	}
	switch why, err := s.inQuarantine(ctx); {
	case err != nil:
		return line.Judgement{}, err
	case why != nil:
		return no(protocol.SystemFault, why)
	}
	download, _ := s.profile.Opened(t, n.Side.Other())
	send := download == (n.Side == protocol.CentreSide)
	if n.closedNow(s.business(), send) {
		return no(protocol.ClosedHours, fault.New(CodeClosedHours, n.Code))
	}
	d := transfer.Receive
	if send {
		d = transfer.Send
	}
	if s.inst == nil { // else it was we who called, and its line is ours
		s.inst = n
		if _, said := s.profile.Sender(t); !said && s.profile.Session.FetchByRequest {
			d = "" // what the caller wants shows when it announces a file, or asks for some
		}
		if err := s.begin(ctx, s.peer.String(), false, d); err != nil {
			return line.Judgement{}, err
		}
		s.opened()
	}
	s.left = -1
	s.log.Info("session opened by the counterparty", "peer", s.row.Peer, "direction", string(d))
	return line.Judgement{Reason: protocol.OK, Terms: machine.Terms{
		Peer: s.inst.Peer, MessageSize: s.inst.MessageSize, Rounds: s.inst.Rounds, Reply: s.inst.Reply, Pause: s.inst.Pause,
	}}, nil
}

// login judges a telegram of the login before the opening: whose it is, and
// where it carries a name and a password, whether they are those agreed. It
// takes no line and writes no row: that is for the opening.
func (s *session) login(t *protocol.Telegram) (line.Judgement, error) {
	code := t.Text(s.profile.Session.CallerField)
	n := s.inst
	if n == nil { // one that we called needs not say who it is
		n = s.whoOpens(t, code)
	}
	if n == nil || s.who != nil && n != s.who {
		return line.Judgement{Reason: protocol.BadSender, Err: fault.New(CodeUnknownPeer, code, "profile", s.profile.Name)}, nil
	}
	if e := s.admitted(n); e != nil {
		return line.Judgement{Reason: protocol.BadSender, Err: e}, nil
	}
	if s.profile.Carries(t.Kind, protocol.SenderName) {
		if reason, e := s.credentials(t, n, n.caller()); e != nil {
			return line.Judgement{Reason: reason, Err: e}, nil
		}
		s.proven = true
	}
	s.who = n
	return line.Judgement{Reason: protocol.OK, Terms: machine.Terms{
		Peer: n.Peer, SenderName: n.Sender.Name, Password: n.Sender.Password, Login: n.login(), Reply: n.Reply,
	}}, nil
}

// login is what we say of ourselves in it, nil if that is what the opening says.
func (n *institution) login() *machine.Login {
	if own := n.Login.Sender; own != nil {
		return &machine.Login{Name: own.Name, Password: own.Password}
	}
	return nil
}

// whoOpens is the institution whose opening this is, nil if it is nobody's. Two
// of one code may have business codes that differ.
// Where we called it must be the one that we called.
func (s *session) whoOpens(t *protocol.Telegram, code string) *institution {
	if s.inst != nil {
		if s.inst.caller() != code {
			return nil
		}
		return s.inst
	}
	side := s.calledSide()
	if _, by := s.profile.Opened(t, side.Other()); !s.profile.Session.Opens.Fixed() {
		side = by.Other()
	}
	var found *institution
	for _, n := range s.insts {
		if n.Profile.Name == s.profile.Name && n.mayOpen() && n.Side == side && n.caller() == code {
			if n.Profile.RightBusiness(t) {
				return n
			}
			found = n // told apart from others of its code by nothing, or it speaks of another business
		}
	}
	return found
}

// credentials holds what the opening or a telegram of the login says of its
// sender against what was agreed with n.
func (s *session) credentials(t *protocol.Telegram, n *institution, code string) (protocol.Reason, *fault.Error) {
	want := n.Expect
	if own := n.Login.Expect; own != nil && t.Kind.Login() {
		want = *own
	}
	if want.Name == "" {
		return protocol.OK, nil
	}
	name, who := t.Text(protocol.SenderName), s.caller(code)
	if until := s.wrong.barred(who, s.now()); !until.IsZero() {
		// Whatever it says: right or wrong is not to be found out by trying.
		return protocol.BadPassword, fault.New(CodeThrottled, code, "until", until.In(s.o.Zone).Format(time.TimeOnly))
	}
	if name != want.Name {
		s.wrong.failed(who, s.now(), guessing())
		return protocol.BadSender, fault.New(CodeBadSender, code, "sender", name)
	}
	if !s.profile.Session.Cipher.Matches(t.Text(protocol.SenderPassword), code, name, want.Password, s.business()) {
		s.wrong.failed(who, s.now(), guessing())
		return protocol.BadPassword, fault.New(CodeBadPassword, code)
	}
	s.wrong.right(who)
	return protocol.OK, nil
}

// Fetch counts the files that wait for a caller.
func (s *session) Fetch(ctx context.Context, t *protocol.Telegram) (line.Counted, error) {
	if err := s.trusted(ctx); err != nil {
		return line.Counted{}, err
	}
	if !s.rightPassword(t.Text(protocol.Password)) {
		s.log.Warn("fetch refused", "code", CodeTransferPass)
		return line.Counted{Reason: protocol.BadPassword}, nil
	}
	if s.inst.closedNow(s.business(), true) {
		return line.Counted{Reason: protocol.ClosedHours}, nil
	}
	s.goes(transfer.Send)
	s.only = safe(t.Text(protocol.Name))
	if s.only == allKinds {
		s.only = ""
	}
	ready := []transfer.Status{transfer.Stored, transfer.Waiting}
	if s.inst.Profile.Files.SettleAgain { // those that are announced again to settle them
		ready = append(ready, transfer.Unknown)
	}
	waiting, err := s.s.List(ctx, store.Filter{
		Institution: s.inst.Code, Direction: transfer.Send, WireName: s.only,
		Statuses: ready, Limit: mostCounted,
	})
	if err != nil {
		return line.Counted{}, err
	}
	now, n := s.now(), 0
	for _, w := range waiting {
		if !w.NextTry.After(now) {
			n++
		}
	}
	s.left = min(n, fetchMost)
	return line.Counted{Reason: protocol.OK, Count: s.left, Total: n}, nil
}

// allKinds asks for files of every kind (§3).
const allKinds = "ZZZ"

// Inquire answers what a counterparty asks about a file of its own that it
// sent: 조회 and 취소 of the centre (§1.6), or a look-up (§3).
func (s *session) Inquire(ctx context.Context, t *protocol.Telegram) (line.Answer, error) {
	if err := s.trusted(ctx); err != nil {
		return line.Answer{}, err
	}
	id := store.Identity{Institution: s.inst.Code, Direction: transfer.Receive}
	byResult := s.profile.Carries(t.Kind, protocol.QueryName)
	if byResult {
		id.WireName, id.BaseDate = safe(t.Text(protocol.QueryName)), safe(t.Text(protocol.QueryDate))
	} else {
		id.WireName, id.Serial = safe(t.Text(protocol.Name)), safe(t.Text(protocol.Serial))
		id.BaseDate = protocol.FullDate(t.Text(protocol.Date), s.business())
	}
	var last *transfer.Transfer
	// A blank name or day does not restrict a search: it would mean whichever
	// file came last. Taking one back needs both.
	if id.WireName != "" && (id.BaseDate != "" || t.Kind != protocol.Cancel) {
		same, err := s.s.FindSame(ctx, id)
		if err != nil {
			return line.Answer{}, err
		}
		for _, t := range same {
			if last == nil && t.Status != transfer.Duplicate { // the file itself, not that it came twice
				last = t
			}
		}
	}
	if t.Kind == protocol.Cancel {
		return s.cancelFor(ctx, t, last)
	}
	found := s.found(last)
	answer := line.Answer{Reason: protocol.OK, Finding: found}
	if found == protocol.FoundNothing || found == protocol.FoundUnfinished {
		return answer, nil
	}
	answer.Size = last.WireSize
	if s.profile.Files.FileSizes {
		answer.Size = last.FileSize
	}
	return answer, nil
}

// found is what has become of a file that came, nil if none did.
func (s *session) found(t *transfer.Transfer) protocol.Finding {
	switch {
	case t == nil || t.Status == transfer.Abandoned || t.Status == transfer.Cancelled:
		return protocol.FoundNothing
	case t.Status == transfer.Receiving:
		return protocol.FoundUnfinished
	case t.Status == transfer.Held && t.ErrorCode == string(CodeContent):
		return protocol.FoundBadData // it came, but its data is wrong
	case t.Status == transfer.Failed && s.profile.Tells(protocol.InquiryReply, protocol.FoundBadData):
		return protocol.FoundBadData
	case t.Status == transfer.Failed: // we do not hold it
		return protocol.FoundNothing
	case t.Status == transfer.Received || t.Status == transfer.Placing || t.Status == transfer.Waiting:
		return protocol.FoundProcessing
	}
	return protocol.FoundWhole
}

// cancelFor takes back a file that the counterparty wants to send afresh
// (0500, §1.6): as long as it has not left our receive stages. That is said of
// the row as the order finds it: a stage may have gone on since it was read.
func (s *session) cancelFor(ctx context.Context, asked *protocol.Telegram, t *transfer.Transfer) (line.Answer, error) {
	if t == nil {
		return line.Answer{Reason: protocol.OK, Finding: protocol.FoundNothing}, nil
	}
	now := s.now()
	var found protocol.Finding
	_, err := s.s.Command(ctx, now, transfer.Command{Name: "cancel", TransferID: t.ID,
		Who: "peer " + s.inst.Code, Host: s.row.Peer, Reason: asked.Text(protocol.Type)}, func(r *transfer.Transfer) error {
		if found = cancellable(r.Status); found != protocol.CancelDone {
			return errNotCancelled
		}
		r.Status, r.EndedAt = transfer.Cancelled, now
		return nil
	})
	if err != nil && !errors.Is(err, errNotCancelled) {
		return line.Answer{}, err
	}
	return line.Answer{Reason: protocol.OK, Finding: found}, nil
}

var errNotCancelled = errors.New("instance: the file is not taken back")

// cancellable is what becomes of a file that is received when the counterparty
// takes it back.
func cancellable(st transfer.Status) protocol.Finding {
	switch st {
	case transfer.Cancelled, transfer.Abandoned:
		return protocol.CancelBefore
	case transfer.Received, transfer.Waiting, transfer.Held, transfer.Failed, transfer.Receiving:
		return protocol.CancelDone
	case transfer.Placing:
		return protocol.FoundProcessing
	}
	return protocol.CancelLate
}
