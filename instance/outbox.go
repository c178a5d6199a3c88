package instance

import (
	"context"
	"errors"
	"strings"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// Next gives the next file that is ready for the counterparty, then, once, a
// fetch if this session is to receive as well.
func (s *session) Next(ctx context.Context) (machine.Order, error) {
	t, err := s.take(ctx)
	if err != nil {
		return machine.Order{}, err
	}
	if t == nil {
		if s.fetch && s.profile.Session.FetchByRequest && !s.fetched {
			s.fetched = true
			s.goes(transfer.Receive)
			return machine.Order{Kind: machine.FetchFiles, Query: s.fetchQuery()}, nil
		}
		return machine.Order{Kind: machine.NothingMore}, nil
	}
	s.current = t
	s.goes(t.Direction)
	s.logFile(t)
	f := s.order(t)
	query := machine.Query{Kind: fileStatus, Name: t.WireName, Date: t.BaseDate}
	switch {
	case t.Ask == transfer.AskRecall && !s.profile.Has(protocol.Cancel):
		// An order made under another configuration: an inquiry in its place
		// would be an answer to something else.
		s.current = nil
		s.dropQuestion(ctx, t, fault.New(CodeCannotAsk, t.Name, "profile", s.profile.Name))
		return s.Next(ctx)
	case t.Ask == transfer.AskRecall:
		f.Settle = false
		return machine.Order{Kind: machine.CancelFile, File: f, Query: query}, nil
	case t.Status != transfer.Sending:
		f.Settle = t.Status == transfer.Unknown && t.Ask == transfer.AskNothing
		return machine.Order{Kind: machine.AskAbout, File: f, Query: query}, nil
	}
	s.log.Info("sending", "transfer", t.ID, "name", t.Name, "wire_name", t.WireName, "bytes", t.WireSize, "attempt", t.Attempt)
	return machine.Order{Kind: machine.SendFile, File: f}, nil
}

// fileStatus is the 조회종류 that asks what has become of a file (§1.3).
const fileStatus = "001"

// order is what the machine must know of a transfer.
func (s *session) order(t *transfer.Transfer) machine.File {
	f := machine.File{
		Name: t.WireName, Date: t.BaseDate, Serial: t.Serial, Size: t.WireSize, Declared: t.WireSize,
		Records: t.Records, Unit: 1, DataSize: t.DataSize, MessageSize: t.MessageSize, Sent: t.SentBytes,
		Ended:    t.EndedOnce && t.EndedDigest == t.FileDigest, // of this content, not just of this row (design D5)
		Settle:   t.Status == transfer.Unknown,
		Password: s.inst.TransferPassword,
	}
	if s.profile.Files.FileSizes {
		f.Declared = t.FileSize
	}
	if reg := s.file(t); reg != nil {
		if n := reg.Form.WireRecord(s.inst.encoding(reg)); n > 0 && t.DataSize%n == 0 && !s.profile.Limits.Full {
			f.Unit = n
		}
	}
	enc, _ := filemgr.ParseEncoding(t.Encoding) // written by us when it was stored
	f.Gzip, f.EBCDIC, f.CutOnce = enc.Gzip, enc.EBCDIC, s.profile.Parts != nil
	f.Head, f.Tail = t.HeadSize, t.TailSize
	return f
}

func (s *session) fetchQuery() machine.Query {
	q := machine.Query{Name: allKinds, Range: "E", Password: s.inst.TransferPassword}
	var names []string
	for n := range s.o.Files {
		if f := &s.o.Files[n]; f.Institution == s.inst.Code && f.Direction == transfer.Receive {
			names = append(names, f.FileID)
		}
	}
	if len(names) == 1 && len(names[0]) <= s.profile.Files.NameWidth {
		q.Name = names[0]
	}
	today := s.business()
	q.EndDate, q.Date = today.Format("20060102"), today.AddDate(0, 0, -29).Format("20060102") // 30 days at most (§3)
	return q
}

// Load reads from the payload keeper straight into the session's block buffer.
// The same question tells, once a block, that a person has held or cancelled the
// transfer, or that another session took it.
func (s *session) Load(ctx context.Context, offset int64, dst []byte) error {
	got, err := s.s.ReadHeld(ctx, s.current, offset, int64(len(dst)), dst[:0])
	if err != nil {
		return s.dropped(err)
	}
	if len(got) != len(dst) {
		at := s.current.Geometry().At(offset, s.current.WireSize)
		return fault.New(store.CodeBlockMissing, s.current.ID, "block", at.Block, "seq", at.Seq)
	}
	if len(got) > 0 && &got[0] != &dst[0] {
		copy(dst, got)
	}
	return nil
}

// Missed writes into the history which sequences the peer asked for again.
func (s *session) Missed(ctx context.Context, block int64, missing *transfer.SeqSet) {
	if s.current != nil {
		s.round(ctx, s.current, block, missing.List())
	}
}

// round is one missing round of a block (결번), on either side.
func (s *session) round(ctx context.Context, t *transfer.Transfer, block int64, missing []int) {
	if !s.noted.room("round", t.ID) {
		return
	}
	names := make([]string, len(missing))
	for n, seq := range missing {
		names[n] = serial(seq)
	}
	s.log.Info("missing numbers", "transfer", t.ID, "wire_name", t.WireName, "block", block, "missing", len(missing))
	s.history(ctx, transfer.Event{TransferID: t.ID, SessionID: s.row.ID, Kind: "round",
		Detail: detail(fault.New("", "", "block", block, "count", len(missing), "missing", strings.Join(names, ",")))})
}

// Ending commits that the end request is about to leave: from here on only
// the peer's answer, an inquiry or a person says whether the file arrived.
func (s *session) Ending(ctx context.Context, resent int64) (bool, error) {
	ending := &store.Edit{Row: s.current, F: func(r *transfer.Transfer) error {
		r.Status, r.EndedOnce, r.EndedDigest = transfer.Ending, true, r.FileDigest
		r.Resent += resent
		r.SentBytes = r.WireSize
		return nil
	}}
	if s.next != nil || s.only != "" || !s.wantsMore() {
		err := s.s.ChangeAll(ctx, s.now(), []*store.Edit{ending})
		if err = or(err, ending.Err); err != nil {
			return false, s.unmarked(err)
		}
		if s.next == nil {
			if s.next, err = s.take(ctx); err != nil {
				s.log.Warn("cannot look for a following file", "err", err)
			}
		}
		return s.next != nil && s.next.Status == transfer.Sending, nil
	}
	// The file that follows is claimed in the same transaction. A crash after
	// it leaves the one unknown and the other, of which nothing has left, to
	// wait again.
	claimed, err := s.s.ChangeAndClaim(ctx, s.now(), ending, s.fileQuery(s.inst, s.row.ID))
	s.next = one(claimed) // with a commit that nobody knows of as well: close gives it back
	if err = or(err, ending.Err); err != nil {
		return false, s.unmarked(err)
	}
	if s.next != nil {
		s.counted()
		return s.next.Status == transfer.Sending, nil
	}
	if s.next, err = s.take(ctx); err != nil {
		s.log.Warn("cannot look for a following file", "err", err)
	}
	return s.next != nil && s.next.Status == transfer.Sending, nil
}

// unmarked notes that the mark may be there although its commit was not answered.
func (s *session) unmarked(err error) error {
	if fault.CodeOf(err) == store.CodeCommitUnknown {
		s.stale = s.current.ID
	}
	return s.dropped(err)
}

// Finish commits what became of the file under way.
func (s *session) Finish(ctx context.Context, o machine.Outcome) error {
	if s.incoming != nil {
		return s.finishReceive(ctx, o)
	}
	t := s.current
	if t == nil {
		return nil
	}
	s.current = nil
	if errors.Is(o.Err, line.ErrDropped) {
		s.log.Info("file was taken from the session", "transfer", t.ID)
		return nil
	}
	if lostPayload(o.Err) && s.restorable(t) {
		s.settle(ctx, t, func(r *transfer.Transfer) {
			r.Status, r.Owner, r.SessionID, r.NextTry = transfer.Storing, "", "", s.now()
			r.SentBytes = max(r.SentBytes, o.Sent) // the peer may go on from there
			note(r, o.Err)
		})
		s.wake.store.Give()
		return nil
	}
	if o.MessageSize > 0 && s.restorable(t) {
		s.cutAnew(ctx, t, o)
		return nil
	}
	if lostPayload(o.Err) { // for good: no later session can send it
		o.Result = machine.FailedHere
	}
	if o.Result == machine.InquiryDone {
		return s.answeredByPeer(ctx, t, o)
	}
	s.conclude(ctx, t, o)
	return nil
}

// conclude writes what became of a file that was being sent.
func (s *session) conclude(ctx context.Context, t *transfer.Transfer, o machine.Outcome) {
	r := s.settle(ctx, t, func(r *transfer.Transfer) {
		if r.Status == transfer.Ending && t.Status != transfer.Ending {
			// Marked without our knowing: the answer to the commit was lost,
			// and the request did not leave.
			r.EndedOnce, r.EndedDigest = t.EndedOnce, t.EndedDigest
		}
		s.finish(r, o)
	})
	if r == nil {
		return
	}
	s.log.Info("file "+o.Result.String(), "transfer", r.ID, "name", r.Name, "status", string(r.Status),
		"response", o.Response, "resent", r.Resent, "err", o.Err)
	if r.ResultDue() {
		s.wake.result.Give()
	}
	if r.Status.Final() && r.PayloadIn == transfer.InFile { // until now the work file was needed
		s.wake.backup.Give()
	}
}

// answeredByPeer writes down what the peer said to a person's question. It
// changes no status: what to do about it is for the person to say.
func (s *session) answeredByPeer(ctx context.Context, t *transfer.Transfer, o machine.Outcome) error {
	what := t.Ask
	s.settle(ctx, t, func(r *transfer.Transfer) {
		r.Ask, r.Owner, r.SessionID, r.NextTry, r.Tries = transfer.AskNothing, "", "", time.Time{}, 0
		r.Response = o.Response
	})
	s.log.Info("the counterparty has answered", "transfer", t.ID, "wire_name", t.WireName, "asked", string(what), "result", o.Response, "finding", string(o.Finding))
	return s.s.Event(ctx, s.now(), transfer.Event{TransferID: t.ID, SessionID: s.row.ID, Kind: "answer",
		Detail: detail(fault.New("", "", "asked", string(what), "result", o.Response, "finding", string(o.Finding), "size", o.Size))})
}

// dropQuestion takes a question back that will not be answered, and says so in
// the history. The transfer stays as it is.
func (s *session) dropQuestion(ctx context.Context, t *transfer.Transfer, why *fault.Error) {
	what := t.Ask
	r := s.settle(ctx, t, func(r *transfer.Transfer) {
		r.Ask, r.Owner, r.SessionID, r.Tries = transfer.AskNothing, "", "", 0
		if r.Status.Final() {
			r.NextTry = time.Time{}
		}
	})
	if r == nil {
		return
	}
	s.log.Warn("question taken back", "transfer", t.ID, "asked", string(what), "code", why.Code, "err", why)
	s.history(ctx, transfer.Event{TransferID: t.ID, SessionID: s.row.ID, Kind: "unanswered", Code: string(why.Code), Detail: detail(why)})
}

// history writes an entry that nothing depends on.
func (s *session) history(ctx context.Context, e transfer.Event) {
	if err := s.s.Event(ctx, s.now(), e); err != nil {
		s.log.Warn("history not written", "transfer", e.TransferID, "kind", e.Kind, "err", err)
	}
}

// finish is what each outcome means for the row (design D5).
func (s *session) finish(r *transfer.Transfer, o machine.Outcome) {
	now := s.now()
	if o.Sent > r.SentBytes { // further than ever
		r.SentBytes, r.Tries = o.Sent, 0
	}
	if r.Status != transfer.Ending { // Ending has added them already
		r.Resent += o.Resent
	}
	if o.Response != "" {
		r.Response = safe(o.Response)
	}
	give := func(st transfer.Status, err error) {
		r.Status, r.Owner, r.SessionID = st, "", ""
		note(r, err)
		if st.Final() {
			r.EndedAt = now
		}
	}
	switch o.Result {
	case machine.ArrivedWhole:
		proofs := s.sent(r, o)
		r.Proofs = transfer.ProofsText(proofs)
		if wrong := s.unproven(r, proofs, o.Settled); wrong != nil {
			give(transfer.Held, wrong) // its end was asked for, so a person settles it
			return
		}
		r.Tries = 0
		give(transfer.Sent, nil)
	case machine.AlreadyThere:
		give(transfer.Held, o.Err)
	case machine.RefusedByPeer:
		if r.EndedOnce && r.Status != transfer.Ending {
			// No answer to the end that was lost: a person settles it, and does
			// not send it again.
			give(transfer.Held, unsettledRefusal(o))
			return
		}
		r.EndedOnce, r.EndedDigest = false, ""
		give(transfer.Failed, o.Err)
	case machine.FailedHere:
		if fault.CodeOf(o.Err) == machine.CodeResumeForeign {
			give(transfer.Held, o.Err)
			return
		}
		if r.EndedOnce { // and a person settles that
			give(transfer.Held, unsettledFailure(r.Name, o.Err))
			return
		}
		give(transfer.Failed, o.Err)
	case machine.EndUnknown:
		r.Tries++
		give(transfer.Unknown, o.Err)
		r.NextTry = now.Add(or(s.inst.RetryFirst, 30*time.Second))
	case machine.NotThere:
		give(transfer.Waiting, nil)
		r.NextTry, r.EndedOnce, r.EndedDigest = now, false, ""
	default: // LaterByPeer, CutBefore
		s.retry(r, s.inst, o.Err, now)
	}
}

// unsettledFailure: the file cannot be sent again, and may have arrived before.
func unsettledFailure(name string, why error) error {
	e := fault.As(why)
	if e == nil {
		return why
	}
	return fault.New(CodeFailedUnsettled, name, "because", e.Code).Telling(e).Because(why)
}

// unsettledRefusal says of a refusal that it leaves open whether the file
// arrived when its end was asked for before. What the peer finds when it is
// asked about that end stays as it is.
func unsettledRefusal(o machine.Outcome) error {
	e := fault.As(o.Err)
	if e == nil || e.Code != machine.CodeRefused {
		return o.Err
	}
	said := *e
	said.Code = CodeRefusedUnsettled
	return &said
}
