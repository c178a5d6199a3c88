package machine

import (
	"pabal/internal/fault"
	"pabal/protocol"
)

// totals are the files that this session has brought to their end whole, in
// either direction, with the data: not one that the peer already had, and not
// one that was refused at its end. Where the profile's closing has rows for
// them, who writes it says its own and who reads it compares.
//
// A difference is a fault of the session and of nothing else. Each file that
// was confirmed has proofs of its own, which are stored before the answer to
// its end leaves: taking one back afterwards would make a success that the
// peer was told of a failure. So files stay as they are; the closing is
// answered with the profile's code for it, the session ends with CodeTotals,
// and that is what a person sees. A cut before or within the closing leaves the
// files as they are, too.
type totals struct {
	files, records, bytes int64
	blind                 bool // of a file nobody here knows how many records it has
}

func (t *totals) add(records, bytes int64) {
	t.files++
	t.bytes += bytes
	t.records += records
	if records <= 0 && bytes > 0 {
		t.blind = true
	}
}

// of is what a field of the closing has to say.
func (t *totals) of(f protocol.Field) int64 {
	switch f {
	case protocol.TotalFiles:
		return t.files
	case protocol.TotalRecords:
		return t.records
	}
	return t.bytes
}

// say puts the totals into a closing, or the answer to one.
func (t *totals) say(to *protocol.Telegram) {
	for _, f := range []protocol.Field{protocol.TotalFiles, protocol.TotalRecords, protocol.TotalBytes} {
		to.SetNumber(f, t.of(f))
	}
}

// differ is what the peer says otherwise than we, nil if nothing. Records that
// one side cannot count, as its registration has no record length, are not
// compared; bytes always are.
func (t *totals) differ(p *protocol.Profile, told *protocol.Telegram) error {
	for _, f := range []protocol.Field{protocol.TotalFiles, protocol.TotalBytes, protocol.TotalRecords} {
		says := told.Number(f)
		if !p.Carries(told.Kind, f) || says == t.of(f) || f == protocol.TotalRecords && (t.blind || says == 0) {
			continue
		}
		return fault.New(CodeTotals, p.FieldName(f), "told", says, "counted", t.of(f))
	}
	return nil
}

// answerClose answers the peer's closing and says what is wrong with it.
func (s *Session) answerClose(t *protocol.Telegram) error {
	err := s.total.differ(s.p, t)
	reason := protocol.OK
	if err != nil {
		reason = protocol.BadTotals
	}
	s.total.say(s.reply(t, reason))
	return err
}

// left: the peer's answer to our closing. Where the closing says totals its
// code counts: it is the only word on whether they agree.
func (s *Session) left(ev *Event) {
	code := ev.Telegram.Text(protocol.Response)
	if s.p.SaysTotals(protocol.Close) && s.p.Meaning(code) != protocol.OK {
		s.over(fault.New(CodeCloseRefused, "", "code", code))
		return
	}
	s.over(s.total.differ(s.p, ev.Telegram))
}

// leftSilently: every file is settled, and a missing reply to the closing harms
// nothing; only where it was to say whether the totals agree it is missed.
func (s *Session) leftSilently(ev *Event) {
	if s.p.SaysTotals(protocol.Close) || s.p.SaysTotals(protocol.CloseReply) {
		s.silent(ev)
		return
	}
	s.over(nil)
}
