package protocol

import (
	"strconv"

	"pabal/internal/fault"
)

func itoa(v int64) string { return strconv.FormatInt(v, 10) }

// Template writes the data telegrams of a block: everything but block number,
// sequence and data is the same in all of them, so the fixed part is encoded
// once and patched.
type Template struct {
	p        *Profile
	fixed    []byte
	block    patch
	sequence patch
	length   patch
	repeated []patch
	maxData  int
}

type patch struct{ at, width int }

// Template makes a template from t, whose kind is DataTelegram or Resend and
// whose data is ignored. maxData bounds the data of one telegram.
func (p *Profile) Template(t *Telegram, maxData int) (*Template, error) {
	l := p.layouts[t.Kind]
	if l == nil || !l.hasData() {
		return nil, fault.New(CodeNotInProfile, t.Kind.String(), "profile", p.Name)
	}
	c := *t
	c.Set(Data, nil)
	fixed, err := p.Append(nil, &c)
	if err != nil {
		return nil, err
	}
	tpl := &Template{p: p, fixed: fixed, repeated: l.repeated, maxData: maxData}
	at := 0
	for _, pl := range l.places {
		switch pl.field {
		case Block:
			tpl.block = patch{at, pl.width}
		case Sequence:
			tpl.sequence = patch{at, pl.width}
		case DataLength:
			tpl.length = patch{at, pl.width}
		}
		at += pl.width
	}
	return tpl, nil
}

// Append writes one data telegram behind dst. It allocates nothing when dst
// has room.
func (t *Template) Append(dst []byte, block int64, sequence int, data []byte) ([]byte, error) {
	start := len(dst)
	if len(data) > t.maxData {
		return dst, fault.New(CodeTooLong, "data", "length", len(data), "max", t.maxData)
	}
	dst = append(dst, t.fixed...)
	head := dst[start:]
	switch {
	case !t.block.write(head, block):
		return dst[:start], t.doesNotFit(Block, block, t.block)
	case !t.sequence.write(head, int64(sequence)):
		return dst[:start], t.doesNotFit(Sequence, int64(sequence), t.sequence)
	case !t.length.write(head, int64(len(data))):
		return dst[:start], t.doesNotFit(DataLength, int64(len(data)), t.length)
	}
	dst = append(dst, data...)
	for _, r := range t.repeated {
		if !r.write(dst[start:], int64(len(dst)-start-t.p.frame.before())) {
			return dst[:start], fault.New(CodeTooLong, "data", "length", len(dst)-start, "max", t.p.frame.maxTotal)
		}
	}
	if !t.p.frame.put(dst[start:], len(dst)-start) {
		return dst[:start], fault.New(CodeTooLong, "data", "length", len(dst)-start, "max", t.p.frame.maxTotal)
	}
	return dst, nil
}

func (t *Template) doesNotFit(f Field, v int64, at patch) error {
	return fault.New(CodeDoesNotFit, t.p.FieldName(f), "kind", DataTelegram, "value", v, "width", at.width)
}

// write puts v in its place; a patch without width has no place.
func (p patch) write(b []byte, v int64) bool {
	return p.width == 0 || putNumber(b[p.at:p.at+p.width], v)
}
