package protocol

import (
	"errors"
	"io"
	"math"
	"strconv"

	"pabal/internal/fault"
)

// Where a profile says `whole` one data telegram carries a whole file. No buffer
// ever holds it (design D1): it is read and written in pieces of the message
// size, and the machines see each of them as data telegrams without numbers. Its
// length is known before its first byte, so what is too long is refused there.

// compileWhole holds that such a telegram can be told from what follows it, and
// that nothing in it is about a part of the file.
func (p *Profile) compileWhole(c *compiler, spec *Spec) {
	f := &spec.Files
	if p.Files.Whole = f.Whole; !f.Whole {
		return
	}
	for _, need := range []struct {
		key, is string
		want    fault.Phrase
		wrong   bool
	}{
		{"files.blocks", f.Blocks, fault.Say("none_of_whole"), f.Blocks != "none"},
		{"files.resume", f.Resume, fault.Say("none_of_whole"), f.Resume != "none"},
		{"framing.ends", spec.Framing.Ends, fault.Say("length_of_whole"), spec.Framing.Ends != ""},
	} {
		if need.wrong {
			c.problem(need.key, CodeProfileValue, need.is, need.want)
		}
	}
	for _, field := range []Field{Sequence, DataLength} {
		if p.Carries(DataTelegram, field) {
			c.problem("telegrams.data", CodeProfileField, p.FieldName(field), fault.Say("no_row_of_whole"))
		}
	}
	if p.frame.length.width > 0 && p.mostWhole() < 1 {
		c.problem("framing.width", CodeProfileWidth, strconv.Itoa(p.frame.length.width), fault.Say("length_of_file"))
	}
	if p.Parts != nil {
		c.problem("files.whole", CodeProfileValue, "true", fault.Say("false_tagged"))
	}
}

// mostWhole is how many bytes of a file one data telegram can carry.
func (p *Profile) mostWhole() int64 {
	l := p.layouts[DataTelegram]
	if l == nil {
		return 0
	}
	most := int64(math.MaxInt64)
	for _, n := range append([]patch{p.frame.length}, l.repeated...) {
		if n.width > 0 {
			most = min(most, n.num.most(n.width)+int64(n.before)-int64(l.fixed))
		}
	}
	if p.Limits.Size > 0 {
		most = min(most, p.Limits.Size)
	}
	return most
}

// piece is how many bytes of a whole file are read and written at once.
func (p *Profile) piece() int { return p.MaxData(p.Files.MessageSize) }

// AppendWhole encodes what stands before the data of the one telegram that
// carries a file of size bytes, which follow it. CodeTooLong where it may not
// be as long.
func (p *Profile) AppendWhole(dst []byte, t *Telegram, size int64) ([]byte, error) {
	l, start := p.layouts[DataTelegram], len(dst)
	if most := p.mostWhole(); size > most {
		return dst, fault.New(CodeTooLong, l.kind.String(), "length", size, "max", most)
	}
	for i := range l.places[:len(l.places)-1] {
		var err error
		if dst, err = p.appendPlace(dst, &l.places[i], t); err != nil {
			return dst[:start], err
		}
	}
	n := int64(len(dst)-start) + size
	for _, r := range append([]patch{p.frame.length}, l.repeated...) {
		if !r.write(dst[start:], n-int64(r.before)) {
			return dst[:start], fault.New(CodeTooLong, l.kind.String(), "length", n, "max", strconv.FormatInt(p.mostWhole(), 10))
		}
	}
	return dst, nil
}

// whole is the first piece of a telegram that carries a file, with its head; nil
// where the telegram that comes is another. Memory is bounded by the piece,
// whatever the length says.
func (r *Reader) whole(total int) ([]byte, error) {
	l := r.p.layouts[DataTelegram]
	if !r.p.Files.Whole || total < l.fixed {
		return nil, nil
	}
	if err := r.need(l.fixed); err != nil {
		return nil, err
	}
	if kind, err := r.p.layoutOf(r.buf[r.from : r.from+l.fixed]); err != nil || kind != l {
		return nil, nil
	}
	size := int64(total - l.fixed)
	if most := r.p.mostWhole(); size > most {
		return nil, fault.New(CodeTooLong, l.kind.String(), "length", size, "max", most)
	}
	n := l.fixed + int(min(size, int64(r.p.piece())))
	if err := r.need(n); err != nil {
		return nil, err
	}
	r.rest = int64(total - n)
	return r.cut(n), nil
}

// more is a further piece of it.
func (r *Reader) more() ([]byte, error) {
	n := int(min(r.rest, int64(r.p.piece())))
	switch err := r.need(n); {
	case errors.Is(err, io.EOF): // between two pieces
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	r.rest -= int64(n)
	r.goesOn = true
	return r.cut(n), nil
}

func (r *Reader) cut(n int) []byte {
	t := r.buf[r.from : r.from+n : r.from+n]
	r.from += n
	return t
}

// GoesOn reports that what Next gave last is no telegram but more of the data of
// the one before it, which carries a whole file.
func (r *Reader) GoesOn() bool { return r.goesOn }

// Decode is Profile.Decode of what Next gave last. More of a file is a data
// telegram that has nothing but data.
func (r *Reader) Decode(frame []byte, t *Telegram) error {
	if !r.goesOn {
		err := r.p.Decode(frame, t)
		t.begins = err == nil && r.p.Files.Whole && t.Kind == DataTelegram
		return err
	}
	t.become(DataTelegram, 0)
	t.charset = r.p.charset
	t.SetRaw(Data, frame)
	return nil
}

// Begins reports that a telegram that was read carries a whole file: this is its
// head, and the first piece of its data.
func (t *Telegram) Begins() bool { return t.begins }
