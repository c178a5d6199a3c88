package instance

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"pabal/internal/fault"
	"pabal/internal/loop"
	"pabal/internal/pace"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// session is our end of one connection: what line.Host asks, answered from
// the store. One session runs one file at a time; its methods are called one
// at a time.
type session struct {
	*Instance
	inst     *institution // nil until it is known who called
	profile  *protocol.Profile
	row      transfer.Session
	log      *slog.Logger
	ctx      context.Context // of a session that we open, before it runs
	cut      context.CancelCauseFunc
	peer     net.Addr
	opened   func()      // tells the lobby that the caller is known; of one that called us
	shown    *credential // what a caller showed before its first telegram; nil where we call
	paced    *pace.Conn
	draining <-chan struct{}

	who     *institution       // who logged in before the opening, nil = nobody
	proven  bool               // … with the name and password agreed
	first   *transfer.Transfer // claimed before we called
	current *transfer.Transfer // being sent
	next    *transfer.Transfer // promised to follow
	only    string             // a fetch: the wire name it wants, "" = all
	left    int                // … and how many more it gets; -1 = no limit
	fetch   bool               // this session is to fetch as well
	fetched bool               // … and it did without error

	noted    quota              // what this session has written into histories
	incoming *transfer.Transfer // being received
	offset   int64              // wire bytes of its whole blocks
	relies   bool               // it rests on what the store held before
	losses   int64              // … when so many connections had been lost
	stale    string             // the transfer whose row may be newer than we know it
	said     *sessionlog.Log    // what is said on the line; nil takes everything and keeps nothing
	sum      *wireSum           // of its wire bytes; nil where it must be read back
	base     int64              // sequences of those that earlier sessions brought
	fenced   atomic.Bool        // something that it held was no longer its own
}

// settleTime is how long writing an outcome may take after a session was cut.
const settleTime = 10 * time.Second

// run holds the session on conn until it is over.
func (s *session) run(ctx context.Context, conn net.Conn) (line.Report, error) {
	ctx, s.cut = context.WithCancelCause(ctx)
	defer s.cut(nil)
	cfg := machine.Config{Profile: s.profile, Called: !s.row.Calling}
	if s.inst != nil {
		cfg.Side = s.inst.Side
		cfg.Institution, cfg.Self, cfg.Peer = s.inst.WireCode, s.inst.Self, s.inst.Peer
		cfg.SenderName, cfg.Password, cfg.Login = s.inst.Sender.Name, s.inst.Sender.Password, s.inst.login()
		cfg.MessageSize, cfg.Rounds, cfg.Reply, cfg.Pause = s.inst.MessageSize, s.inst.Rounds, s.inst.Reply, s.inst.Pause
		cfg.Receive = s.fetch
	} else {
		// Who opens says which files come, and by its letter which part it plays.
		cfg.Side, cfg.Self, cfg.Receive, cfg.EitherSide = s.calledSide(), s.selfCode(), true, true
	}
	opt := line.Options{Now: s.business, Buffers: s.buffers, Settle: s.storeWait() + settleTime, Limits: s.limit}
	if log := s.recorder(); log != nil {
		opt.Log = log
	}
	if s.o.Trace != nil {
		opt.Trace = func(out bool, t *protocol.Telegram, frame []byte) { s.o.Trace(s.row.ID, out, t, frame) }
	}
	report, err := line.Run(ctx, conn, cfg, s, opt)
	s.close(ctx, report, err)
	return report, err
}

// storeWait is how long an answer is held back while the store is away.
func (s *session) storeWait() time.Duration {
	wait := s.profile.Session.Reply / 2
	if s.inst != nil {
		wait = or(s.inst.StoreWait, or(s.inst.Reply/2, wait))
	}
	return wait
}

// selfCode is what we call ourselves to callers of a profile whose header
// names both sides: all institutions of a listener share it.
func (s *session) selfCode() string {
	for _, n := range s.insts {
		if n.Profile.Name == s.profile.Name && n.mayOpen() && n.Self != "" {
			return n.Self
		}
	}
	return ""
}

// calledSide is the part that we play for a caller whose opening does not say
// which part is its own: that which we play for those who may open, else the one
// to whom uploads are opened.
func (s *session) calledSide() protocol.Side {
	for _, n := range s.insts {
		if n.Profile.Name == s.profile.Name && n.mayOpen() {
			return n.Side
		}
	}
	return s.profile.Session.Opens.Of(false).Other()
}

// begin takes a line of the counterparty, once it is known, and writes the
// session's row with it. Who calls us takes the line from its oldest session;
// we call only where one is free (CodeLineTaken).
func (s *session) begin(ctx context.Context, peer string, calling bool, d transfer.Direction) error {
	s.row = transfer.Session{
		ID: store.NewID(s.now()), Institution: s.inst.Code, Profile: s.profile.Name, Instance: s.o.ID,
		Host: s.o.Place, Direction: d, Calling: calling, Peer: peer, OpenedAt: s.now(),
	}
	o := store.Opening{Session: &s.row, Term: s.term, Newest: !calling, Why: CodeOccupied, Settle: s.orphaned}
	o.Direction, o.Most = s.inst.line(d)
	s.open.expect(s.row.ID)
	ended, err := s.s.OpenLine(ctx, s.now(), o)
	if err != nil {
		if store.Away(err) { // the line may be ours all the same
			row, term := s.row, s.term
			row.ClosedAt, row.ErrorCode = s.now(), string(store.CodeSessionCut)
			s.later(func(ctx context.Context) error { return s.s.CloseSession(ctx, row.ClosedAt, term, &row) })
		}
		s.open.remove(s.row.ID)
		s.row = transfer.Session{}
		return err
	}
	s.open.add(s.row.ID, s.cut)
	for _, id := range ended {
		s.open.cut(id, fault.New(CodeOccupied, s.inst.Code)) // if it is one of ours
	}
	s.log = s.Instance.log.With("session", s.row.ID, "institution", s.inst.Code)
	s.logBegins()
	return nil
}

// goes notes that files go that way in the session, or are asked for: what it
// was opened for may not be all that is done in it, and where who opens asks for
// files later its opening says nothing of it. The row says so from its end on.
func (s *session) goes(d transfer.Direction) {
	switch s.row.Direction {
	case d:
	case "":
		s.row.Direction = d
	default:
		s.row.Direction = transfer.BothWays
	}
}

// end writes the session's row for the last time, which frees its line. Where the
// counterparty has called again meanwhile its row is closed already, and this is
// written over it; where our term is over it is not ours to write any more. A
// crash before it leaves the row to who finds us dead.
func (s *session) end(ctx context.Context) {
	s.row.ClosedAt = s.now()
	row, term := s.row, s.term
	end := func(ctx context.Context) error { return s.s.CloseSession(ctx, row.ClosedAt, term, &row) }
	switch err := end(ctx); {
	case errors.Is(err, store.ErrFenced):
		s.doubt.Give()
	case err != nil:
		s.later(end)
	}
	s.open.remove(row.ID)
}

// reason is why the session ended. One that was cut in the middle of a question
// to the store ended for the reason of the cut. Where something was no longer its
// own, it may be because it was called over: then that stands in its row.
func (s *session) reason(ctx context.Context, err error) error {
	if err != nil && fault.As(err) == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if s.row.ID == "" || !s.fenced.Load() && !doubtful(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	rows, e := s.s.Sessions(ctx, store.SessionFilter{ID: s.row.ID})
	if e == nil && len(rows) == 1 && !rows[0].ClosedAt.IsZero() {
		if why := Noted(rows[0].ErrorCode, rows[0].ErrorDetail); why != nil {
			return why
		}
	}
	return err
}

// close gives back what was claimed but not carried and ends the row.
func (s *session) close(ctx context.Context, report line.Report, err error) {
	if doubtful(err) {
		s.doubt.Give()
	}
	err = s.reason(ctx, err) // before more is written: by now it has ended
	s.digest(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if t := s.first; t != nil {
		// We were never let in. The counterparty is left alone for a while,
		// unless it is we who stop.
		why := err
		if why != nil && s.stopping() {
			why = nil
		}
		s.inst.dialed(s.now(), why)
		s.giveBack(ctx, t, why)
	}
	if t := s.next; t != nil {
		s.giveBack(ctx, t, nil)
	}
	if t := s.current; t != nil { // an inquiry that got no answer, or our own failure
		why := err
		if why == nil {
			why = fault.New(machine.CodeSilent, t.WireName)
		}
		s.giveBack(ctx, t, why)
	}
	if t := s.incoming; t != nil {
		s.settle(ctx, t, func(r *transfer.Transfer) { r.Owner, r.SessionID = "", "" })
	}
	if s.row.ID == "" {
		if err != nil {
			s.turnedAway(stranger{s.peer, s.profile.Name, report.Came > 0, s.said}, err)
		}
		return
	}
	for _, e := range s.noted.rest() {
		e.SessionID = s.row.ID
		s.history(ctx, e)
	}
	s.row.Files, s.row.Heard = report.Files, report.Heard
	s.logEnds(report.Files, err)
	level := slog.LevelInfo
	if e := fault.As(err); e != nil {
		s.row.ErrorCode, s.row.ErrorDetail = string(e.Code), detail(e)
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "session over", "files", report.Files, "code", s.row.ErrorCode, "err", err)
	s.end(ctx)
}

// giveBack returns a transfer that was claimed for this session but did not
// go on the line: to wait a little after a failure, at once without one.
func (s *session) giveBack(ctx context.Context, t *transfer.Transfer, why error) {
	asked := t.Ask != transfer.AskNothing && t.Status != transfer.Sending
	if asked && why != nil && s.inst.RetryTries > 0 && t.Tries+1 >= s.inst.RetryTries {
		s.dropQuestion(ctx, t, fault.New(CodeUnanswered, t.Name, "asked", string(t.Ask), "tries", t.Tries+1))
		return
	}
	r := s.settle(ctx, t, func(r *transfer.Transfer) {
		if asked { // the question stays, the status was never ours to change
			r.Owner, r.SessionID, r.NextTry = "", "", s.now()
			if why != nil {
				r.Tries++
				r.NextTry = s.now().Add(loop.Backoff(or(s.inst.RetryFirst, 30*time.Second), or(s.inst.RetryMax, 10*time.Minute), r.Tries))
			}
			return
		}
		if why != nil {
			if r.Status == transfer.Unknown || r.Status == transfer.Ending {
				r.Status, r.Owner, r.SessionID = transfer.Unknown, "", ""
				r.Tries++
				r.NextTry = s.now().Add(loop.Backoff(or(s.inst.RetryFirst, 30*time.Second), or(s.inst.RetryMax, 10*time.Minute), r.Tries))
				return
			}
			s.retry(r, s.inst, why, s.now())
			return
		}
		if r.Status == transfer.Sending {
			r.Status = again(r, s.inst)
		}
		r.Owner, r.SessionID, r.NextTry = "", "", s.now()
	})
	if r != nil && r.Status == transfer.Failed && t.Status != transfer.Failed { // its tries are used up
		s.wake.result.Give()
	}
}

// settle writes what became of a transfer that this session held. If the
// store is away it is written as soon as it is back; if the row is no longer
// ours somebody else has settled it.
func (s *session) settle(ctx context.Context, t *transfer.Transfer, f func(*transfer.Transfer)) *transfer.Transfer {
	ref := t.Ref()
	written := new(transfer.Transfer)
	*written = *t
	unknown := false // an earlier try may have been written after all
	write := func(ctx context.Context) error {
		var err error
		edit := func(r *transfer.Transfer) error { f(r); return nil }
		if s.stale == ref.ID { // what we know of it is not to be relied on
			var r *transfer.Transfer
			if r, err = s.s.Change(ctx, s.now(), ref, edit); err == nil {
				written = r
			}
		} else {
			err = s.change(ctx, written, edit)
		}
		if unknown && errors.Is(err, store.ErrFenced) {
			var r *transfer.Transfer
			if r, err = s.ownOutcome(ctx, ref); err == nil {
				written = r
			}
		}
		unknown = unknown || fault.CodeOf(err) == store.CodeCommitUnknown
		return err
	}
	err := write(ctx)
	switch {
	case err == nil:
		return written
	case errors.Is(err, store.ErrFenced):
		s.fenced.Store(true)
		s.doubt.Give()
		s.Instance.log.Info("transfer was taken from the session", "transfer", t.ID, "session", s.row.ID)
	case store.Away(err) || ctx.Err() != nil:
		s.Instance.log.Error("outcome cannot be written now, will be", "transfer", t.ID, "err", err)
		s.later(func(ctx context.Context) error {
			err := write(ctx)
			if err == nil && written.Status.Final() {
				s.wake.result.Give()
			}
			return err
		})
	default:
		s.Instance.log.Error("outcome not written", "transfer", t.ID, "err", err)
	}
	return nil
}

// dropped turns "the row is not ours any more" into what line understands.
func (s *session) dropped(err error) error {
	if errors.Is(err, store.ErrFenced) {
		s.fenced.Store(true)
		return errors.Join(line.ErrDropped, err)
	}
	return err
}

// stopping reports that no new work is to be taken.
func (s *session) stopping() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// closedNow says whether the counterparty's agreed hours forbid this now.
func (n *institution) closedNow(now time.Time, send bool) bool {
	for _, c := range n.Closed {
		if (send && c.Send || !send && c.Receive) && within(now, c.From, c.To) {
			return true
		}
	}
	return false
}

// within says whether the time of day of now lies in [from, to), over
// midnight if to comes before from.
func within(now time.Time, from, to time.Duration) bool {
	d := sinceMidnight(now)
	if from <= to {
		return d >= from && d < to
	}
	return d >= from || d < to
}

func sinceMidnight(now time.Time) time.Duration {
	h, m, sec := now.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second
}
