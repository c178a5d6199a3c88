package protocol

import (
	"bytes"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Append encodes t behind dst and returns the longer slice. A value that does
// not fit its place is refused with CodeDoesNotFit: nothing is ever cut off
// silently. Length fields are filled in here.
func (p *Profile) Append(dst []byte, t *Telegram) ([]byte, error) {
	l := p.layouts[t.Kind]
	if l == nil {
		return dst, fault.New(CodeNotInProfile, t.Kind.String(), "profile", p.Name)
	}
	start := len(dst)
	dataLenAt, dataLenWidth := -1, 0
	for i := range l.places {
		pl := &l.places[i]
		switch {
		case pl.value != nil:
			dst = append(dst, pl.value...)
		case pl.field == noField:
			dst = pad(dst, nil, pl.width, pl.numeric)
		case pl.field == Length:
			dst = pad(dst, nil, pl.width, true) // known at the end
		case pl.field == DataLength:
			dataLenAt, dataLenWidth = len(dst), pl.width
			dst = pad(dst, nil, pl.width, true)
		case pl.field.IsNumber():
			var ok bool
			if dst, ok = appendNumber(dst, t.numbers[pl.field], pl.width); !ok {
				return dst[:start], p.doesNotFit(pl, t)
			}
		default:
			v := t.texts[pl.field-numNumbers]
			width := pl.width
			switch pl.span {
			case toLast:
				if t.numbers[Sequence] > transfer.MaxPerBlock {
					return dst[:start], p.doesNotFit(pl, t)
				}
				width = int(t.numbers[Sequence])
			case toEnd:
				width = len(v)
				if pl.max > 0 && width > pl.max {
					return dst[:start], p.doesNotFit(pl, t)
				}
			}
			if len(v) > width && len(bytes.TrimRight(v, " ")) > width {
				return dst[:start], p.doesNotFit(pl, t)
			}
			dst = pad(dst, v, width, pl.numeric)
		}
	}
	n := len(dst) - start
	if dataLenAt >= 0 {
		body := n - l.header
		if l.spans == 1 && l.places[len(l.places)-1].field == Data {
			body = len(t.Data())
		}
		if !putNumber(dst[dataLenAt:dataLenAt+dataLenWidth], int64(body)) {
			return dst[:start], fault.New(CodeDoesNotFit, "data_length", "value", body, "width", dataLenWidth)
		}
	}
	for _, r := range l.repeated {
		if !r.write(dst[start:], int64(n-p.frame.before())) {
			return dst[:start], fault.New(CodeTooLong, t.Kind.String(), "length", n, "max", p.frame.maxTotal)
		}
	}
	if !p.frame.put(dst[start:], n) {
		return dst[:start], fault.New(CodeTooLong, t.Kind.String(), "length", n, "max", p.frame.maxTotal)
	}
	return dst, nil
}

func (p *Profile) doesNotFit(pl *place, t *Telegram) error {
	e := fault.New(CodeDoesNotFit, p.FieldName(pl.field), "kind", t.Kind, "width", pl.width)
	if !secret(pl.field) {
		if pl.field.IsNumber() {
			e.Args["value"] = itoa(t.numbers[pl.field])
		} else if pl.field != Data && pl.field != Map {
			e.Args["value"] = string(t.texts[pl.field-numNumbers])
		}
	}
	return e
}

// secret fields are masked in every output.
func secret(f Field) bool { return f == SenderPassword || f == Password }

// Decode reads one whole telegram of the peer into t. Texts point into frame.
// The telegram is believed only as far as its layout goes: too short is
// refused (CodeTooShort), an unknown type or discriminator is refused
// (CodeUnknownType), digits must be digits (CodeNotANumber), the business code
// must be the profile's (CodeWrongBusiness), and the data length may not say
// more than the frame holds (CodeDataLength). When an error is returned,
// t.Kind is set if the type was recognised, and the fields as far as they
// could be read, so that a request can be answered.
func (p *Profile) Decode(frame []byte, t *Telegram) error {
	l, err := p.layoutOf(frame)
	if err != nil {
		t.Reset()
		return err
	}
	t.become(l.kind, l.fields)
	err = p.read(l, frame, t)
	// A reply without its optional tail is taken as far as it goes (§4.4), but
	// never less than its header.
	tail := l.kind == FetchReply || l.kind == CheckReply
	switch {
	case len(frame) < l.header || len(frame) < l.fixed && !tail:
		return fault.New(CodeTooShort, l.kind.String(), "length", len(frame), "expected", l.fixed)
	case l.spans == 0 && len(frame) > l.fixed:
		return fault.New(CodeTooLong, l.kind.String(), "length", len(frame), "max", l.fixed)
	case err != nil:
		return err
	}
	if err := p.constants(l, frame); err != nil {
		return err
	}
	if l.hasData() && l.fields&DataLength.bit() != 0 {
		data := t.Data()
		n := t.numbers[DataLength]
		if n > int64(len(data)) {
			return fault.New(CodeDataLength, l.kind.String(), "value", n, "held", len(data))
		}
		t.texts[Data-numNumbers] = data[:n]
	}
	return nil
}

// layoutOf finds the layout of a telegram by its type and discriminators.
func (p *Profile) layoutOf(frame []byte) (*layout, error) {
	if len(frame) < p.typeAt+p.typeWidth {
		return nil, fault.New(CodeTooShort, "", "length", len(frame), "expected", p.headerLen)
	}
	code := frame[p.typeAt : p.typeAt+p.typeWidth]
	if l := p.layouts[DataTelegram]; l.alone && string(code) == l.typeCode {
		return l, nil // nearly every telegram is one
	}
	group := p.byType[string(code)]
	if len(group) == 1 {
		return group[0], nil
	}
	if l := choose(group, frame); l != nil {
		return l, nil
	}
	return nil, fault.New(CodeUnknownType, printable(code), "profile", p.Name)
}

// read fills the fields of t from frame.
func (p *Profile) read(l *layout, frame []byte, t *Telegram) error {
	var failed error
	at := 0
	for i := range l.places {
		pl := &l.places[i]
		end := at + pl.width
		if pl.span != fixedSpan || end > len(frame) {
			end = len(frame)
		}
		v := frame[at:end]
		at = end
		switch {
		case pl.field == noField:
		case pl.field.IsNumber():
			n, ok := parseNumber(v)
			if !ok && failed == nil {
				failed = fault.New(CodeNotANumber, p.FieldName(pl.field), "value", printable(v), "kind", l.kind)
			}
			t.numbers[pl.field] = n
		case pl.second && blank(v):
			// a blank name in the body leaves the header's
		default:
			if pl.field == Business && pl.value != nil && !bytes.Equal(v, pl.value) && failed == nil {
				failed = fault.New(CodeWrongBusiness, printable(v), "expected", string(pl.value))
			}
			t.texts[pl.field-numNumbers] = v
		}
	}
	return failed
}

func (l *layout) hasData() bool {
	return l.spans == 1 && l.places[len(l.places)-1].field == Data
}

// constants compares what tells a telegram from others of its type, also where
// its type has no other. Replies may leave such a field blank (§4.13): what
// they answer is known.
func (p *Profile) constants(l *layout, frame []byte) error {
	if len(l.where) == 0 || l.kind.Reply() == NoKind || l.matches(frame) {
		return nil
	}
	for _, w := range l.where {
		if v := frame[w.at : w.at+len(w.value)]; !bytes.Equal(v, w.value) {
			return fault.New(CodeWrongConstant, l.kind.String(), "field", p.FieldName(w.field), "value", printable(v), "expected", string(w.value))
		}
	}
	return nil
}

// matches reports that frame has the discriminators of the layout.
func (l *layout) matches(frame []byte) bool {
	for _, w := range l.where {
		if w.at+len(w.value) > len(frame) || !bytes.Equal(frame[w.at:w.at+len(w.value)], w.value) {
			return false
		}
	}
	return true
}

// choose finds the layout whose discriminators the frame has.
func choose(group []*layout, frame []byte) *layout {
	for _, l := range group {
		if l.matches(frame) {
			return l
		}
	}
	return nil
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' {
			return false
		}
	}
	return true
}

// appendNumber appends v in exactly width digits.
func appendNumber(dst []byte, v int64, width int) ([]byte, bool) {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	if !putNumber(dst[at:], v) {
		return dst[:at], false
	}
	return dst, true
}

// putNumber fills b with the digits of v and reports whether they fit.
func putNumber(b []byte, v int64) bool {
	if v < 0 {
		return false
	}
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return v == 0
}

// parseNumber reads digits; leading blanks count as zero, as some senders
// leave unused numbers blank.
func parseNumber(b []byte) (int64, bool) {
	if len(b) > 18 {
		return 0, false
	}
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	var v int64
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + int64(d)
	}
	return v, true
}

// printable makes bytes of a peer safe for a message: at most 24, the rest dots.
func printable(b []byte) string {
	if len(b) > 24 {
		b = b[:24]
	}
	out := make([]byte, len(b))
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}
