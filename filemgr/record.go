package filemgr

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"

	"golang.org/x/text/encoding/charmap"

	"pabal/internal/fault"
)

// readBuffer is how many bytes of a file are read at once.
const readBuffer = 256 << 10

// ebcdicTables are the two directions of code page 037 seen as a bijection of
// the 256 byte values: byte b stands for the Latin-1 character b.
func ebcdicTables() (toEBCDIC, fromEBCDIC *[256]byte) {
	toEBCDIC, fromEBCDIC = new([256]byte), new([256]byte)
	for b := range 256 {
		e, _ := charmap.CodePage037.EncodeRune(rune(b))
		toEBCDIC[b] = e
		fromEBCDIC[e] = byte(b)
	}
	return toEBCDIC, fromEBCDIC
}

// translator writes every byte through a table.
type translator struct {
	w     io.Writer
	table *[256]byte
	buf   []byte
}

func (t *translator) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n := min(len(p)-done, readBuffer)
		if cap(t.buf) < n {
			t.buf = make([]byte, n)
		}
		out := t.buf[:n]
		for i, b := range p[done : done+n] {
			out[i] = t.table[b]
		}
		if _, err := t.w.Write(out); err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

// stripper drops the line end after every record of n bytes. It goes by
// position, so that what it drops is exactly what restorer puts back; the line
// rules are checked before it.
type stripper struct {
	w   io.Writer
	n   int
	end string
	pos int // within record and line end
}

func (s *stripper) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if s.pos < s.n {
			part := p[i:min(len(p), i+s.n-s.pos)]
			if _, err := s.w.Write(part); err != nil {
				return i, err
			}
			s.pos += len(part)
			i += len(part)
			continue
		}
		if p[i] != s.end[s.pos-s.n] {
			return i, errors.New("a line end is not where the record length says, and no check refused it")
		}
		i++
		if s.pos++; s.pos == s.n+len(s.end) {
			s.pos = 0
		}
	}
	return len(p), nil
}

// Close refuses a last line without its line end, which could not be put back.
func (s *stripper) Close() error {
	if s.pos != 0 {
		return errors.New("the last line is not whole, and no check refused it")
	}
	return nil
}

// restorer puts the line end back after every n bytes.
type restorer struct {
	w   *bufio.Writer
	n   int
	end string
	pos int
}

func (r *restorer) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		part := p[i:min(len(p), i+r.n-r.pos)]
		if _, err := r.w.Write(part); err != nil {
			return i, err
		}
		i += len(part)
		if r.pos += len(part); r.pos == r.n {
			if _, err := r.w.WriteString(r.end); err != nil {
				return i, err
			}
			r.pos = 0
		}
	}
	return len(p), nil
}

// Close refuses a last record that is not whole.
func (r *restorer) Close() error {
	if r.pos != 0 {
		return fault.New(CodeWirePartial, "", "length", r.n, "rest", r.pos)
	}
	return r.w.Flush()
}

// chain is a writer whose stages are closed in the order of the data.
type chain struct {
	io.Writer
	closers []io.Closer
}

func (c *chain) Close() error {
	for _, cl := range c.closers {
		if err := cl.Close(); err != nil {
			return err
		}
	}
	return nil
}

// toWire returns a writer of file bytes that writes wire bytes to w: line ends
// stripped, then EBCDIC, then gzip. The gzip header has no name and no time, so
// equal files give equal wire bytes.
func toWire(f Form, e Encoding, w io.Writer) *chain {
	c := &chain{Writer: w}
	var closers []io.Closer
	if e.Gzip {
		z := gzip.NewWriter(w)
		c.Writer, closers = z, append(closers, z)
	}
	if e.EBCDIC {
		to, _ := ebcdicTables()
		c.Writer = &translator{w: c.Writer, table: to}
	}
	if f.Strip {
		b := bufio.NewWriterSize(c.Writer, 64<<10)
		s := &stripper{w: b, n: f.Length, end: f.lineEnd()}
		c.Writer = s
		closers = append([]io.Closer{s, flusher{b}}, closers...)
	}
	c.closers = closers
	return c
}

type flusher struct{ *bufio.Writer }

func (f flusher) Close() error { return f.Flush() }

// Source hands over wire bytes in order, in pieces that it may reuse after
// emit returns, and ends with an error of emit if there was one.
type Source func(emit func([]byte) error) error

// ToFile is the inverse of what Split does to a file: it reads wire bytes and
// writes file bytes to w. limit bounds the file's size, which gzip would
// otherwise leave to the peer; 0 means no limit.
func ToFile(ctx context.Context, f Form, e Encoding, limit int64, src Source, w io.Writer) error {
	c := &chain{Writer: w}
	if limit > 0 {
		c.Writer = &limiter{w: c.Writer, left: limit, limit: limit}
	}
	if f.Strip {
		r := &restorer{w: bufio.NewWriterSize(c.Writer, 64<<10), n: f.Length, end: f.lineEnd()}
		c.Writer, c.closers = r, []io.Closer{r}
	}
	if e.EBCDIC {
		_, from := ebcdicTables()
		c.Writer = &translator{w: c.Writer, table: from}
	}
	if e.Tag != "" {
		src = untagged(src, e.Tag)
	}
	emit := func(p []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := c.Write(p)
		return err
	}
	if e.Gzip {
		if err := inflate(src, emit); err != nil {
			return err
		}
	} else if err := src(emit); err != nil {
		return err
	}
	return c.Close()
}

// errStopped ends a source whose reader has failed; the reader's error counts.
var errStopped = errors.New("reading has stopped")

// inflate turns the pushing source into the reader that gzip needs, with one
// goroutine, which is over when inflate returns.
func inflate(src Source, emit func([]byte) error) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := src(func(p []byte) error { _, err := w.Write(p); return err })
		_ = w.CloseWithError(err) // nil is io.EOF
		done <- err
	}()
	err := inflateFrom(r, emit)
	_ = r.CloseWithError(errStopped)
	if srcErr := <-done; srcErr != nil && !errors.Is(srcErr, errStopped) {
		return srcErr
	}
	return err
}

func inflateFrom(r io.Reader, emit func([]byte) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fault.New(CodeGzip, "").Because(err)
	}
	buf := make([]byte, readBuffer)
	for {
		n, err := z.Read(buf)
		if n > 0 {
			if eerr := emit(buf[:n]); eerr != nil {
				return eerr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.New(CodeGzip, "").Because(err)
		}
	}
}

// limiter refuses more than limit bytes.
type limiter struct {
	w           io.Writer
	left, limit int64
}

func (l *limiter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fault.New(CodeInflated, "", "limit", l.limit)
	}
	l.left -= int64(len(p))
	return l.w.Write(p)
}
