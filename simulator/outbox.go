package simulator

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Next says what the driving side does: ask for files, give the next one, or
// go.
func (s *session) Next(ctx context.Context) (machine.Order, error) {
	o := &s.p.opt
	if ps := &o.Profile.Session; s.receive && ps.FetchByRequest && o.Side == ps.Opens.Of(true) { // who opens asks
		if s.asked {
			return machine.Order{}, nil
		}
		s.asked = true
		today := o.Now().Format("20060102")
		month := o.Now().AddDate(0, 0, -29).Format("20060102") // 30 days are the most (§3)
		return machine.Order{Kind: machine.FetchFiles, Query: machine.Query{
			Name: "ZZZ", Date: month, EndDate: today, Range: "E", Password: o.Transfer,
		}}, nil
	}
	if s.p.giver == nil {
		return s.question(), nil
	}
	s.drop()
	gi, err := s.p.giver.claim(ctx, s.queue, s.tried)
	if err != nil {
		return machine.Order{}, err
	}
	if gi == nil {
		return s.question(), nil
	}
	s.gift, s.began = gi, o.Now()
	f := machine.File{
		Name: gi.name, Date: gi.date, Serial: gi.serial,
		Size: gi.result.WireSize, Declared: declared(o.Profile, gi.result),
		Unit: 1, DataSize: s.p.dataSize, MessageSize: o.MessageSize,
		Sent: gi.note.Sent, Ended: gi.note.Ended,
		Gzip: o.Gzip, EBCDIC: o.EBCDIC, Password: o.Transfer,
	}
	g := s.p.giver.geometry()
	f.Head, f.Tail, f.CutOnce = g.Head, g.Tail, o.Profile.Parts != nil
	if r := o.record(); r > 0 {
		f.Records = f.Size / int64(r)
		if o.Profile.Parts != nil {
			f.Records = gi.result.Records
		}
		if s.p.dataSize%r == 0 {
			f.Unit = r
		}
	}
	if gi.note.Ended && !o.Profile.Files.SettleAgain {
		f.Settle = true
		return machine.Order{Kind: machine.AskAbout, File: f, Query: machine.Query{Name: gi.name, Date: gi.date}}, nil
	}
	if s.queue != nil && !slices.Contains(s.queue, gi.file) {
		// Another content than the one to ask about: the next fetch counts it.
		s.drop()
		return s.Next(ctx)
	}
	return machine.Order{Kind: machine.SendFile, File: f}, nil
}

// fileStatus is the only thing that is inquired after (§1.3).
const fileStatus = "001"

// question is the next one to put; the zero Order if there is none.
func (s *session) question() machine.Order {
	if s.put >= len(s.p.opt.Ask) {
		return machine.Order{}
	}
	q := s.p.opt.Ask[s.put]
	s.put++
	o := machine.Order{Kind: machine.AskAbout, File: machine.File{Serial: q.Serial},
		Query: machine.Query{Kind: fileStatus, Name: q.Name, Date: cmp.Or(q.Date, s.p.opt.Now().Format("20060102"))}}
	if q.Kind == protocol.Cancel {
		o.Kind = machine.CancelFile
	}
	return o
}

func (s *session) drop() {
	if s.gift != nil {
		s.p.giver.release(s.gift)
		s.gift = nil
	}
}

// Load reads wire bytes of the file being given.
func (s *session) Load(_ context.Context, offset int64, dst []byte) error {
	if err := s.gift.load(offset, dst); err != nil {
		return errors.Join(err, line.ErrDropped)
	}
	return nil
}

// Missed does nothing: what is sent again is counted at the end.
func (s *session) Missed(context.Context, int64, *transfer.SeqSet) {}

// Ending notes that the end request leaves, and looks for another file.
func (s *session) Ending(context.Context, int64) (bool, error) {
	if err := s.p.giver.ending(s.gift); err != nil {
		return false, errors.Join(err, line.ErrDropped)
	}
	return s.p.giver.more(s.queue, s.tried), nil
}

// Finish records what became of the file under way.
func (s *session) Finish(_ context.Context, o machine.Outcome) error {
	if s.in != nil {
		h := s.in
		s.in = nil
		s.tell(h.event(Event{Kind: Failed, Result: o.Result, Code: o.Response, Err: o.Err, Resent: o.Missed}))
		return s.p.taker.stop(s, h, o.Result == machine.CutBefore)
	}
	gi := s.gift
	if gi == nil {
		return nil
	}
	defer s.drop()
	r := gi.result
	e := Event{
		Name: gi.name, File: gi.file, Date: gi.date, Serial: gi.serial, Path: gi.info.Name(), Took: s.p.opt.Now().Sub(s.began),
		Bytes: r.FileSize, Wire: r.WireSize, SHA256: r.FileDigest, Blocks: r.Blocks,
		Resent: o.Resent, Result: o.Result, Code: o.Response, Err: o.Err,
	}
	switch o.Result {
	case machine.ArrivedWhole:
		var err error
		if e.Path, err = s.p.giver.done(gi); err != nil {
			return err
		}
		e.Kind = Given
		s.tell(e)
		return nil
	case machine.NotThere:
		delete(s.tried, gi.file) // an inquiry says so: it goes out in this session
		return s.p.giver.notEnded(gi)
	case machine.RefusedByPeer, machine.LaterByPeer:
		if err := s.p.giver.notEnded(gi); err != nil {
			return err
		}
	}
	e.Kind = Failed
	if e.Err == nil {
		e.Err = fault.New(machine.CodeRefused, gi.name, "code", o.Response)
	}
	s.tell(e)
	return nil
}
