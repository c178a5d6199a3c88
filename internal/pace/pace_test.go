package pace

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipe is a paced end and the other one. Time is that of the bubble.
func pipe(t *testing.T, p *Pacer) (*Conn, net.Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	c := Wrap(a)
	if p != nil {
		c.Use(p)
	}
	return c, b
}

// TestBytesASecond: both directions, one connection and several together, and
// not a byte is lost or changed.
func TestBytesASecond(t *testing.T) {
	for _, test := range []struct {
		name        string
		perSecond   int64
		connections int
		least       time.Duration
	}{
		{"one", 8 << 10, 1, 7 * time.Second},
		{"four together", 8 << 10, 4, 31 * time.Second},
		{"as fast as can be", 0, 1, 0},
		{"faster than a piece", 1 << 30, 1, 0},
	} {
		for _, out := range []bool{true, false} {
			t.Run(test.name+map[bool]string{true: ", out", false: ", in"}[out], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := New(test.perSecond)
					want := bytes.Repeat([]byte("0123456789abcdef"), 4<<10) // 64 KiB
					began, done := time.Now(), make(chan []byte)
					for range test.connections {
						c, far := pipe(t, p)
						from, to := net.Conn(c), far
						if !out {
							from, to = far, c
						}
						go func() { _, _ = from.Write(want); _ = from.Close() }()
						go func() { got, _ := io.ReadAll(to); done <- got }()
					}
					for range test.connections {
						require.True(t, bytes.Equal(want, <-done))
					}
					took := time.Since(began)
					require.GreaterOrEqual(t, took, test.least)
					require.LessOrEqual(t, took, test.least+2*time.Second)
				})
			})
		}
	}
}

// TestDeadlines: our own waits do not count, a cut does.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t, New(4<<10))
		go func() { _, _ = io.Copy(io.Discard, far) }()
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
		began := time.Now()
		n, err := c.Write(make([]byte, 40<<10))
		require.NoError(t, err, "ten seconds, of which the other side took none")
		require.Equal(t, 40<<10, n)
		require.Greater(t, time.Since(began), 9*time.Second)

		began = time.Now()
		time.AfterFunc(1100*time.Millisecond, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		_, err = c.Write(make([]byte, 40<<10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 1100*time.Millisecond, time.Since(began))
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "and stays cut")
	})
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t, New(4<<10))
		go func() { _, _ = far.Write(make([]byte, 6<<10)) }()
		require.NoError(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		_, err := io.ReadFull(c, make([]byte, 6<<10))
		require.NoError(t, err, "what has come is read, however long we hold back")
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "what does not come is not")
	})
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t, New(4<<10))
		go func() { _, _ = io.Copy(io.Discard, far) }()
		time.AfterFunc(1100*time.Millisecond, func() { _ = c.Close() }) // while we hold a piece back, not at its edge
		_, err := c.Write(make([]byte, 40<<10))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// TestAnotherPace counts at once.
func TestAnotherPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(4 << 10)
		c, far := pipe(t, p)
		go func() { _, _ = io.Copy(io.Discard, far) }()
		time.AfterFunc(time.Second, func() { p.Set(0) })
		began := time.Now()
		_, err := c.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		require.Less(t, time.Since(began), 2*time.Second)
	})
}
