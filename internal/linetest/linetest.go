// Package linetest gives tests a line that goes dead in the middle of a file.
package linetest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Line stands between a caller and a server. When so many bytes have gone
// towards the server, on however many connections, the one that brought the
// last of them is held, as a line that has gone dead is: nothing is closed and
// nothing arrives. Every other connection is let through, before and after.
type Line struct {
	ln      net.Listener
	target  atomic.Value
	left    atomic.Int64 // bytes until one is held
	held    chan struct{}
	healed  chan struct{}
	heal    sync.Once
	passing sync.WaitGroup

	mu   sync.Mutex
	open []net.Conn
}

// New is a line to target that is held after so many bytes.
func New(t testing.TB, target string, after int64) *Line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &Line{ln: ln, held: make(chan struct{}), healed: make(chan struct{})}
	l.left.Store(after)
	l.Target(target)
	l.passing.Go(l.accept)
	return l
}

// Address is where to call.
func (l *Line) Address() string { return l.ln.Addr().String() }

// Target says where the connections after this one go.
func (l *Line) Target(address string) { l.target.Store(address) }

// Held is closed when a connection is held.
func (l *Line) Held() <-chan struct{} { return l.held }

// Heal makes the line well again: what was held arrives.
func (l *Line) Heal() { l.heal.Do(func() { close(l.healed) }) }

// Drain takes no more calls and waits until both ends of all connections are
// through.
func (l *Line) Drain() {
	_ = l.ln.Close()
	l.passing.Wait()
}

// Close takes no more calls and closes all connections, so that no server that
// is stopped after it has to wait for one.
func (l *Line) Close() {
	_ = l.ln.Close()
	l.Heal()
	l.mu.Lock()
	for _, c := range l.open {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.passing.Wait()
}

func (l *Line) accept() {
	for {
		from, err := l.ln.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", l.target.Load().(string))
		if err != nil { // the caller sees a line that is closed, and calls again
			_ = from.Close()
			continue
		}
		l.mu.Lock()
		l.open = append(l.open, from, to)
		l.mu.Unlock()
		l.passing.Go(func() { l.pass(to, from); _ = to.Close() })
		l.passing.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
	}
}

// pass copies towards the server.
func (l *Line) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		part := buf[:n]
		left := l.left.Add(-int64(n))
		if last := int(left) + n; left <= 0 && last > 0 { // the last byte before it goes dead is in here
			if _, err := to.Write(part[:last]); err != nil {
				return
			}
			close(l.held)
			<-l.healed
			part = part[last:]
		}
		if _, err := to.Write(part); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}
