package protocol

import (
	"strconv"

	"pabal/internal/fault"
)

func itoa(v int64) string { return strconv.FormatInt(v, 10) }

// Template writes the data telegrams of a block. Everything before their data is
// encoded once; of it the sequence is another in each, and block number and
// lengths as good as never, so those are written when they change.
type Template struct {
	p        *Profile
	fixed    []byte
	fixedFor wrote
	block    patch
	sequence patch
	length   patch
	repeated []patch
	counters []counted
	counts   Counts // of the next telegram
	maxData  int
}

// wrote is what the fixed part says of the telegram it was written for.
type wrote struct {
	known bool  // else it says nothing yet
	block int64 // as it travels
	data  int   // bytes
}

// counted is the place of a running number.
type counted struct {
	patch
	counter *counter
	title   string
}

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
	fixed = fixed[:len(fixed)-len(p.frame.ends)]
	tpl := &Template{p: p, fixed: fixed, repeated: l.repeated, counts: t.counts, maxData: maxData}
	at := 0
	for _, pl := range l.places {
		here := patch{at: at, width: pl.width, num: pl.num}
		switch pl.field {
		case Block:
			tpl.block = here
		case Sequence:
			tpl.sequence = here
		case DataLength:
			tpl.length = here
		}
		if pl.made != nil && pl.made.counter != nil {
			tpl.counters = append(tpl.counters, counted{here, pl.made.counter, pl.named()})
		}
		at += pl.width
	}
	return tpl, nil
}

// Append writes one data telegram behind dst. It allocates nothing when dst
// has room. Its counters go on from one call to the next.
func (t *Template) Append(dst []byte, block int64, sequence int, data []byte) ([]byte, error) {
	start := len(dst)
	if len(data) > t.maxData {
		return dst, fault.New(CodeTooLong, "data", "length", len(data), "max", t.maxData)
	}
	block, seq := t.p.onWire(block, sequence)
	if now := (wrote{true, block, len(data)}); t.fixedFor != now {
		if err := t.fix(now); err != nil {
			return dst, err
		}
	}
	dst = append(dst, t.fixed...)
	head := dst[start:]
	if !t.sequence.write(head, seq) {
		return dst[:start], t.doesNotFit(Sequence, seq, t.sequence)
	}
	for i := range t.counters {
		c := &t.counters[i]
		v, err := c.counter.value(&t.counts, c.title, DataTelegram)
		if err != nil {
			return dst[:start], err
		}
		c.write(head, v)
	}
	t.counts.Telegrams++
	t.counts.InFile++
	dst = append(dst, data...)
	if len(t.p.frame.ends) == 0 {
		return dst, nil
	}
	dst, err := t.p.frame.end(dst, start)
	if err != nil {
		fault.As(err).Subject = DataTelegram.String()
		return dst[:start], err
	}
	return dst, nil
}

// fix writes block number and lengths into the fixed part.
func (t *Template) fix(now wrote) error {
	t.fixedFor = wrote{}
	switch {
	case !t.block.write(t.fixed, now.block):
		return t.doesNotFit(Block, now.block, t.block)
	case !t.length.write(t.fixed, int64(now.data)):
		return t.doesNotFit(DataLength, int64(now.data), t.length)
	}
	if err := t.p.putLengths(t.repeated, t.fixed, len(t.fixed)+now.data); err != nil {
		fault.As(err).Subject = DataTelegram.String()
		return err
	}
	t.fixedFor = now
	return nil
}

func (t *Template) doesNotFit(f Field, v int64, at patch) error {
	return fault.New(CodeDoesNotFit, t.p.FieldName(f), "kind", DataTelegram, "value", v, "width", at.width)
}
