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
	dataLen := patch{}
	for i := range l.places {
		pl := &l.places[i]
		if pl.field == DataLength && pl.value == nil && pl.made == nil {
			dataLen = patch{at: len(dst) - start, width: pl.width, num: pl.num}
			dst = pl.pad(dst, nil, pl.width)
			continue
		}
		var err error
		if dst, err = p.appendPlace(dst, pl, t); err != nil {
			return dst[:start], err
		}
	}
	n := len(dst) - start
	body := n - l.header
	if l.hasData() {
		body = len(t.Data())
	}
	if !dataLen.write(dst[start:], int64(body)) {
		return dst[:start], fault.New(CodeDoesNotFit, "data_length", "kind", t.Kind, "value", body, "width", dataLen.width)
	}
	dst, err := p.close(l.repeated, dst, start)
	if err != nil {
		fault.As(err).Subject = t.Kind.String()
		return dst[:start], err
	}
	return dst, nil
}

// appendPlace writes one row.
func (p *Profile) appendPlace(dst []byte, pl *place, t *Telegram) ([]byte, error) {
	switch {
	case pl.value != nil && pl.field == Business:
		return p.appendBusiness(dst, pl, t), nil
	case pl.value != nil:
		return append(dst, pl.value...), nil
	case pl.made != nil:
		return p.appendMade(dst, pl, t)
	case pl.field == noField, pl.field == Length: // a length is known at the end
		return pl.pad(dst, nil, pl.width), nil
	case pl.field.IsNumber():
		at := len(dst)
		dst = pl.pad(dst, nil, pl.width)
		if !pl.num.put(dst[at:], t.numbers[pl.field]) {
			return dst, p.doesNotFit(pl, t)
		}
		return dst, nil
	}
	return p.appendText(dst, pl, t)
}

// close puts the lengths of a telegram in their places and ends it.
func (p *Profile) close(repeated []patch, dst []byte, start int) ([]byte, error) {
	if err := p.putLengths(repeated, dst[start:], len(dst)-start); err != nil {
		return dst, err
	}
	return p.frame.end(dst, start)
}

// putLengths writes all lengths of a telegram of n bytes into its head.
func (p *Profile) putLengths(repeated []patch, head []byte, n int) error {
	for i := range repeated {
		r := &repeated[i]
		if !r.write(head, int64(n-r.before)) {
			return p.frame.tooLong(n)
		}
	}
	return p.frame.putLength(head, n)
}

// appendText writes a text field.
func (p *Profile) appendText(dst []byte, pl *place, t *Telegram) ([]byte, error) {
	v := t.texts[pl.field-numNumbers]
	if t.own&pl.field.bit() != 0 {
		v = pl.picks.of(v)
	}
	if pl.text && t.own&pl.field.bit() != 0 && !p.charset.plain(v) {
		var err error
		if v, err = p.charset.encode(v); err != nil {
			e := fault.As(err)
			e.Subject = p.FieldName(pl.field)
			return dst, e
		}
	}
	width := pl.width
	switch pl.span {
	case toLast:
		_, last := p.Place(t)
		if last > transfer.MaxPerBlock {
			return dst, p.doesNotFit(pl, t)
		}
		width = max(0, last)
	case toEnd:
		width = len(v)
		if pl.max > 0 && width > pl.max {
			return dst, p.doesNotFit(pl, t)
		}
	}
	if len(v) > width && len(trimRight(v, pl.fill)) > width {
		return dst, p.doesNotFit(pl, t)
	}
	return pl.pad(dst, v, width), nil
}

func (p *Profile) doesNotFit(pl *place, t *Telegram) error {
	e := fault.New(CodeDoesNotFit, p.FieldName(pl.field), "kind", t.Kind, "width", pl.width)
	if !secret(pl.field) {
		if pl.field.IsNumber() {
			e.Args["value"] = itoa(t.numbers[pl.field])
		} else if pl.field != Data && pl.field != Map {
			e.Args["value"] = t.Text(pl.field)
		}
	}
	return e
}

// secret fields are masked in every output.
func secret(f Field) bool { return f == SenderPassword || f == Password || f == Challenge }

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
	t.charset = p.charset
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
	if l := p.layouts[DataTelegram]; l.alone && string(code) == l.typeWire {
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
			return fault.New(CodeWrongConstant, l.kind.String(), "field", p.FieldName(w.field), "value", printable([]byte(p.charset.text(v))), "expected", w.shown)
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
