package protocol

import (
	"io"

	"pabal/internal/fault"
)

// frame is the compiled framing: decimal digits that count the rest or all.
type frame struct {
	at, width int
	all       bool // the digits count themselves and what stands before them
	minTotal  int
	maxTotal  int
}

// before is how many bytes of a telegram the digits do not count.
func (f *frame) before() int {
	if f.all {
		return 0
	}
	return f.at + f.width
}

// put writes the length digits of a telegram of n bytes.
func (f *frame) put(telegram []byte, n int) bool {
	if n > f.maxTotal {
		return false
	}
	return putNumber(telegram[f.at:f.at+f.width], int64(n-f.before()))
}

// Reader cuts a stream into telegrams. It holds at most one telegram and what
// of the next ones came with it, in a buffer of fixed size.
type Reader struct {
	p        *Profile
	src      io.Reader
	buf      []byte
	from, to int
}

// FrameBuffer is the size that a Reader's buffer needs: one telegram of the
// greatest length at least.
func (p *Profile) FrameBuffer() int { return max(4096, p.frame.maxTotal) }

// NewReader reads telegrams of p from src through buf, which must have
// FrameBuffer bytes at least and belongs to the reader.
func (p *Profile) NewReader(src io.Reader, buf []byte) *Reader {
	return &Reader{p: p, src: src, buf: buf}
}

// Next returns the next whole telegram, good until the following call. The
// end of the stream between telegrams is io.EOF, inside one
// io.ErrUnexpectedEOF. A length that is no number (CodeBadLength), shorter
// than the smallest telegram (CodeTooShort) or longer than the greatest
// (CodeTooLong) loses the place in the stream: nothing can be read after it.
func (r *Reader) Next() ([]byte, error) {
	f := &r.p.frame
	head := f.at + f.width
	if err := r.need(head); err != nil {
		return nil, err
	}
	digits := r.buf[r.from+f.at : r.from+head]
	for _, c := range digits {
		if c < '0' || c > '9' {
			return nil, fault.New(CodeBadLength, printable(digits), "expected", f.width)
		}
	}
	n, _ := parseNumber(digits)
	total := int(n) + f.before()
	if total < f.minTotal {
		return nil, fault.New(CodeTooShort, "", "length", total, "expected", f.minTotal)
	}
	if total > f.maxTotal {
		return nil, fault.New(CodeTooLong, "", "length", total, "max", f.maxTotal)
	}
	if err := r.need(total); err != nil {
		return nil, err
	}
	t := r.buf[r.from : r.from+total : r.from+total]
	r.from += total
	return t, nil
}

// Use goes on with another buffer, larger than the one before.
func (r *Reader) Use(buf []byte) {
	r.to = copy(buf, r.buf[r.from:r.to])
	r.from, r.buf = 0, buf
}

// Buffered reports whether bytes of a following telegram are already here.
func (r *Reader) Buffered() bool { return r.to > r.from }

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
