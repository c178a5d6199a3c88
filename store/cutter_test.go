package store_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
)

// cutter stands between the store and the server and cuts connections at a
// COMMIT.
type cutter struct {
	server string // its socket
	dir    string

	mu     sync.Mutex
	plan   cut
	left   int  // how many commits to cut
	refuse bool // let nobody in afterwards
	cuts   int
	then   func() error // runs after a cut, before anybody is let in again
	err    error
}

type cut int

const (
	never  cut = iota
	before     // the server does not get it
	after      // the server commits, but its answer is lost
)

// newCutter returns a cutter and the address of the database behind it.
func newCutter(t *testing.T, address string) (*cutter, string) {
	c := &cutter{server: running.postgres.Socket(t), dir: t.TempDir()}
	l, err := net.Listen("unix", filepath.Join(c.dir, filepath.Base(c.server)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(client)
		}
	}()
	return c, pgtest.SocketURL(c.dir, pgtest.Database(t, address))
}

// next says what becomes of the next commits.
func (c *cutter) next(plan cut, n int, refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan, c.left, c.refuse, c.cuts = plan, n, refuse, 0
}

func (c *cutter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// onCut runs f after the next cut, before the client knows of it.
func (c *cutter) onCut(f func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.then = f
}

func (c *cutter) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// busy reports that something is to happen before the client knows.
func (c *cutter) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.then != nil
}

// commit decides about one.
func (c *cutter) commit() cut {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return never
	}
	c.left--
	c.cuts++
	return c.plan
}

func (c *cutter) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refuse && c.cuts > 0
}

func (c *cutter) carry(client net.Conn) {
	defer client.Close()
	if c.closed() {
		return
	}
	server, err := net.Dial("unix", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	// What the server says is passed on until its answers are not wanted.
	deaf := make(chan struct{})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				if !c.busy() {
					client.Close() // which may wait for just that
				}
				return
			}
			select {
			case <-deaf:
				return // the answer to the commit has come, so it is done
			default:
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	// The first packet has no letter: length and the start-up message.
	if !pass(client, server) {
		return
	}
	for {
		var head [5]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		plan := never
		if head[0] == 'Q' && bytes.EqualFold(body, []byte("commit\x00")) {
			plan = c.commit()
		}
		if plan == before {
			server.Close() // and with it goes the transaction
			c.mu.Lock()
			if c.then != nil {
				c.err = c.then()
				c.then = nil
			}
			c.mu.Unlock()
			return
		}
		if plan == after {
			close(deaf)
		}
		if _, err := server.Write(append(head[:], body...)); err != nil {
			return
		}
		if plan == after {
			<-answered
			return
		}
	}
}

// pass carries one packet without a letter.
func pass(from io.Reader, to io.Writer) bool {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return false
	}
	body := make([]byte, binary.BigEndian.Uint32(length[:])-4)
	if _, err := io.ReadFull(from, body); err != nil {
		return false
	}
	_, err := to.Write(append(length[:], body...))
	return err == nil
}
