package simulator

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
)

// acceptPause is how long an accepting Peer waits when the system has no
// descriptors left.
const acceptPause = 100 * time.Millisecond

// pause waits for d, unless ctx is done first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// injector decides what happens to each telegram. All sessions of a Peer share
// it, because faults are counted over all of them.
type injector struct {
	profile *protocol.Profile
	faults  Faults

	mu             sync.Mutex
	random         *rand.Rand
	kinds          [protocol.NumKinds]int
	sent, received int
	came           [2]int64        // data telegrams of this file in either direction, where they have no numbers
	spent          map[Place]uint8 // places already lost, doubled, moved
	blocks         map[Point]int   // telegrams about the block of a point
	answers        []int           // how many of our answers each of Faults.Answers has fitted
}

const (
	lost = 1 << iota
	doubled
	moved
)

func newInjector(p *protocol.Profile, f Faults) *injector {
	return &injector{profile: p, faults: f, random: rand.New(rand.NewPCG(f.Seed, 0x706162616c)),
		spent: map[Place]uint8{}, blocks: map[Point]int{}, answers: make([]int, len(f.Answers))}
}

func (in *injector) idle() bool {
	f := &in.faults
	return !f.Lose.any() && !f.Duplicate.any() && !f.Reorder.any() && f.Delay == 0 && f.Split == 0 &&
		len(f.Cut)+len(f.Silence)+len(f.Garbage)+len(f.Length)+len(f.Answers)+len(f.Never) == 0 && !f.NeverAll && f.SizeBy == 0
}

func (p Pick) any() bool { return len(p.Places) > 0 || p.Share > 0 }

// treatment is what is to be done with one telegram.
type treatment struct {
	lose, double, hold          bool
	cutBefore, cutAfter         bool
	silenceBefore, silenceAfter bool
	garble, dissatisfy, missize bool
	shorten                     bool
	answer                      *Answer
	delay                       time.Duration
}

// judge counts one telegram and says what is to be done with it.
func (in *injector) judge(t *protocol.Telegram, received bool) treatment {
	in.mu.Lock()
	defer in.mu.Unlock()
	f := &in.faults
	var tr treatment
	in.kinds[t.Kind]++
	switch t.Kind {
	case protocol.Info:
		in.came = [2]int64{}
	case protocol.EndMore:
		in.kinds[protocol.End]++
	case protocol.EndMoreReply:
		in.kinds[protocol.EndReply]++
	}
	if received {
		in.received++
	} else {
		in.sent++
	}
	block := placeIn(in.profile, t).Block
	tr.cutBefore, tr.cutAfter = in.at(f.Cut, t.Kind, block, received)
	tr.silenceBefore, tr.silenceAfter = in.at(f.Silence, t.Kind, block, received)
	tr.garble, _ = in.at(f.Garbage, t.Kind, block, received)
	if f.Delay > 0 && (f.DelayKind == protocol.NoKind || f.DelayKind == t.Kind) {
		tr.delay = f.Delay
	}
	if t.Kind == protocol.DataTelegram || t.Kind == protocol.Resend {
		at := in.placeOf(t, received)
		tr.lose = in.pick(&f.Lose, at, lost)
		tr.double = in.pick(&f.Duplicate, at, doubled)
		tr.hold = !tr.lose && in.pick(&f.Reorder, at, moved)
	}
	if !received {
		tr.shorten, _ = in.at(f.Length, t.Kind, block, received)
		in.answer(t, block, &tr)
		name := t.Text(protocol.Name)
		tr.dissatisfy = t.Kind == protocol.CheckReply && (f.NeverAll || slices.Contains(f.Never, name))
		tr.missize = f.SizeBy != 0 && (t.Kind == protocol.Info || t.Kind == protocol.End || t.Kind == protocol.EndMore) &&
			in.profile.Carries(t.Kind, protocol.Size)
	}
	return tr
}

// answer finds what is to be done with an answer of ours.
func (in *injector) answer(t *protocol.Telegram, block int64, tr *treatment) {
	for n := range in.faults.Answers {
		a := &in.faults.Answers[n]
		if !same(a.Kind, t.Kind) || a.Name != "" && a.Name != cmp.Or(t.Text(protocol.Name), t.Text(protocol.QueryName)) || a.Block != 0 && a.Block != block {
			continue
		}
		in.answers[n]++
		from := max(1, a.From)
		if tr.answer != nil || in.answers[n] < from || a.Times > 0 && in.answers[n] >= from+a.Times {
			continue
		}
		tr.answer, tr.lose, tr.delay = a, a.Silent, tr.delay+a.Delay
	}
}

// same: the end of a file is one kind, whether another follows or not.
func same(want, k protocol.Kind) bool {
	return want == k || want == protocol.End && k == protocol.EndMore || want == protocol.EndReply && k == protocol.EndMoreReply
}

// placeOf is the place of a data telegram, also of one without numbers. A file
// begins with its announcement, and what is gone on with begins anew.
func (in *injector) placeOf(t *protocol.Telegram, received bool) Place {
	if !in.profile.Files.Numbering.None {
		return placeIn(in.profile, t)
	}
	way := 0
	if received {
		way = 1
	}
	n, per := in.came[way], int64(in.profile.Files.PerBlock)
	in.came[way]++
	return Place{Block: n/per + 1, Sequence: int(n%per) + 1}
}

// at says whether the telegram just counted is one of the points.
func (in *injector) at(points []Point, k protocol.Kind, block int64, received bool) (before, after bool) {
	for _, p := range points {
		if p.Kind == protocol.NoKind && p.Received != received || p.Kind != protocol.NoKind && !same(p.Kind, k) || p.Block != 0 && p.Block != block {
			continue
		}
		n := in.kinds[p.Kind]
		switch {
		case p.Block != 0:
			in.blocks[p]++
			n = in.blocks[p]
		case p.Kind == protocol.NoKind && received:
			n = in.received
		case p.Kind == protocol.NoKind:
			n = in.sent
		}
		if n == p.N {
			before, after = before || !p.After, after || p.After
		}
	}
	return before, after
}

// pick says whether a data telegram is chosen. A place is chosen once: what is
// sent again arrives.
func (in *injector) pick(p *Pick, at Place, bit uint8) bool {
	if p.Share > 0 {
		return in.random.Float64() < p.Share
	}
	if !slices.Contains(p.Places, at) || in.spent[at]&bit != 0 {
		return false
	}
	in.spent[at] |= bit
	return true
}

// change writes a telegram with other contents than its sender meant.
func (in *injector) change(dst []byte, frame []byte, t *protocol.Telegram, tr treatment) []byte {
	switch {
	case tr.garble:
		at := len(dst)
		dst = append(dst, frame...)
		in.mu.Lock()
		for i := at; i < len(dst); i++ {
			dst[i] = byte(in.random.Uint32())
		}
		in.mu.Unlock()
		dst[at] |= 0x80 // never the digits of a length
		return dst
	case tr.dissatisfy && placeIn(in.profile, t).Sequence > 0:
		at := placeIn(in.profile, t)
		in.profile.SetMap(t, at.Block, at.Sequence, at.Sequence, func(int) bool { return false })
	case tr.missize:
		t.SetNumber(protocol.Size, max(0, t.Number(protocol.Size)+in.faults.SizeBy))
	case tr.answer != nil:
		in.say(t, tr.answer)
	default:
		return append(append(dst, frame...), in.profile.Delimiter()...)
	}
	out, err := in.profile.Append(dst, t)
	if err != nil {
		return append(append(dst, frame...), in.profile.Delimiter()...)
	}
	return out
}

// say has an answer of ours say what a says.
func (in *injector) say(t *protocol.Telegram, a *Answer) {
	switch {
	case a.Response == "":
	case in.profile.Carries(t.Kind, protocol.Result): // what was found has a code of its own
		t.SetText(protocol.Result, a.Response)
	default:
		t.SetText(protocol.Response, a.Response)
	}
	if a.SizeBy != 0 {
		row := protocol.Size
		if t.Kind == protocol.InfoReply {
			row = in.profile.HeldRow()
		}
		t.SetNumber(row, max(0, t.Number(row)+a.SizeBy))
	}
	at := placeIn(in.profile, t)
	last := max(0, at.Sequence)
	held := func(seq int) bool { return a.Map == MapHeld || a.Map == MapListed && !slices.Contains(a.Missing, seq) }
	missing := 0
	for seq := 1; seq <= last; seq++ {
		if !held(seq) {
			missing++
		}
	}
	if a.Map != MapRight && t.Kind == protocol.CheckReply {
		in.profile.SetMap(t, at.Block, last, missing, held)
	}
}

// placeIn is the place that a telegram names.
func placeIn(p *protocol.Profile, t *protocol.Telegram) Place {
	block, sequence := p.Place(t)
	return Place{block, sequence}
}

// errDry says that a splitter has no whole telegram.
var errDry = errors.New("no whole telegram yet")

// splitter cuts bytes that come in any pieces into telegrams.
type splitter struct {
	queue   []byte // for the reader
	pending []byte // not cut off yet
	reader  *protocol.Reader
	before  []protocol.Step // bytes that come before the first telegram
	lost    bool            // the place in the stream is lost: everything passes as it is
}

func newSplitter(p *protocol.Profile, before []protocol.Step) *splitter {
	s := &splitter{before: before}
	s.reader = p.NewReader(s, make([]byte, p.FrameBuffer()))
	return s
}

// Read gives the reader what there is.
func (s *splitter) Read(b []byte) (int, error) {
	if len(s.queue) == 0 {
		return 0, errDry
	}
	n := copy(b, s.queue)
	s.queue = s.queue[n:]
	return n, nil
}

// faultyConn is a connection on which faults happen.
type faultyConn struct {
	net.Conn
	in *injector

	closed    chan struct{}
	closeOnce sync.Once

	writing sync.Mutex
	out     direction
	reading sync.Mutex
	inward  direction
	ready   []byte // passed by the faults, not read yet
	chunk   []byte

	silent chan struct{} // closed when nothing passes any more
	hush   sync.Once
}

// direction is one of the two streams.
type direction struct {
	split *splitter
	held  []byte // a telegram that comes late
	buf   []byte
}

// wrap puts the faults between a session and its connection. Without any, the
// connection is used as it is.
func (in *injector) wrap(conn net.Conn, side protocol.Side, called bool) net.Conn {
	if in.idle() {
		return conn
	}
	return &faultyConn{Conn: conn, in: in, closed: make(chan struct{}), silent: make(chan struct{}),

		out:    direction{split: newSplitter(in.profile, in.profile.Session.Greetings(side, called))},
		inward: direction{split: newSplitter(in.profile, in.profile.Session.Greetings(side.Other(), !called))},
		chunk:  make([]byte, 32<<10)}
}

// Close closes the connection and ends every pause.
func (c *faultyConn) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// cut is what the session is told of a cut of ours.
func (c *faultyConn) cut() error { return fault.New(CodeCut, c.RemoteAddr().String()) }

// SetDeadline with a time long past is how a session is cut: pauses end too.
func (c *faultyConn) SetDeadline(t time.Time) error {
	if !t.IsZero() && t.Unix() <= 1 {
		c.closeOnce.Do(func() { close(c.closed) })
	}
	return c.Conn.SetDeadline(t)
}

func (c *faultyConn) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.closed:
	}
}

func (c *faultyConn) quiet() bool {
	select {
	case <-c.silent:
		return true
	default:
		return false
	}
}

// Write takes the telegrams of the session.
func (c *faultyConn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.quiet() {
		return len(b), nil
	}
	passed, cut := c.pass(&c.out, b, false)
	if err := c.pieces(passed); err != nil {
		return 0, err
	}
	if cut {
		_ = c.Close()
		return 0, c.cut()
	}
	return len(b), nil
}

// pieces writes b as the faults want it.
func (c *faultyConn) pieces(b []byte) error {
	size := c.in.faults.Split
	if size == 0 {
		size = len(b)
	}
	for len(b) > 0 {
		n := min(size, len(b))
		if _, err := c.Conn.Write(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; c.in.faults.Drip > 0 {
			c.wait(c.in.faults.Drip)
		}
	}
	return nil
}

// Read gives the session what has passed.
func (c *faultyConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for len(c.ready) == 0 {
		n, err := c.Conn.Read(c.chunk)
		if n > 0 && !c.quiet() {
			var cut bool
			if c.ready, cut = c.pass(&c.inward, c.chunk[:n], true); cut {
				_ = c.Close()
				err = c.cut()
			}
		}
		if err != nil {
			if len(c.ready) > 0 {
				break // the next Read meets the error again
			}
			return 0, err
		}
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// pass sends bytes through the faults of one direction. The result is good
// until the next call.
func (c *faultyConn) pass(d *direction, b []byte, received bool) (passed []byte, cut bool) {
	s := d.split
	if s.lost {
		return b, false
	}
	s.queue, s.pending = append(s.queue, b...), append(s.pending, b...)
	d.buf = d.buf[:0]
	for len(s.before) > 0 { // passes as it is
		if _, err := s.reader.Greet(&s.before[0]); errors.Is(err, errDry) {
			return d.buf, false
		} else if err != nil {
			s.lost, d.buf = true, append(d.buf, s.pending...)
			return d.buf, false
		}
		n := len(s.pending) - len(s.queue) - s.reader.Held()
		d.buf, s.pending, s.before = append(d.buf, s.pending[:n]...), s.pending[n:], s.before[1:]
	}
	for {
		frame, err := s.reader.Next()
		if errors.Is(err, errDry) {
			return d.buf, false
		}
		if err != nil {
			// Not our framing: whatever is wrong there is not ours to change, and
			// what follows cannot be told apart.
			s.lost = true
			d.buf = append(d.buf, s.pending...)
			return d.buf, false
		}
		s.pending = s.pending[len(frame):]
		if cut = c.one(d, frame, received); cut || c.quiet() {
			return d.buf, cut
		}
	}
}

// one does to a telegram what is due.
func (c *faultyConn) one(d *direction, frame []byte, received bool) (cut bool) {
	var t protocol.Telegram
	_ = d.split.reader.Decode(frame, &t) // what does not decode has no kind, and passes
	tr := c.in.judge(&t, received)
	if tr.delay > 0 {
		c.wait(tr.delay)
	}
	switch {
	case tr.cutBefore:
		return true
	case tr.silenceBefore:
		c.hush.Do(func() { close(c.silent) })
		return false
	}
	late := d.held
	d.held = nil
	switch {
	case tr.lose:
	case tr.hold:
		d.held = append(slices.Clone(frame), c.in.profile.Delimiter()...)
	default:
		at := len(d.buf)
		d.buf = c.in.change(d.buf, frame, &t, tr)
		if tr.shorten {
			d.buf = d.buf[:len(d.buf)-1]
		}
		if tr.double {
			d.buf = append(d.buf, d.buf[at:]...)
		}
	}
	d.buf = append(d.buf, late...)
	if tr.silenceAfter {
		c.hush.Do(func() { close(c.silent) })
	}
	return tr.cutAfter
}
