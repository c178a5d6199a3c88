package protocol

import (
	"bytes"
	"math"

	"pabal/internal/fault"
)

// readings are the rows of a layout as telegrams are read by them: what has to be
// looked at for every telegram and nothing else, in a few bytes, for one is decoded
// for every sequence of a file. Rows that nobody asks for are not among them.
type readings struct {
	texts []reading // whose bytes are taken as they are, before the others
	said  []reading // numbers, and of which the profile says more
}

// reading is one of them.
type reading struct {
	at, end int // the end of a row of open width is beyond any telegram
	field   Field
	number  bool
	num     number
	row     int // which of the layout's places it is
}

// plan makes the readings of a layout, when nothing of its rows changes any more
// but the business code of its constant (ForBusiness).
func (l *layout) plan() {
	l.readings = readings{}
	at, said := 0, uint64(0)
	for i := range l.places {
		pl := &l.places[i]
		r := reading{at: at, end: at + pl.width, field: pl.field, number: pl.kept == noField && pl.field.IsNumber(), num: pl.num, row: i}
		if at = r.end; pl.span != fixedSpan {
			r.end = math.MaxInt
		}
		switch {
		case pl.field == noField && pl.kept == noField:
		case pl.field == noField:
			l.said = append(l.said, r)
		case pl.field.IsNumber() || pl.kept != noField || pl.second || pl.trim || pl.field == Business && pl.value != nil,
			said&pl.field.bit() != 0: // a field's last row counts
			l.said, said = append(l.said, r), said|pl.field.bit()
		default:
			l.texts = append(l.texts, r)
		}
	}
}

// planReading makes the readings of all layouts.
func (p *Profile) planReading() {
	for _, l := range p.layouts {
		if l != nil {
			l.plan()
		}
	}
	if p.Parts == nil {
		return
	}
	for _, l := range p.Parts.rows {
		if l != nil {
			l.plan()
		}
	}
}

// read fills the fields of t from frame, as far as it goes.
func (p *Profile) read(l *layout, frame []byte, t *Telegram) error {
	for i := range l.texts {
		r := &l.texts[i]
		t.texts[r.field-numNumbers] = frame[min(r.at, len(frame)):min(r.end, len(frame))]
	}
	var failed error
	space := p.charset.space()
	for i := range l.said {
		r := &l.said[i]
		v := frame[min(r.at, len(frame)):min(r.end, len(frame))]
		if r.number {
			n, ok := r.num.parse(v, space)
			if t.numbers[r.field] = n; ok {
				continue
			}
		}
		if err := p.readSaid(l, &l.places[r.row], v, t); failed == nil {
			failed = err
		}
	}
	return failed
}

// readSaid reads a row of which the profile says more than most need.
func (p *Profile) readSaid(l *layout, pl *place, v []byte, t *Telegram) error {
	if pl.kept != noField {
		t.texts[pl.kept-numNumbers] = v
	}
	switch {
	case pl.field == noField:
	case pl.field.IsNumber():
		n, ok := pl.num.parse(v, p.charset.space())
		t.numbers[pl.field] = n
		if !ok {
			return fault.New(CodeNotANumber, p.FieldName(pl.field), "value", printable(v), "kind", l.kind)
		}
	case pl.second && len(trimRight(v, pl.fill)) == 0:
		// a blank name in the body leaves the header's
	default:
		t.texts[pl.field-numNumbers] = v
		if pl.trim {
			t.texts[pl.field-numNumbers] = pl.trimmed(v)
		}
		if pl.field == Business && pl.value != nil && !bytes.Equal(v, pl.value) && !p.businesses.has(v) {
			return fault.New(CodeWrongBusiness, printable([]byte(p.charset.text(v))), "expected", pl.shown)
		}
	}
	return nil
}
