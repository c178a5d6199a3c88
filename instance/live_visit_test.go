package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/simulator"
	"pabal/store"
	"pabal/transfer"
)

// visit is one session with the server. What the counterparty says comes from
// one that does everything right, and goes through our hands.
type visit struct {
	t        testing.TB
	l        *live
	w        *liveWay
	line     *net.TCPConn  // to the server
	near     net.Conn      // to the right counterparty
	gone     chan struct{} // closed when that one has left
	heard    chan error    // how the server's side ended
	answers  []byte        // all that the server said
	frames   [][]byte      // of the right counterparty, that were passed on
	said     []byte        // to the server
	first    int           // number of the first file
	announce [][]byte      // contents of the files
}

// visit brings the server to the beginning of a session of this way.
func (l *live) visit(t testing.TB, w *liveWay) *visit {
	t.Helper()
	if l.used++; l.used > liveSessions {
		l.stop(t)
		l.start(t)
	}
	v := &visit{t: t, l: l, w: w, first: w.number, gone: make(chan struct{}), heard: make(chan error, 1)}
	w.number += w.files
	dir, err := os.MkdirTemp(l.base, "peer")
	require.NoError(t, err)
	give, take := filepath.Join(dir, "give"), filepath.Join(dir, "take")
	peer := v.peer(give, take)
	for n := range w.files {
		body := text(w.size(extent{telegrams: 2 - n, bytes: 1}), v.first+n)
		v.announce = append(v.announce, body)
		if !w.sends {
			require.NoError(t, os.WriteFile(filepath.Join(give, w.receivedName(v.first+n)), body, 0o600))
			continue
		}
		name := fmt.Sprintf("S%02d.%s.JOB.%s", n, w.code, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, v.first+n).Format("20060102"))
		tmp := filepath.Join(l.dir, "scan", "."+name)
		require.NoError(t, os.WriteFile(tmp, body, 0o600))
		require.NoError(t, os.Rename(tmp, filepath.Join(l.dir, "scan", name)))
	}
	v.connect()
	require.NoError(t, v.line.SetLinger(0)) // addresses come back at once
	require.NoError(t, v.line.SetDeadline(time.Now().Add(hang)))
	var far net.Conn
	v.near, far = net.Pipe()
	go func() {
		defer close(v.gone)
		if w.side == protocol.CentreSide {
			_, _ = peer.Session(context.Background(), far, w.sends)
		} else {
			_, _ = peer.Answer(context.Background(), far, w.sends)
		}
		_ = os.RemoveAll(dir)
	}()
	go func() { v.heard <- v.hear() }()
	return v
}

// peer is a counterparty that does everything right.
func (v *visit) peer(give, take string) *simulator.Peer {
	w, agreed := v.w, v.w.agreed()
	o := simulator.Options{
		Profile: w.p, Side: w.side.Other(), Institution: wireCode(w.p), Self: "CLIENT01", Peer: "VAN",
		SenderName: agreed.Name, Password: agreed.Password, MessageSize: w.messageSize(), Record: w.record(), Rounds: 3,
		Reply: hang, Idle: hang, First: hang, Pause: time.Millisecond,
	}
	if w.side == protocol.InstitutionSide {
		o.Self, o.Peer = o.Peer, o.Self
	}
	o.GiveDir, o.TakeDir = give, take
	if w.sends {
		o.GiveDir = ""
	} else {
		o.TakeDir = ""
	}
	p, err := simulator.New(o)
	require.NoError(v.t, err)
	return p
}

// connect has the server called, or call, once what it is to send is ready.
func (v *visit) connect() {
	l, w := v.l, v.w
	if w.side == protocol.InstitutionSide {
		l.in.insts[w.code].dialed(time.Now(), nil) // whatever became of the last call
	}
	var c net.Conn
	for limit := time.Now().Add(hang); c == nil; { // its stages are woken here rather than by the clock
		require.True(v.t, time.Now().Before(limit), "%s: nobody calls", w)
		var err error
		switch {
		case w.side == protocol.InstitutionSide:
			if w.sends {
				l.in.wake.scan.Give()
				l.in.wake.send.Give()
			} else {
				v.fetchDue()
				l.in.wake.fetch.Give()
			}
			require.NoError(v.t, w.door.SetDeadline(time.Now().Add(20*time.Millisecond)))
			if c, err = w.door.Accept(); errors.Is(err, os.ErrDeadlineExceeded) {
				c, err = nil, nil
			}
		case v.stocked():
			c, err = net.Dial("tcp", w.address)
		default:
			l.in.wake.scan.Give()
			breathe()
		}
		require.NoError(v.t, err)
	}
	v.line = c.(*net.TCPConn)
}

// fetchDue makes it time to fetch. A session that is over says so in its window
// when its line is free already, so also after the next visit has begun.
func (v *visit) fetchDue() {
	key := "fetch " + v.w.code
	last, err := v.l.store.Window(context.Background(), key)
	require.NoError(v.t, err)
	if last != (store.Window{}) && len(v.l.in.open.known()) == 0 {
		require.NoError(v.t, v.l.store.SetWindow(context.Background(), time.Now(), key, store.Window{}))
	}
}

// stocked reports that what the server is to send lies ready.
func (v *visit) stocked() bool {
	if !v.w.sends {
		return true
	}
	have, err := v.l.store.List(context.Background(), store.Filter{
		Direction: transfer.Send, Institution: v.w.code, Statuses: []transfer.Status{transfer.Stored}})
	require.NoError(v.t, err)
	return len(have) == v.w.files
}

// breathe lets others run.
func breathe() {
	t := time.NewTimer(200 * time.Microsecond)
	<-t.C
}

// hear takes what the server says to the right counterparty, as long as that is
// there, until the server has no more to say.
func (v *visit) hear() error {
	defer v.near.Close()
	buf := make([]byte, 4096)
	for {
		n, err := v.line.Read(buf)
		v.answers = append(v.answers, buf[:n]...)
		if n > 0 {
			_, _ = v.near.Write(buf[:n])
		}
		if err != nil {
			return err
		}
	}
}

// pass hands on what the right counterparty says: so many telegrams. The result
// is the one after them, which is kept; nil if that was all.
func (v *visit) pass(most int) []byte {
	p := v.w.p
	for _, step := range p.Session.Greetings(v.w.side.Other(), v.w.side != protocol.CentreSide) {
		b := make([]byte, len(step.Bytes))
		if _, err := io.ReadFull(v.near, b); err != nil || len(v.frames) == most {
			return b
		}
		v.handOn(b)
	}
	r := p.NewReader(v.near, make([]byte, p.FrameBuffer()))
	for {
		frame, err := r.Next()
		if err != nil {
			return nil
		}
		frame = append(bytes.Clone(frame), p.Delimiter()...)
		if len(v.frames) == most {
			return frame
		}
		v.handOn(frame)
	}
}

func (v *visit) handOn(frame []byte) {
	v.frames = append(v.frames, frame)
	v.say(frame)
}

func (v *visit) say(b []byte) {
	if _, err := v.line.Write(b); err == nil {
		v.said = append(v.said, b...)
	}
}

// over ends the session: nothing more is said, and the server is heard out.
func (v *visit) over() {
	_ = v.near.Close()
	_ = v.line.CloseWrite()
	err := <-v.heard
	<-v.gone
	require.NotErrorIs(v.t, err, os.ErrDeadlineExceeded, "%s: the session does not end though its line has", v.w)
	_ = v.line.Close()
	v.l.quiet(v.t, v.w)
}

// quiet waits until the server has forgotten the session, and turns away calls
// that it makes meanwhile.
func (l *live) quiet(t testing.TB, w *liveWay) {
	deadline := time.Now().Add(hang)
	for len(l.in.open.known()) > 0 || l.most > 0 && runtime.NumGoroutine() > l.most {
		if time.Now().After(deadline) {
			all := make([]byte, 1<<20)
			t.Fatalf("%s: %d sessions, %d goroutines are left\n%s", w, len(l.in.open.known()), runtime.NumGoroutine(), all[:runtime.Stack(all, true)])
		}
		if w.door == nil {
			breathe()
			continue
		}
		_ = w.door.SetDeadline(time.Now().Add(200 * time.Microsecond))
		if c, err := w.door.AcceptTCP(); err == nil {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
}

// whole has the right counterparty alone in a session, and all files of it
// carried.
func (v *visit) whole() {
	v.pass(-1)
	v.over()
	d := transfer.Receive
	done := []transfer.Status{transfer.Received, transfer.Placing, transfer.Assembled}
	if v.w.sends {
		d, done = transfer.Send, []transfer.Status{transfer.Sent}
	}
	all := v.l.new(v.t, v.w)
	carried := 0
	for _, r := range all {
		if r.Direction == d && slices.Contains(done, r.Status) {
			carried++
		}
	}
	if carried != v.w.files {
		for _, r := range all {
			v.t.Logf("%s %s %s %s", r.WireName, r.Status, r.ErrorCode, r.ErrorDetail)
		}
		v.t.Fatalf("%s: a session without faults carried %d of %d files, after %q and %q", v.w, carried, v.w.files, v.said, v.answers)
	}
}

// new are the transfers that the way's sessions have made since clear.
func (l *live) new(t testing.TB, w *liveWay) []*transfer.Transfer {
	all, err := l.store.List(context.Background(), store.Filter{Institution: w.code})
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(tr *transfer.Transfer) bool { return l.old[tr.ID] })
}

// learn takes down what was said in a whole session.
func (w *liveWay) learn(v *visit) {
	w.words, w.states = slices.Clone(v.frames), len(v.frames)
	t := protocol.Telegram{}
	t.SetNumber(protocol.Size, 300)
	t.SetNumber(protocol.MessageSize, int64(w.messageSize()))
	t.SetNumber(protocol.DataLength, deskData)
	w.p.SetPlace(&t, 1, 1)
	for _, f := range v.frames {
		var one protocol.Telegram
		if w.p.Decode(f[:len(f)-len(w.p.Delimiter())], &one) != nil {
			continue
		}
		if name := bytes.TrimRight(one.Raw(protocol.Name), " @"); len(w.name) == 0 {
			w.name = bytes.Clone(name)
		}
		for _, field := range []protocol.Field{protocol.Institution, protocol.From, protocol.To, protocol.Direction, protocol.Issuer, protocol.SentAt,
			protocol.Name, protocol.Date, protocol.Serial, protocol.SenderName, protocol.SenderPassword} {
			if raw := one.Raw(field); len(bytes.TrimRight(raw, " @0")) > 0 {
				t.SetRaw(field, raw)
			}
		}
	}
	t.SetText(protocol.Response, w.p.Code(protocol.OK))
	t.Set(protocol.Data, text(deskData, 0))
	w.p.SetMap(&t, 1, 2, 1, func(n int) bool { return n == 1 })
	for _, k := range protocol.Kinds() {
		one := t
		one.Kind = k
		if b, err := w.p.Append(nil, &one); err == nil {
			w.words = append(w.words, b)
		}
	}
}

// word is one of the way's, about the files of this session.
func (v *visit) word(n int) []byte {
	w := v.w
	b := bytes.Clone(w.words[n%len(w.words)])
	if len(w.name) < 3 || w.sends {
		return b
	}
	name := bytes.Clone(w.name)
	for i, d := range fmt.Sprintf("%03d", v.first%1000) {
		c := &name[len(name)-3+i]
		*c = *c&0xf0 | byte(d)&0x0f
	}
	return bytes.ReplaceAll(b, w.name, name)
}
