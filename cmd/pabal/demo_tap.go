package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"pabal/protocol"
	"pabal/transfer"
)

// A tap listens on the lines of the counterparties. It reads the telegrams
// that really pass between the two processes; what a counterparty loses on
// purpose is lost behind it on the way in and before it on the way out. What
// the pictures tell of telegrams comes from here.

// factKind is what a tap has heard.
type factKind int

const (
	heardStart  factKind = iota // a file was announced and answered
	heardBlock                  // the receiver said what it has of a block
	heardResend                 // missing sequences were sent again
	heardEnd                    // the receiver confirmed the end of the file
)

// fact is one thing heard.
type fact struct {
	at      time.Time
	kind    factKind
	where   string // code of the counterparty
	name    string // of the file on the wire
	block   int64
	last    int       // last sequence of the block
	missing []int     // heardBlock: not there; heardResend: sent again
	held    int64     // heardStart: bytes that the receiver has already
	types   [2]string // type codes of the request and its answer
}

// lineLog adds up what passed on all lines of one counterparty.
type lineLog struct {
	mu    sync.Mutex
	files map[string]*fileLog // by wire name, the latest
}

// fileLog is what passed of one file, over all sessions.
type fileLog struct {
	data, resent int64
	twice        int64 // data telegrams that passed before, resends apart
	passed       map[int64]*transfer.SeqSet
}

// totals of a file's latest journey.
func (l *lineLog) totals(name string) (data, resent, twice int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[name]
	if f == nil {
		return 0, 0, 0
	}
	return f.data, f.resent, f.twice
}

// begin starts the account of a file, anew unless the receiver goes on from
// what it holds.
func (l *lineLog) begin(name string, held int64) {
	if l.files[name] == nil || held == 0 {
		l.files[name] = &fileLog{passed: map[int64]*transfer.SeqSet{}}
	}
}

// tap hears one counterparty.
type tap struct {
	where   string
	profile *protocol.Profile
	log     lineLog
	tell    func(fact) // called before the telegram passes on
}

func newTap(where string, p *protocol.Profile, tell func(fact)) *tap {
	return &tap{where: where, profile: p, log: lineLog{files: map[string]*fileLog{}}, tell: tell}
}

// listener hears every connection that comes in.
func (t *tap) listener(l net.Listener) net.Listener { return &tappedListener{l, t} }

type tappedListener struct {
	net.Listener
	t *tap
}

func (l *tappedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.t.conn(c), nil
}

func (t *tap) conn(c net.Conn) net.Conn {
	h := &hearing{t: t}
	tapped := &tappedConn{Conn: c, h: h}
	for _, f := range []*feed{&tapped.in, &tapped.out} {
		f.reader = t.profile.NewReader(&f.pending, make([]byte, t.profile.FrameBuffer()))
	}
	return tapped
}

type tappedConn struct {
	net.Conn
	h       *hearing
	in, out feed
}

func (c *tappedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.pass(c.h, b[:n])
	return n, err
}

func (c *tappedConn) Write(b []byte) (int, error) {
	c.out.pass(c.h, b)
	return c.Conn.Write(b)
}

// feed cuts one direction into telegrams.
type feed struct {
	pending  pendingBytes
	reader   *protocol.Reader
	telegram protocol.Telegram
	lost     bool
}

type pendingBytes struct{ b []byte }

// Read gives what has passed so far; io.EOF means: nothing more yet.
func (p *pendingBytes) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b)
	p.b = p.b[n:]
	return n, nil
}

func (f *feed) pass(h *hearing, b []byte) {
	if f.lost || len(b) == 0 {
		return
	}
	f.pending.b = b
	for {
		frame, err := f.reader.Next()
		if err != nil {
			// Between telegrams, or within one: the rest will come. Anything
			// else is not of this profile, and this direction is heard no more.
			f.lost = !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
			return
		}
		if h.t.profile.Decode(frame, &f.telegram) == nil {
			h.hear(&f.telegram)
		}
	}
}

// hearing understands one conversation.
type hearing struct {
	t  *tap
	mu sync.Mutex // the two directions are read and written by different goroutines

	name   string // of the file under way
	before [protocol.NumKinds]string
	again  []int // resent since the last check
	block  int64
}

func (h *hearing) hear(t *protocol.Telegram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name := t.Text(protocol.Name); name != "" && name != "000" {
		h.name = name
	}
	log := &h.t.log
	tell := func(f fact) {
		f.at, f.where, f.name = time.Now(), h.t.where, h.name
		if r := t.Kind; f.types[1] == "" {
			for k := protocol.Kind(1); k < protocol.NumKinds; k++ {
				if k.Reply() == r {
					f.types[0] = h.before[k]
				}
			}
			f.types[1] = t.Text(protocol.Type)
		}
		h.t.tell(f)
	}
	h.before[t.Kind] = t.Text(protocol.Type)
	switch t.Kind {
	case protocol.InfoReply:
		held := int64(0)
		if h.t.profile.Files.Resume {
			held = t.Number(protocol.Size)
		}
		log.mu.Lock()
		log.begin(h.name, held)
		log.mu.Unlock()
		tell(fact{kind: heardStart, held: held})
	case protocol.DataTelegram, protocol.Resend:
		h.data(t)
	case protocol.CheckReply:
		if len(h.again) > 0 {
			f := fact{kind: heardResend, block: h.block, missing: h.again}
			f.types[1] = h.before[protocol.Resend]
			tell(f)
			h.again = nil
		}
		tell(fact{kind: heardBlock, block: t.Number(protocol.Block), last: int(t.Number(protocol.Sequence)), missing: h.missing(t)})
	case protocol.EndReply, protocol.EndMoreReply:
		tell(fact{kind: heardEnd})
	}
}

func (h *hearing) data(t *protocol.Telegram) {
	log := &h.t.log
	log.mu.Lock()
	defer log.mu.Unlock()
	f := log.files[h.name]
	if f == nil { // fetched files may begin without an announcement
		log.begin(h.name, 0)
		f = log.files[h.name]
	}
	block, seq := t.Number(protocol.Block), int(t.Number(protocol.Sequence))
	if t.Kind == protocol.Resend {
		f.resent++
		h.block, h.again = block, append(h.again, seq)
		return
	}
	f.data++
	set := f.passed[block]
	if set == nil {
		set = new(transfer.SeqSet)
		f.passed[block] = set
	}
	if !set.Add(seq) {
		f.twice++
	}
}

// missing lists what the map of a check reply says is not there.
func (h *hearing) missing(t *protocol.Telegram) []int {
	if t.Number(protocol.Missing) == 0 {
		return nil
	}
	var out []int
	for n, c := range t.Raw(protocol.Map)[:min(len(t.Raw(protocol.Map)), int(t.Number(protocol.Sequence)))] {
		if c == h.t.profile.Letters.Missing {
			out = append(out, n+1)
		}
	}
	return out
}
