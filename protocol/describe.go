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
	Err   error // why the telegram is not what its layout says; Rows as far as it could be read
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
	case pl.num.binary != nil:
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

// ExplainAll makes a table of each telegram of a captured stream, in order.
// The error says where the stream stops being telegrams of this profile; what
// came before it is good.
func (p *Profile) ExplainAll(src io.Reader, tell func(Explained) error) error {
	r := p.NewReader(src, make([]byte, p.FrameBuffer()))
	for n, at := 1, 0; ; n++ {
		frame, err := r.Next()
		cut := errors.Is(err, io.ErrUnexpectedEOF)
		if errors.Is(err, io.EOF) || cut && len(bytes.TrimSpace(r.buf[r.from:r.to])) == 0 { // an editor's last line end
			return nil
		}
		if err != nil {
			return fault.New(CodeNotThisProfile, p.Name, "telegram", n, "offset", at).Because(err)
		}
		at += len(frame) + len(p.frame.ends)
		if err := tell(p.Explain(frame)); err != nil {
			return err
		}
	}
}
