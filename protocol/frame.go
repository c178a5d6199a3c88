package protocol

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"pabal/internal/fault"
)

// frame is the compiled framing: a length somewhere in the header, or bytes
// that end a telegram.
type frame struct {
	length   patch      // of the framing; without width there is none and ends has bytes
	ends     []byte     // what ends a telegram, and is no part of it
	prefix   []constant // what stands before the length in every telegram
	minTotal int        // bytes of a telegram, without what ends it
	maxTotal int
	first    int // shortest first telegram of who comes to us; 0 = as any other
}

// constant are bytes that always stand at one place.
type constant struct {
	at    int
	value []byte
}

// putLength puts the length of a telegram of n bytes in its place in the head.
// CodeTooLong says that it may not be as long.
func (f *frame) putLength(head []byte, n int) error {
	if n > f.maxTotal || !f.length.write(head, int64(n-f.length.before)) {
		return f.tooLong(n)
	}
	return nil
}

// end puts what ends a telegram behind the one that starts at dst[start:], where
// there is such. CodeDelimiter says that those bytes stand in the telegram, so that
// the peer would cut it there.
func (f *frame) end(dst []byte, start int) ([]byte, error) {
	if len(f.ends) == 0 {
		return dst, nil
	}
	n := len(dst) - start
	dst = append(dst, f.ends...)
	if bytes.Index(dst[start:], f.ends) < n {
		return dst, fault.New(CodeDelimiter, "", "delimiter", fmt.Sprintf("%X", f.ends))
	}
	return dst, nil
}

// atMost is what the framing can say, in bytes. Where it is a short length in
// digits that sets the bound, that is what to look at: it may be binary.
func (f *frame) atMost(bytes int) fault.Phrase {
	if n := f.length; n.width == 0 || n.num.binary != inDigits || int64(f.maxTotal) < n.num.most(n.width)+int64(n.before) {
		return fault.Say("framing_most", "most", bytes)
	}
	return fault.Say("framing_most_digits", "most", bytes, "width", f.length.width)
}

func (f *frame) tooLong(n int) error {
	return fault.New(CodeTooLong, "", "length", n, "max", f.maxTotal)
}

// Delimiter is what ends a telegram in a profile that has no length; nil in
// one that has. Data must not contain it (§4.12).
func (p *Profile) Delimiter() []byte { return p.frame.ends }

// Reader cuts a stream into telegrams. It holds at most one telegram and what
// of the next ones came with it, in a buffer of fixed size.
type Reader struct {
	p        *Profile
	src      io.Reader
	buf      []byte
	from, to int
	least    int // bytes of the next telegram, where it must have more than others

	rest   int64 // bytes to come of a telegram that carries a whole file
	goesOn bool  // what was given last is more of one
}

// FrameBuffer is the size that a Reader's buffer needs: one telegram of the
// greatest length at least.
func (p *Profile) FrameBuffer() int { return max(4096, p.frame.maxTotal+len(p.frame.ends)) }

// NewReader reads telegrams of p from src through buf, which must have
// FrameBuffer bytes at least and belongs to the reader.
func (p *Profile) NewReader(src io.Reader, buf []byte) *Reader {
	return &Reader{p: p, src: src, buf: buf}
}

// Next returns the next whole telegram without what ends it, good until the
// following call. The end of the stream between telegrams is io.EOF, inside
// one io.ErrUnexpectedEOF. A length that is no number (CodeBadLength), other
// bytes than always stand before it (CodeBadPrefix), a telegram shorter than
// the smallest (CodeTooShort) or longer than the greatest (CodeTooLong) loses
// the place in the stream: nothing can be read after it.
func (r *Reader) Next() ([]byte, error) {
	if r.goesOn = false; r.rest > 0 {
		return r.more()
	}
	total, err := r.measure()
	if err != nil {
		return nil, err
	}
	if t, err := r.whole(total); t != nil || err != nil {
		return t, err
	}
	f := &r.p.frame
	least := max(f.minTotal, r.least)
	r.least = 0
	switch {
	case total < least:
		return nil, fault.New(CodeTooShort, "", "length", total, "expected", least)
	case total > f.maxTotal:
		return nil, fault.New(CodeTooLong, "", "length", total, "max", f.maxTotal)
	}
	if err := r.need(total + len(f.ends)); err != nil {
		return nil, err
	}
	t := r.buf[r.from : r.from+total : r.from+total]
	r.from += total + len(f.ends)
	return t, nil
}

// measure is how long the next telegram is.
func (r *Reader) measure() (int, error) {
	f := &r.p.frame
	if f.length.width == 0 {
		return r.search()
	}
	head := f.length.at + f.length.width
	if err := r.need(head); err != nil {
		return 0, err
	}
	for _, c := range f.prefix {
		if got := r.buf[r.from+c.at : r.from+c.at+len(c.value)]; !bytes.Equal(got, c.value) {
			return 0, fault.New(CodeBadPrefix, printable(got), "expected", printable(c.value))
		}
	}
	digits := r.buf[r.from+f.length.at : r.from+head]
	n, ok := f.length.num.parse(digits, f.length.num.zero) // blanks are no length
	if !ok {
		return 0, fault.New(CodeBadLength, printable(digits), "expected", f.length.width)
	}
	return int(min(n, int64(mostLength))) + f.length.before, nil
}

// mostLength bounds what a length is believed to say, so that adding to it
// cannot run over.
const mostLength = math.MaxInt / 2

// search finds what ends the next telegram.
func (r *Reader) search() (int, error) {
	f := &r.p.frame
	for done := 0; ; {
		have := r.to - r.from
		if at := bytes.Index(r.buf[r.from+done:r.to], f.ends); at >= 0 {
			return done + at, nil
		}
		done = max(0, have-len(f.ends)+1)
		if done > f.maxTotal {
			return done, nil
		}
		if err := r.need(have + 1); err != nil {
			return 0, err
		}
	}
}

// Use goes on with another buffer, of FrameBuffer bytes at least. Between two calls
// of Next, and after an error of the source, less than a telegram is in it.
func (r *Reader) Use(buf []byte) {
	r.to = copy(buf, r.buf[r.from:r.to])
	r.from, r.buf = 0, buf
}

// Buffered reports whether bytes of a following telegram are already here.
func (r *Reader) Buffered() bool { return r.to > r.from }

// First has the next telegram be the first of a counterparty that came to us,
// which the profile may want to be longer than others (§4.12). One that is
// shorter is CodeTooShort.
func (r *Reader) First() { r.least = r.p.frame.first }

// Held is how many bytes have been read and not cut off yet.
func (r *Reader) Held() int { return r.to - r.from }

// need makes n bytes of the current telegram available.
func (r *Reader) need(n int) error {
	empty := 0
	for r.to-r.from < n {
		if r.from > 0 && (r.from == r.to || r.from+n > len(r.buf)) {
			copy(r.buf, r.buf[r.from:r.to])
			r.to -= r.from
			r.from = 0
		}
		m, err := r.src.Read(r.buf[r.to:])
		r.to += m
		if m == 0 && err == nil {
			if empty++; empty == 100 {
				return io.ErrNoProgress
			}
			continue
		}
		if m == 0 && err != nil {
			if err == io.EOF && r.to > r.from {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
