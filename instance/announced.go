package instance

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// Accept says whether an offered file is taken and from where. The answer
// about bytes held rests on the rows alone (protocols §1.5).
func (s *session) Accept(ctx context.Context, o machine.Offer) (acc line.Acceptance, err error) {
	err = s.hold(ctx, "announcement", func() error {
		acc, err = s.accept(ctx, o)
		for again := 0; again < meanwhileMost && (errors.Is(err, store.ErrMeanwhile) || errors.Is(err, store.ErrExists)); again++ {
			acc, err = s.accept(ctx, o)
		}
		return err
	})
	s.goes(transfer.Receive)
	s.logFile(s.incoming)
	return acc, err
}

// meanwhileMost is how often an announcement is looked at again because another
// session was told of the same file in that moment, and has begun it, or because two
// drew the same id in one millisecond.
const meanwhileMost = 8

func (s *session) accept(ctx context.Context, o machine.Offer) (line.Acceptance, error) {
	if t := s.incoming; t != nil { // of a try that went wrong after it; this one may choose otherwise
		s.giveUp(t)
	}
	s.incoming, s.offset, s.relies = nil, 0, false
	s.digest(nil)
	refuse := func(r protocol.Reason, e *fault.Error) (line.Acceptance, error) {
		if s.noted.room("refused", "") {
			s.log.Warn("file refused", "wire_name", o.Name, "code", e.Code, "err", e)
			said := fault.New(e.Code, e.Subject, "wire_name", safe(o.Name)) // the subject may be another
			maps.Copy(said.Args, e.Args)
			entry := transfer.Event{SessionID: s.row.ID, Kind: store.EventRefused, Code: string(e.Code), Detail: detail(said)}
			s.history(ctx, entry)
			if entry.TransferID = e.Args["other"]; entry.TransferID != "" { // the file that is in its way tells of it too
				s.history(ctx, entry)
			}
		}
		return line.Acceptance{Reason: r}, nil
	}
	if s.stopping() {
		return refuse(protocol.Unable, fault.New(CodeDraining, s.o.ID))
	}
	if s.inst.closedNow(s.business(), false) {
		return refuse(protocol.ClosedHours, fault.New(CodeClosedHours, s.inst.Code))
	}
	if o.Size >= 0 && !s.rightPassword(o.Password) {
		return refuse(protocol.BadPassword, fault.New(CodeTransferPass, s.inst.Code))
	}
	if o.Misnamed {
		return refuse(protocol.BadName, fault.New(CodeMisnamed, o.Name, "opened", o.Opened))
	}
	if o.Name != safe(o.Name) {
		return refuse(protocol.Unregistered, fault.New(store.CodeText, strconv.QuoteToASCII(o.Name)))
	}
	if most := s.profile.Limits.Size; most > 0 && o.Size > most {
		return refuse(protocol.BadSize, fault.New(filemgr.CodeTooLarge, o.Name, "size", o.Size, "limit", most))
	}
	day := s.business()
	if d := protocol.FullDate(o.Date, s.business()); d != "" {
		if at, err := time.ParseInLocation("20060102", d, s.o.Zone); err == nil {
			day = at
		}
	}
	reg, name, err := s.book.Receive(s.inst.Code, o.Name, day)
	if err != nil {
		return refuse(protocol.Unregistered, fault.As(err))
	}
	id := store.Identity{Institution: s.inst.Code, Direction: transfer.Receive, FileID: reg.FileID, WireName: o.Name, BaseDate: name.BaseDate}
	id.Or = s.otherDays(o)
	known, err := s.s.Known(ctx, id)
	if err != nil {
		return line.Acceptance{}, err
	}
	n, record := s.agreed(o.MessageSize), 0
	if f := s.registered(reg); f != nil && s.profile.Parts == nil { // for a closing that says how many records the session carried
		record = f.Form.WireRecord(filemgr.Encoding{Gzip: o.Gzip, EBCDIC: o.EBCDIC})
	}
	if !known { // as a rule, and then there is nothing to compare or to go on with
		acc := line.Acceptance{Reason: protocol.OK, Resume: machine.Resume{MessageSize: n, Record: record}}
		return acc, s.startReceive(ctx, reg, name, o, n, id, repeat{})
	}
	rep, err := s.repeated(ctx, s.registered(reg), id, o)
	if err != nil {
		return line.Acceptance{}, err
	}
	if held := rep.whole; rep.told {
		if o.Size <= 0 || s.declaredSize(held) == o.Size {
			s.log.Info("file is held whole already", "transfer", held.ID, "wire_name", o.Name)
			return line.Acceptance{Reason: protocol.Complete, Resume: machine.Resume{Held: held.WireSize}}, nil
		}
		return refuse(protocol.BadName, fault.New(CodeOtherSize, o.Name, "size", o.Size, "held", s.declaredSize(held), "other", held.ID))
	}
	acc, err := s.resume(ctx, id, o, n, rep)
	acc.Resume.Record = record
	if err != nil || s.incoming != nil {
		return acc, err
	}
	return acc, s.startReceive(ctx, reg, name, o, n, id, rep)
}

// agreed is N = min(theirs, ours) (§1.5).
func (s *session) agreed(theirs int) int {
	n := s.inst.messageSize()
	if theirs > 0 && theirs < n {
		return theirs
	}
	return n
}

func (s *session) declaredSize(t *transfer.Transfer) int64 {
	if s.profile.Files.FileSizes {
		return t.FileSize
	}
	return t.WireSize
}

// resume takes over a partial file that may be continued; every other one of
// the identity is given up, so that nothing is ever spliced. Without a partial
// s.incoming stays nil.
func (s *session) resume(ctx context.Context, id store.Identity, o machine.Offer, n int, rep repeat) (line.Acceptance, error) {
	acc := line.Acceptance{Reason: protocol.OK, Resume: machine.Resume{MessageSize: n}}
	date := id.BaseDate
	id.BaseDate = "" // a half file of another day will not be gone on with either
	partials, err := s.s.FindPartial(ctx, id)
	if err != nil {
		return acc, err
	}
	for _, p := range partials {
		if p.Transfer.BaseDate != date && s.apart(p.Transfer, o) {
			continue
		}
		last, err := s.lastCame(ctx, p.Transfer)
		if err != nil {
			return acc, err
		}
		t, err := s.takeOver(ctx, p.Transfer.ID, s.row.ID, s.o.Place)
		if err != nil {
			return acc, err
		}
		// A half that was begun as a file of its own is not turned into a repeat.
		other := t.BaseDate != date || o.Despite || t.RepeatOf == "" && rep.as.Undecided()
		if s.incoming != nil || other || !s.continues(t, last, o, n) {
			if err := s.abandon(ctx, t); err != nil {
				s.giveUp(t)
				return acc, err
			}
			continue
		}
		if err := s.pickUp(ctx, t, &acc); err != nil {
			s.giveUp(t)
			return acc, err
		}
	}
	return acc, nil
}

// apart says that a half file of another day is none of this offer's business:
// the counterparty says which day it means, and another session is bringing the
// half. Two sessions with files of two days would only take them from each other
// for ever. Where we go by the clock, the day may have changed between the two
// calls for one file, and the half is taken.
func (s *session) apart(half *transfer.Transfer, o machine.Offer) bool {
	return half.Owner != "" && half.SessionID != s.row.ID && len(s.otherDays(o)) == 0
}

// continues is the rule of §1.5: everything that tells two files apart must
// be equal, and the partial young: last is when something of it came.
func (s *session) continues(t *transfer.Transfer, last time.Time, o machine.Offer, n int) bool {
	age := s.now().Sub(last)
	return (t.PayloadIn == "" || t.Place == s.o.Place) && s.profile.Files.Resume && o.Size > 0 && s.declaredOf(t) == o.Size && t.MessageSize == n &&
		age >= 0 && age < or(s.inst.ResumeAge, 4*time.Hour) &&
		t.CreatedAt.In(s.o.Zone).Format("20060102") == s.business().Format("20060102")
}

// lastCame is when the last block of a partial was stored. The row's own time
// does not tell: a restart or a peer that only asks writes it as well.
func (s *session) lastCame(ctx context.Context, t *transfer.Transfer) (time.Time, error) {
	last := t.CreatedAt
	infos, err := s.s.BlockInfos(ctx, t.ID)
	for _, b := range infos {
		if b.StoredAt.After(last) {
			last = b.StoredAt
		}
	}
	return last, err
}

// declaredOf is what the announcement of a partial said; it is kept where the
// complete file's size will stand.
func (s *session) declaredOf(t *transfer.Transfer) int64 { return s.declaredSize(t) }

// pickUp continues a partial: its whole blocks count, and of the block after
// them the sequences without a gap.
func (s *session) pickUp(ctx context.Context, t *transfer.Transfer, acc *line.Acceptance) error {
	// The rows alone are not trusted: a crash may have torn what was written
	// to a file just then.
	if err := s.s.Recheck(ctx, s.now(), t.Ref()); err != nil {
		return err
	}
	infos, err := s.s.BlockInfos(ctx, t.ID)
	if err != nil {
		return err
	}
	block, offset := int64(1), int64(0)
	s.base = 0
	var lengths []uint16
	for _, b := range infos {
		if b.Number != block || lengths != nil {
			break
		}
		last := len(b.Lengths)
		if gap := b.Held.NextMissing(1, last); gap > 0 {
			last = gap - 1
		}
		if last == s.profile.Files.PerBlock {
			block++
			offset += b.Size
			s.base += int64(last)
			continue
		}
		lengths = b.Lengths[:last]
	}
	held := offset
	for _, l := range lengths {
		held += int64(l)
	}
	if len(lengths) > 0 {
		if acc.Partial, err = s.s.ReadRange(ctx, t.ID, offset, held-offset, nil); err != nil {
			if !lostPayload(err) {
				return err
			}
			lengths, held, acc.Partial = nil, offset, nil
		}
	}
	s.incoming, s.offset = t, offset
	s.relyOnStore()
	acc.Resume = machine.Resume{Held: held, Block: block, Lengths: lengths, MessageSize: t.MessageSize}
	s.log.Info("receiving goes on", "transfer", t.ID, "wire_name", t.WireName, "held", held, "block", block, "attempt", t.Attempt)
	return nil
}

func (s *session) startReceive(ctx context.Context, reg naming.Registration, name naming.Name, o machine.Offer, n int, id store.Identity, rep repeat) error {
	now := s.now()
	t := &transfer.Transfer{
		ID: store.NewID(now), Direction: transfer.Receive, Status: transfer.Receiving,
		Institution: s.inst.Code, Job: reg.Job, FileID: reg.FileID, WireName: o.Name, BaseDate: name.BaseDate, Serial: name.Serial,
		Place: s.o.Place, MessageSize: n, PerBlock: s.profile.Files.PerBlock,
		Owner: s.o.ID, Term: s.term, Attempt: 1, SessionID: s.row.ID, StartedAt: now, CreatedAt: now,
	}
	if s.profile.Files.FileSizes {
		t.FileSize = max(0, o.Size)
	} else {
		t.WireSize = max(0, o.Size)
	}
	t.PayloadIn = s.receiveIn(t.ID)
	final, err := s.book.ReceivedName(name, now.In(s.o.Zone))
	if err != nil {
		return err
	}
	t.Name = final
	t.Form, t.Encoding = s.arriving(s.registered(reg), o)
	if rep.whole != nil {
		t.RepeatOf, t.Repeat = rep.whole.ID, rep.as
	}
	err = s.s.CreateAnnounced(ctx, now, t, announced(id, rep))
	if err != nil {
		if !errors.Is(err, store.ErrMeanwhile) && !errors.Is(err, store.ErrExists) {
			s.giveUp(t)
		}
		return err
	}
	s.incoming = t
	s.digest(newWireSum(&s.aheads, s.buildAhead(t, s.registered(reg))))
	s.base = 0
	s.log.Info("receiving", "transfer", t.ID, "wire_name", t.WireName, "name", t.Name, "declared", o.Size, "repeats", t.RepeatOf)
	return nil
}
