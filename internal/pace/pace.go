// Package pace makes connections no faster than is agreed.
package pace

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Pacer is an agreed number of bytes a second in each direction, for all
// connections that use it together.
type Pacer struct{ in, out *rate.Limiter }

// A piece is what passes at once: a quarter of a second's worth, so that waits
// are short and several connections take turns.
const (
	partOfSecond  = 4
	largestPiece  = 64 << 10
	smallestPiece = 512
)

// New makes one for so many bytes a second; 0 = as fast as can be.
func New(perSecond int64) *Pacer {
	p := &Pacer{in: rate.NewLimiter(rate.Inf, largestPiece), out: rate.NewLimiter(rate.Inf, largestPiece)}
	p.Set(perSecond)
	return p
}

// Set changes the number. What waits already has its time.
func (p *Pacer) Set(perSecond int64) {
	for _, l := range []*rate.Limiter{p.in, p.out} {
		if perSecond <= 0 {
			l.SetLimit(rate.Inf)
			l.SetBurst(largestPiece)
			continue
		}
		l.SetLimit(rate.Limit(perSecond))
		l.SetBurst(int(min(max(perSecond/partOfSecond, smallestPiece), largestPiece)))
	}
}

// Conn is a connection that may be given a pace. Its deadlines are for the
// other side: the time for which we hold back ourselves is not counted, but a
// deadline that has passed ends every wait.
type Conn struct {
	net.Conn
	pacer atomic.Pointer[Pacer]

	mu    sync.Mutex
	again chan struct{} // closed when a deadline is set, or the connection closed
	ended bool
	read  time.Time     // the deadline as it was set, and moved by what we held back
	write time.Duration // what each piece has; 0 = for ever
	past  time.Time     // the deadline of writing when it had passed as it was set
	owed  int           // bytes read that are not paid for yet
}

// Wrap makes a Conn without a pace.
func Wrap(c net.Conn) *Conn { return &Conn{Conn: c, again: make(chan struct{})} }

// Use gives the connection a pace from now on.
func (c *Conn) Use(p *Pacer) { c.pacer.Store(p) }

// Read waits for what was read before, so that it never keeps what has come.
func (c *Conn) Read(b []byte) (int, error) {
	p := c.pacer.Load()
	if p == nil {
		return c.Conn.Read(b)
	}
	if c.owed > 0 {
		began := time.Now()
		if err := c.wait(p.in, c.owed, func() bool { return passed(c.read) }); err != nil {
			return 0, err
		}
		c.owed = 0
		if err := c.later(time.Since(began)); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(b[:min(len(b), p.in.Burst())])
	c.owed = n
	return n, err
}

// Write sends piece by piece.
func (c *Conn) Write(b []byte) (n int, err error) {
	for p := c.pacer.Load(); p != nil && len(b) > 0 && err == nil; {
		piece := b[:min(len(b), p.out.Burst())]
		if err = c.wait(p.out, len(piece), func() bool { return !c.past.IsZero() }); err == nil {
			err = c.afresh()
		}
		if err != nil {
			return n, err
		}
		var sent int
		sent, err = c.Conn.Write(piece)
		n += sent
		b = b[sent:]
	}
	if len(b) == 0 || err != nil {
		return n, err
	}
	return c.Conn.Write(b)
}

// CloseWrite ends our direction alone.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close ends every wait.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.ended = true
	c.wake()
	c.mu.Unlock()
	return c.Conn.Close()
}

// SetDeadline sets both.
func (c *Conn) SetDeadline(t time.Time) error {
	c.note(t, true, true)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline is for the next bytes to come, not counting our own waits.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.note(t, true, false)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is for each piece, not counting our own waits.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.note(t, false, true)
	return c.Conn.SetWriteDeadline(t)
}

func (c *Conn) note(t time.Time, read, write bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read {
		c.read = t
	}
	if write {
		c.write, c.past = 0, time.Time{}
		if passed(t) {
			c.past = t
		} else if !t.IsZero() {
			c.write = time.Until(t)
		}
	}
	c.wake()
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (c *Conn) wake() {
	close(c.again)
	c.again = make(chan struct{})
}

// later moves the deadline of reading by what we held back.
func (c *Conn) later(held time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read.IsZero() || held < time.Millisecond || passed(c.read.Add(held)) {
		return nil
	}
	c.read = c.read.Add(held)
	return c.Conn.SetReadDeadline(c.read)
}

// afresh gives the next piece the whole time.
func (c *Conn) afresh() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.write == 0 {
		return nil
	}
	return c.Conn.SetWriteDeadline(time.Now().Add(c.write))
}

// wait until so many bytes may pass. cut says that a deadline that was set
// meanwhile ends it.
func (c *Conn) wait(l *rate.Limiter, n int, cut func() bool) error {
	for n > 0 { // the pace may have become slower than what was read at once
		piece := min(n, l.Burst())
		n -= piece
		r := l.ReserveN(time.Now(), piece)
		if err := c.pause(r.Delay(), cut); err != nil {
			r.Cancel()
			return err
		}
	}
	return nil
}

func (c *Conn) pause(d time.Duration, cut func() bool) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		c.mu.Lock()
		ended, out, again := c.ended, cut(), c.again
		c.mu.Unlock()
		switch {
		case ended:
			return net.ErrClosed
		case out:
			return os.ErrDeadlineExceeded
		}
		select {
		case <-timer.C:
			return nil
		case <-again:
		}
	}
}
