package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// FuzzLiveServer brings a session with a server of ours, over TCP and with its
// database behind it, into a state of its procedure and says anything there:
// telegrams in any order, some with changed bytes, and bytes that are none.
// Nothing panics, nothing hangs, nothing is left behind, and nothing is taken
// or counted as sent that was not proven.
func FuzzLiveServer(f *testing.F) {
	l := startLive(f)
	for way := range uint8(len(l.ways)) {
		steps := uint8(len(l.ways[way].script))
		for state := range steps + 1 {
			f.Add(way, state, []byte{})
			f.Add(way, state, []byte{state, state + 1, state + 2, state + 3})       // goes on as it should
			f.Add(way, state, []byte{0, 1, 2, 3, 4, 5, 6})                          // begins again
			f.Add(way, state, []byte{0x40 | state, 15, '9', 0x40 | state, 40, 'x'}) // with other bytes
			f.Add(way, state, []byte{0xff, 12, '0', '0', '7', '7', 'F', 'T', 'E', '1', '2', '3', '4', '5'})
		}
	}
	f.Fuzz(func(t *testing.T, way, state uint8, say []byte) {
		w := &l.ways[int(way)%len(l.ways)]
		l.talk(t, w, int(state)%(len(w.script)+1), say)
	})
}

// live is a server that plays the centre for one institution of each profile.
type live struct {
	store *store.Store
	in    *Instance
	dir   string
	ways  []liveWay
	files atomic.Int64
	most  int // goroutines while nobody is in session
}

// liveWay is one profile in one direction, with the telegrams of the side that
// calls in their order.
type liveWay struct {
	profile *protocol.Profile
	code    string
	address string
	down    bool // the server sends
	script  []protocol.Kind
}

func startLive(f *testing.F) *live {
	dir := f.TempDir()
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(f, os.Mkdir(filepath.Join(dir, d), 0o750))
	}
	l := &live{dir: dir}
	var o Options
	up := []protocol.Kind{protocol.Open, protocol.Info, protocol.DataTelegram, protocol.DataTelegram, protocol.Check, protocol.End, protocol.Close}
	for _, name := range []string{"cms", "edi", "kca"} {
		one, err := sideOptions(dir, name, "centre", []file{{id: liveID(name), form: rawForm("").form, opt: func(f *File) {
			if name != "edi" {
				f.WireName = "E+${SEQ:7}"
			}
		}}}, []file{rawForm("EB22")})
		require.NoError(f, err)
		n := &one.Institutions[0]
		n.Code, n.Expect, n.WireCode = "M"+name, Credentials{}, liveWire(n.Profile)
		for i := range one.Files {
			one.Files[i].Institution = n.Code
		}
		one.Listen[0].Address = "127.0.0.1:0"
		if name == "edi" {
			one.Files = one.Files[:1]
		}
		w := liveWay{profile: n.Profile, code: n.Code, script: up}
		if n.Profile.Files.NoCheck {
			w.script = slices.DeleteFunc(slices.Clone(up), func(k protocol.Kind) bool { return k == protocol.Check })
		}
		l.ways = append(l.ways, w)
		one.Listen, o.Listen = append(o.Listen, one.Listen...), one.Listen
		one.Institutions, one.Files = append(o.Institutions, one.Institutions...), append(o.Files, one.Files...)
		o = one
	}
	down := l.ways[0]
	down.down, down.script = true, []protocol.Kind{protocol.Open, protocol.InfoReply, protocol.CheckReply, protocol.EndReply, protocol.CloseReply}
	l.ways = append(l.ways, down)
	o.Log = nil
	var err error
	l.store, err = store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db"), Server: true})
	require.NoError(f, err)
	require.NoError(f, l.store.Migrate(context.Background()))
	l.in, err = New(l.store, o)
	require.NoError(f, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.in.Run(ctx, context.Background()) }()
	<-l.in.Ready()
	for n := range l.ways {
		l.ways[n].address = l.in.Addresses()[n%3]
	}
	f.Cleanup(func() {
		stop()
		require.NoError(f, errors.Join(<-done, l.store.Close()))
	})
	l.most = runtime.NumGoroutine() + 40
	return l
}

func liveWire(p *protocol.Profile) string {
	return "12345678"[:min(8, max(1, p.Width(protocol.Open, protocol.Institution)))]
}

func liveID(profile string) string {
	if profile == "edi" {
		return "C02"
	}
	return "E"
}

// talk is one session.
func (l *live) talk(t *testing.T, w *liveWay, state int, say []byte) {
	began := time.Now().UTC().Truncate(time.Microsecond)
	if w.down {
		l.stock(t, w)
	}
	conn, err := net.Dial("tcp", w.address)
	require.NoError(t, err)
	defer conn.Close()
	c := conn.(*net.TCPConn)
	require.NoError(t, c.SetLinger(0)) // addresses come back at once
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	v := &visit{t: t, w: w, conn: c, name: fmt.Sprintf("E%07d", l.files.Add(1)), serial: fmt.Sprintf("%03d", l.files.Load()%1000)}
	if w.profile.Name == "edi" {
		v.name = "C02"
	}
	v.heard = w.profile.NewReader(c, make([]byte, w.profile.FrameBuffer()))
	ok := true
	for n := 0; n < state && ok; n++ {
		v.step(n)
		ok = v.hear(w.script[n])
	}
	v.anything(say)
	if err := c.CloseWrite(); err == nil {
		for v.listen() {
		}
	}
	require.False(t, v.late, "the session does not end though its line has")
	v.judge(l, began)
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > l.most && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), l.most, "goroutines are left behind")
}

// stock sees to it that the server has a file for who comes to fetch.
func (l *live) stock(t *testing.T, w *liveWay) {
	ready := store.Filter{Direction: transfer.Send, Institution: w.code, Statuses: []transfer.Status{transfer.Stored}, Limit: 1}
	for n := 0; ; n++ {
		have, err := l.store.List(t.Context(), ready)
		require.NoError(t, err)
		if len(have) > 0 {
			return
		}
		if n == 0 {
			name := fmt.Sprintf("EB22.%s.JOB.%s", w.code, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(l.files.Add(1))).Format("20060102"))
			tmp := filepath.Join(l.dir, "scan", "."+name)
			require.NoError(t, os.WriteFile(tmp, bytes.Repeat([]byte("x"), 300), 0o600))
			require.NoError(t, os.Rename(tmp, filepath.Join(l.dir, "scan", name)))
		}
		runtime.Gosched()
	}
}

// visit is our side of one session.
type visit struct {
	t            *testing.T
	w            *liveWay
	conn         *net.TCPConn
	name, serial string
	heard        *protocol.Reader
	sent         []byte
	ended        int // ends that the server has confirmed to us
	late         bool
}

// telegram is the nth of the script as it should be.
func (v *visit) telegram(n int) []byte {
	p := v.w.profile
	t := protocol.Telegram{Kind: v.w.script[n%len(v.w.script)]}
	t.SetText(protocol.Institution, liveWire(p))
	t.SetText(protocol.From, "CLIENT01")
	t.SetText(protocol.To, "VAN")
	t.Set(protocol.Issuer, p.Letters.Institution)
	t.Set(protocol.Direction, p.Letters.Upload)
	if v.w.down {
		t.Set(protocol.Direction, p.Letters.Download)
	}
	t.Set(protocol.SentAt, protocol.Stamp(time.Now()))
	if t.Kind != protocol.Open && t.Kind != protocol.Close {
		t.SetText(protocol.Name, v.name)
		t.SetText(protocol.Serial, v.serial)
	}
	if v.w.down { // the file is the server's: it goes by the kind of the answer
		t.SetText(protocol.Name, "EB22")
		t.SetText(protocol.Response, p.Code(protocol.OK))
	} else {
		t.SetNumber(protocol.Size, 300)
	}
	t.SetNumber(protocol.MessageSize, int64(p.Files.MessageSize))
	switch t.Kind {
	case protocol.DataTelegram:
		p.SetPlace(&t, 1, n-1)
		t.Set(protocol.Data, bytes.Repeat([]byte{byte('a' + n)}, 150))
		t.SetNumber(protocol.DataLength, 150)
	case protocol.Check:
		p.SetPlace(&t, 1, 2)
	case protocol.CheckReply:
		p.SetPlace(&t, 1, 1)
		p.SetMap(&t, 1, 1, 0, func(int) bool { return true })
	}
	out, err := p.Append(nil, &t)
	require.NoError(v.t, err)
	return out
}

func (v *visit) step(n int) { v.say(v.telegram(n)) }

func (v *visit) say(b []byte) {
	if _, err := v.conn.Write(b); err == nil {
		v.sent = append(v.sent, b...)
	}
}

// hear reads what answers k, if anything does; false when the line is over.
func (v *visit) hear(k protocol.Kind) bool {
	if k.Reply() == protocol.NoKind && !v.w.down {
		return true
	}
	return v.listen()
}

// listen reads one telegram.
func (v *visit) listen() bool {
	frame, err := v.heard.Next()
	if err != nil {
		v.late = errors.Is(err, os.ErrDeadlineExceeded)
		return false
	}
	var t protocol.Telegram
	if v.w.profile.Decode(frame, &t) == nil && (t.Kind == protocol.EndReply || t.Kind == protocol.EndMoreReply) &&
		v.w.profile.Meaning(t.Text(protocol.Response)) == protocol.OK {
		v.ended++
	}
	return true
}

// anything says what the fuzzer made: a telegram of the script, one with a byte
// changed, or bytes.
func (v *visit) anything(say []byte) {
	for len(say) > 0 {
		op := say[0]
		say = say[1:]
		switch {
		case op < 0x40:
			v.say(v.telegram(int(op)))
		case op < 0x80 && len(say) >= 2:
			b := v.telegram(int(op & 0x3f))
			b[int(say[0])%len(b)] = say[1]
			say = say[2:]
			v.say(b)
		case len(say) > 0:
			n := min(int(say[0]), len(say)-1)
			v.say(say[1 : 1+n])
			say = say[1+n:]
		}
	}
}

// said are the telegrams that we have sent, as far as they can be told apart.
func (v *visit) said(each func(*protocol.Telegram)) {
	r := v.w.profile.NewReader(bytes.NewReader(v.sent), make([]byte, v.w.profile.FrameBuffer()))
	for {
		frame, err := r.Next()
		if err != nil {
			return
		}
		var t protocol.Telegram
		_ = v.w.profile.Decode(frame, &t) // as far as it goes
		each(&t)
	}
}

// judge holds what the server has accounted against what we said.
func (v *visit) judge(l *live, began time.Time) {
	t, ctx := v.t, context.Background()
	sizes := map[int64]bool{}
	confirmed := false
	v.said(func(tg *protocol.Telegram) {
		switch tg.Kind {
		case protocol.Info, protocol.End, protocol.EndMore:
			sizes[tg.Number(protocol.Size)] = true
		case protocol.EndReply, protocol.EndMoreReply:
			m := v.w.profile.Meaning(tg.Text(protocol.Response))
			confirmed = confirmed || m == protocol.OK || m == protocol.Complete
		}
	})
	all, err := l.store.List(ctx, store.Filter{Institution: v.w.code, Since: began})
	require.NoError(t, err)
	taken := 0
	for _, tr := range all {
		if tr.Direction != transfer.Receive || !slices.Contains([]transfer.Status{transfer.Received, transfer.Placing, transfer.Assembled,
			transfer.Duplicate, transfer.Waiting, transfer.Held}, tr.Status) {
			continue
		}
		taken++
		require.True(t, sizes[tr.WireSize], "%s of %d bytes, of which nobody spoke", tr.WireName, tr.WireSize)
		var n int64
		require.NoError(t, l.store.Payload(ctx, tr.ID, func(b []byte) error { n += int64(len(b)); return nil }))
		require.Equal(t, tr.WireSize, n)
		var proofs []transfer.Proof
		require.NoError(t, json.Unmarshal([]byte(tr.Proofs), &proofs))
		require.NotEmpty(t, proofs)
		for _, p := range proofs {
			require.Equal(t, p.Expected, p.Actual, p.Name)
		}
	}
	if v.ended > 0 {
		require.Positive(t, taken, "an end was confirmed of a file that is not there")
	}
	sent, err := l.store.List(ctx, store.Filter{Institution: v.w.code, Direction: transfer.Send, Statuses: []transfer.Status{transfer.Sent}})
	require.NoError(t, err)
	for _, tr := range sent {
		if !tr.EndedAt.Before(began) {
			require.True(t, confirmed, "%s counts as sent, and nobody confirmed it", tr.WireName)
		}
	}
}
