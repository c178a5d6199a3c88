package protocol

import (
	"bytes"
	"math/bits"
)

// Telegram is one message by meaning. Texts and Data of a decoded telegram
// point into the frame they were read from: they are good until the next
// frame is read, and Keep copies them.
type Telegram struct {
	Kind    Kind
	set     uint64  // the fields that may differ from zero, one bit each
	own     uint64  // … of those, the texts that are ours: UTF-8, whatever travels
	charset charset // of the others
	numbers [numNumbers]int64
	texts   [numTexts][]byte
	counts  Counts // what its counters show
	begins  bool   // the first piece of a file that one telegram carries
}

// bit is the field's place in Telegram.set.
func (f Field) bit() uint64 { return 1 << f }

// Number is the value of a number field, 0 where the layout has none.
func (t *Telegram) Number(f Field) int64 { return t.numbers[f] }

// SetNumber sets a number field.
func (t *Telegram) SetNumber(f Field, v int64) {
	t.numbers[f] = v
	t.set |= f.bit()
}

// Raw is the value of a text field as it travels, with its padding.
func (t *Telegram) Raw(f Field) []byte { return t.texts[f-numNumbers] }

// Text is the value of a text field in UTF-8, without the padding.
func (t *Telegram) Text(f Field) string {
	v := t.texts[f-numNumbers]
	if t.own&f.bit() != 0 {
		return string(bytes.TrimRight(v, " "))
	}
	return t.charset.text(trimRight(v, t.charset.space()))
}

func trimRight(b []byte, fill byte) []byte {
	for len(b) > 0 && b[len(b)-1] == fill {
		b = b[:len(b)-1]
	}
	return b
}

// Set sets a text field to text of ours, in UTF-8, which is put into the
// profile's character set when the telegram is written; Data stays bytes.
// What v holds is not copied.
func (t *Telegram) Set(f Field, v []byte) {
	t.texts[f-numNumbers] = v
	t.set |= f.bit()
	t.own |= f.bit()
}

// SetRaw sets a text field to bytes as they travel: what Raw of another
// telegram gave.
func (t *Telegram) SetRaw(f Field, v []byte) {
	t.texts[f-numNumbers] = v
	t.set |= f.bit()
	t.own &^= f.bit()
}

// SetText sets a text field.
func (t *Telegram) SetText(f Field, v string) { t.Set(f, []byte(v)) }

// Data is the file content that the telegram carries.
func (t *Telegram) Data() []byte { return t.texts[Data-numNumbers] }

// Reset empties the telegram. Only what was set is cleared: a Telegram is
// about a kilobyte, and one is decoded for every sequence of a file.
func (t *Telegram) Reset() { t.become(NoKind, 0) }

// become clears what was set and will not be written again.
func (t *Telegram) become(k Kind, fields uint64) {
	for old := t.set &^ fields; old != 0; old &= old - 1 {
		if f := Field(bits.TrailingZeros64(old)); f.IsNumber() {
			t.numbers[f] = 0
		} else {
			t.texts[f-numNumbers] = nil
		}
	}
	t.Kind, t.set, t.own, t.begins = k, fields, 0, false
}

// Keep copies src without its data into t; the texts live in buf, which is
// grown as needed and returned for the next use.
func (t *Telegram) Keep(src *Telegram, buf []byte) []byte {
	need := 0
	for i, b := range src.texts {
		if i != int(Data-numNumbers) {
			need += len(b)
		}
	}
	if cap(buf) < need {
		buf = make([]byte, 0, need)
	}
	buf = buf[:0]
	*t = *src
	for i, b := range src.texts {
		if i == int(Data-numNumbers) {
			t.texts[i] = nil
			continue
		}
		if b != nil {
			at := len(buf)
			buf = append(buf, b...)
			t.texts[i] = buf[at:len(buf):len(buf)]
		}
	}
	return buf
}
