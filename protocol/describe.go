package protocol

import (
	"bytes"
	"errors"
	"io"

	"pabal/internal/fault"
)

// Told is one row of a telegram with what stands in it, for people to read.
type Told struct {
	Title  string // the document's own word
	Field  string // our name for it; "" = filler
	Offset int    // of its first byte in the telegram
	Width  int    // bytes
	Value  string // text without padding; of data and secrets only how many bytes there are
	Hidden bool   // Value is not what stands there, because it must not be shown
}

// Explained is a telegram as a table.
type Explained struct {
	Kind  Kind
	Title string
	Bytes int
	Rows  []Told
	By    string // bytes before the first telegram: who sends them; "" = a telegram
	Err   error  // why the telegram is not what its layout says; Rows as far as it could be read
}

// Explain makes a table of a telegram. Passwords and data are not shown: only
// where they stand and how long they are.
func (p *Profile) Explain(frame []byte) Explained {
	var t Telegram
	err := p.Decode(frame, &t)
	out := Explained{Kind: t.Kind, Bytes: len(frame), Err: err}
	l := p.layouts[t.Kind]
	if l == nil {
		return out
	}
	out.Title = l.title
	at := 0
	for i := range l.places {
		pl := &l.places[i]
		end := min(at+pl.width, len(frame))
		if pl.span != fixedSpan {
			end = len(frame)
		}
		if at > len(frame) {
			break
		}
		if pl.field == Data && p.Parts != nil {
			out.Rows = append(out.Rows, p.Parts.told(at, t.Data())...)
		}
		out.Rows = append(out.Rows, p.told(pl, at, frame[at:end]))
		at = end
	}
	return out
}

func (p *Profile) told(pl *place, at int, v []byte) Told {
	out := Told{Title: pl.title, Offset: at, Width: len(v)}
	if pl.field != noField {
		out.Field = p.FieldName(pl.field)
	}
	switch {
	case pl.field == Data || p.hides(pl, v):
		out.Hidden = true
	case pl.num.binary != inDigits:
		if n, ok := pl.num.parse(v, 0); ok {
			out.Value = itoa(n)
		}
	case !pl.text:
		out.Value = printable(v)
	default:
		out.Value = p.charset.text(trimRight(v, p.charset.space()))
	}
	return out
}

// ExplainAll makes a table of each telegram of a captured stream, in order, and
// of the bytes that the profile has before the first, as far as they were captured.
// The error says where the stream stops being telegrams of this profile; what
// came before it is good.
func (p *Profile) ExplainAll(src io.Reader, tell func(Explained) error) error {
	r := p.NewReader(src, make([]byte, p.FrameBuffer()))
	at := 0
	greetings := p.greetings(r.peek())
	for _, g := range greetings {
		if err := tell(g); err != nil {
			return err
		}
		at += g.Bytes
	}
	r.from += at
	for n := 1; ; n++ {
		frame, err := r.Next()
		cut := errors.Is(err, io.ErrUnexpectedEOF)
		if errors.Is(err, io.EOF) || cut && len(bytes.TrimSpace(r.buf[r.from:r.to])) == 0 { // an editor's last line end
			return nil
		}
		if err != nil {
			return fault.New(CodeNotThisProfile, p.Name, "telegram", n, "offset", at).Because(err)
		}
		at += len(frame) + len(p.frame.ends)
		if r.GoesOn() { // of a file that one telegram carries the first piece has been told
			n--
			continue
		}
		if err := tell(p.Explain(frame)); err != nil {
			return err
		}
	}
}

// Begins reports that a capture begins with a telegram of p, or with the bytes
// that come before the first one.
func (p *Profile) Begins(capture []byte) bool {
	return len(p.greetings(capture)) > 0 || p.telegramAt(capture)
}

func (p *Profile) telegramAt(b []byte) bool {
	frame, err := p.NewReader(bytes.NewReader(b), make([]byte, p.FrameBuffer())).Next()
	return err == nil && p.Explain(frame).Kind != NoKind
}

// greetings are the steps of bytes that a capture begins with: those of one end
// or of both, since a capture may have either.
func (p *Profile) greetings(b []byte) (out []Explained) {
	for i := range p.Session.Begins {
		s := &p.Session.Begins[i]
		n := s.in(b)
		if s.Bytes == nil || n == 0 || p.telegramAt(b) {
			continue
		}
		shown := b[:n]
		if !bytes.Equal(shown, s.Bytes) {
			shown = nil
		}
		out = append(out, ExplainBytes(s.By.String(), n, shown))
		b = b[n:]
	}
	return out
}

// ExplainBytes tells of n bytes that somebody has sent before the first
// telegram. b is nil where they are not what the profile says by itself: then
// they may be anything, and are not shown.
func ExplainBytes(by string, n int, b []byte) Explained {
	return Explained{By: by, Bytes: n, Rows: []Told{{Width: n, Value: printable(b), Hidden: b == nil}}}
}

// in is how many bytes of the step b begins with, 0 = none.
func (s *Step) in(b []byte) int {
	if s.Until == nil {
		if bytes.HasPrefix(b, s.Bytes) {
			return len(s.Bytes)
		}
		return 0
	}
	if at := bytes.Index(b[:min(len(b), s.Max)], s.Until); at >= 0 {
		return at + len(s.Until)
	}
	return 0
}

// peek is what can be read of the stream without going on, a telegram at least
// if there is one.
func (r *Reader) peek() []byte {
	_ = r.need(len(r.buf)) // less is what there is
	return r.buf[r.from:r.to]
}
