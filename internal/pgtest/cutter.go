package pgtest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Cutter stands between a client and a server and cuts connections at a
// COMMIT, or all of them. It knows just as much of the protocol as that takes.
type Cutter struct {
	server string // its socket
	dir    string

	mu     sync.Mutex
	plan   Cut
	left   int    // how many commits to cut
	with   []byte // only those of transactions that sent this
	refuse bool   // let nobody in afterwards
	away   bool   // nobody gets through
	deny   []byte // a connection that sends this is cut
	cuts   int
	rounds int
	behind int
	then   func() error // runs after a cut, before anybody is let in again
	err    error
	open   map[net.Conn]bool
	thaw   chan struct{}
}

// Cut is where a connection is cut.
type Cut int

// Where a commit is cut.
const (
	Never  Cut = iota
	Before     // the server does not get it
	After      // the server commits, but its answer is lost
	Hold       // neither gets anything until Thaw, as when the client is stopped
)

// Cutter returns a cutter before this server, and the address of the database
// behind it.
func (s *Server) Cutter(t testing.TB, address string) (*Cutter, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cutter") // a test's own may be too long for a socket
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	c := &Cutter{server: s.Socket(t), dir: dir, open: map[net.Conn]bool{}, thaw: make(chan struct{})}
	l, err := net.Listen("unix", filepath.Join(c.dir, filepath.Base(c.server)))
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(client)
		}
	}()
	return c, SocketURL(c.dir, Database(t, address))
}

// Next says what becomes of the next n commits, and whether nobody is let in
// after the first of them.
func (c *Cutter) Next(plan Cut, n int, refuse bool) { c.NextWith(nil, plan, n, refuse) }

// Parameter is how a parameter of this text is sent.
func Parameter(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// NextWith is Next for the transactions that send these bytes.
func (c *Cutter) NextWith(with []byte, plan Cut, n int, refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan, c.left, c.refuse, c.cuts, c.away = plan, n, refuse, 0, false
	c.with = with
}

// Deny cuts every connection that sends this text from now on.
func (c *Cutter) Deny(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deny = []byte(text)
}

// Away cuts all connections and lets nobody in until Next or Back.
func (c *Cutter) Away() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = true
	for conn := range c.open {
		_ = conn.Close()
	}
}

// Back lets everybody in again.
func (c *Cutter) Back() { c.Next(Never, 0, false) }

// Thaw lets go what Hold held; it is gone for good.
func (c *Cutter) Thaw() { close(c.thaw) }

// Count is how many commits were cut since Next.
func (c *Cutter) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// OnCut runs f after the next cut before the server, and before the client
// knows of it.
func (c *Cutter) OnCut(f func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.then = f
}

// Failed is what f of OnCut returned.
func (c *Cutter) Failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// busy reports that something is to happen before the client knows.
func (c *Cutter) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.then != nil
}

// marked reports that a packet is one that Next asked for, and denied that its
// connection is to be cut for it.
func (c *Cutter) marked(body []byte) (marked, denied bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.with) > 0 && bytes.Contains(body, c.with), len(c.deny) > 0 && bytes.Contains(body, c.deny)
}

// commit decides about one.
func (c *Cutter) commit(marked bool) Cut {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || len(c.with) > 0 && !marked {
		return Never
	}
	c.left--
	c.cuts++
	if c.refuse {
		c.away = true
	}
	return c.plan
}

// enter counts a connection in, if it is let in.
func (c *Cutter) enter(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.open[conn] = true
	}
	return !c.away
}

func (c *Cutter) leave(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.open, conn)
		_ = conn.Close()
	}
}

// gone cuts all connections but the one whose commit is under way, after a cut
// that nobody is let in after.
func (c *Cutter) gone(but ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.away {
		return
	}
	for conn := range c.open {
		if conn != but[0] && conn != but[1] {
			_ = conn.Close()
		}
	}
}

func (c *Cutter) carry(client net.Conn) {
	server, err := net.Dial("unix", c.server)
	if err != nil {
		_ = client.Close()
		return
	}
	defer c.leave(client, server)
	if !c.enter(client, server) {
		return
	}
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
					_ = client.Close() // which may wait for just that
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
	marked, ends, asks := false, false, false
	statements := map[string]string{} // prepared, in small letters, by their names
	// What the client sends without waiting for an answer is passed on
	// together: a client that is stopped has sent all of it, or nothing.
	var ahead []byte
	first := 0 // where it ends what is bound first
	for {
		var head [5]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		said := ""
		switch head[0] {
		case 'Q':
			said = text(body)
		case 'P':
			name, query, _ := bytes.Cut(body, []byte{0})
			statements[string(name)] = text(query)
		case 'B':
			_, name, _ := bytes.Cut(body, []byte{0})
			name, _, _ = bytes.Cut(name, []byte{0})
			said = statements[string(name)]
		}
		if strings.HasPrefix(said, "begin") {
			marked = false
		}
		is, denied := c.marked(body)
		if denied {
			return
		}
		marked, ends = marked || is, ends || said == "commit"
		asks = asks || head[0] == 'E'
		ahead = append(append(ahead, head[:]...), body...)
		if head[0] == 'B' && first == 0 {
			first = len(ahead)
		}
		if strings.IndexByte("PBDEC", head[0]) >= 0 {
			continue
		}
		if head[0] == 'S' && asks {
			c.round(len(ahead) - first)
		}
		asks, first = false, 0
		plan := Never
		if ends {
			plan = c.commit(marked)
			c.gone(client, server)
			ends = false
		}
		if plan == Hold {
			<-c.thaw
			return
		}
		if plan == Before {
			_ = server.Close() // and with it goes the transaction
			c.mu.Lock()
			if c.then != nil {
				c.err = c.then()
				c.then = nil
			}
			c.mu.Unlock()
			return
		}
		if plan == After {
			close(deaf)
		}
		if _, err := server.Write(ahead); err != nil {
			return
		}
		ahead = ahead[:0]
		if plan == After {
			<-answered
			return
		}
	}
}

// text is a statement of a packet in small letters.
func text(body []byte) string {
	body, _, _ = bytes.Cut(body, []byte{0})
	return strings.ToLower(string(body))
}

// round counts an end of statements that travel together. Those that are only
// prepared do not count, nor does what has no parameters and travels alone.
func (c *Cutter) round(behind int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds++
	c.behind = max(c.behind, behind)
}

// Behind is how many bytes have travelled at most behind the values of the
// first statement of those that travelled together.
func (c *Cutter) Behind() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind
}

// Rounds is how often clients have waited so far for the server to execute
// statements.
func (c *Cutter) Rounds() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rounds
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
