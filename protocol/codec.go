package protocol

import (
	"bytes"

	"pabal/internal/fault"
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
		if _, ok := appendNumber(dst[dataLenAt:dataLenAt], int64(body), dataLenWidth); !ok {
			return dst[:start], fault.New(CodeDoesNotFit, "data_length", "value", body, "width", dataLenWidth)
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
// (CodeUnknownType), digits must be digits (CodeNotANumber), and the data
// length may not say more than the frame holds (CodeDataLength). When an
// error is returned, t.Kind is set if the type was recognised.
func (p *Profile) Decode(frame []byte, t *Telegram) error {
	*t = Telegram{}
	if len(frame) < p.typeAt+p.typeWidth {
		return fault.New(CodeTooShort, "", "length", len(frame), "expected", p.headerLen)
	}
	code := frame[p.typeAt : p.typeAt+p.typeWidth]
	group := p.byType[string(code)]
	if group == nil {
		return fault.New(CodeUnknownType, printable(code), "profile", p.Name)
	}
	l := group[0]
	if len(group) > 1 {
		if l = choose(group, frame); l == nil {
			t.Kind = NoKind
			return fault.New(CodeUnknownType, printable(code), "profile", p.Name)
		}
	}
	t.Kind = l.kind
	if len(frame) < l.fixed {
		// A reply without its optional tail is taken as far as it goes (§4.4),
		// but never less than its header.
		if len(frame) < l.header || l.kind != FetchReply && l.kind != CheckReply {
			return fault.New(CodeTooShort, l.kind.String(), "length", len(frame), "expected", l.fixed)
		}
	}
	if l.spans == 0 && len(frame) > l.fixed {
		return fault.New(CodeTooLong, l.kind.String(), "length", len(frame), "max", l.fixed)
	}
	rest := frame
	for i := range l.places {
		pl := &l.places[i]
		width := pl.width
		if pl.span != fixedSpan || width > len(rest) {
			width = len(rest)
		}
		v := rest[:width]
		rest = rest[width:]
		if pl.field == noField {
			continue
		}
		if pl.field.IsNumber() {
			n, ok := parseNumber(v)
			if !ok {
				return fault.New(CodeNotANumber, p.FieldName(pl.field), "value", printable(v), "kind", l.kind)
			}
			t.numbers[pl.field] = n
			continue
		}
		if pl.field == Name && i >= p.headerPlaces && blank(v) {
			continue // a blank name in the body leaves the header's
		}
		t.texts[pl.field-numNumbers] = v
	}
	if l.hasData() {
		data := t.Data()
		n := t.numbers[DataLength]
		if n > int64(len(data)) || n < 0 {
			return fault.New(CodeDataLength, l.kind.String(), "value", n, "held", len(data))
		}
		t.Set(Data, data[:n])
	}
	return nil
}

func (l *layout) hasData() bool {
	return l.spans == 1 && l.places[len(l.places)-1].field == Data
}

// choose finds the layout whose discriminators the frame has.
func choose(group []*layout, frame []byte) *layout {
	for _, l := range group {
		match := true
		for _, w := range l.where {
			if w.at+len(w.value) > len(frame) || !bytes.Equal(frame[w.at:w.at+len(w.value)], w.value) {
				match = false
				break
			}
		}
		if match {
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
	if v < 0 {
		return dst, false
	}
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; v > 0; i-- {
		if i < at {
			return dst[:at], false
		}
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst, true
}

// parseNumber reads digits; blanks count as zero, as some senders leave
// unused numbers blank.
func parseNumber(b []byte) (int64, bool) {
	var v int64
	if len(b) > 18 {
		return 0, false
	}
	seen := false
	for _, c := range b {
		if c == ' ' && !seen {
			continue
		}
		if c < '0' || c > '9' {
			return 0, blank(b)
		}
		seen = true
		v = v*10 + int64(c-'0')
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
