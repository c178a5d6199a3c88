package instance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
	"pabal/store"
	"pabal/transfer"
)

// live is one server that plays both parts under every profile that there is,
// and calls as well as it is called.
type live struct {
	ways []*liveWay
	*liveServer
	base string // directories of servers
	used int    // sessions of this server
	most int    // goroutines while nobody is in session
}

type liveServer struct {
	dir   string
	store *store.Store
	in    *Instance
	end   func() error
	old   map[string]bool // transfers of sessions that have been judged
}

// liveWay is one profile, one part, one direction.
type liveWay struct {
	*desk                    // of its measures
	code    string           // of the institution
	address string           // where the server listens; "" = it calls
	door    *net.TCPListener // … and this is where
	files   int              // that a session carries
	number  int              // of the next file
	// words are the telegrams that the counterparty says in a whole session, in
	// their order, and behind those one of each kind that the profile has.
	words  [][]byte
	states int    // how many of them are the session's
	name   []byte // of the first file as it travelled then
}

func (w *liveWay) String() string {
	return fmt.Sprintf("%s/%s/%s", w.p.Name, w.side, map[bool]string{true: "sends", false: "receives"}[w.sends])
}

// liveSessions are as many as one server has before it makes room for another:
// a database that grows makes each input slower, and names are few.
const liveSessions = 400

func startLive(f *testing.F) *live {
	l := &live{base: f.TempDir()}
	for _, name := range append(protocol.Embedded(), protocoltest.Names(f)...) {
		p := protocoltest.Load(f, name)
		for _, side := range []protocol.Side{protocol.CentreSide, protocol.InstitutionSide} {
			for _, sends := range []bool{false, true} {
				w := &liveWay{desk: &desk{p: p, side: side, sends: sends}, files: 2, code: fmt.Sprintf("M%02d%d", len(l.ways)/4, side)}
				if side == protocol.InstitutionSide && sends || p.OneFile(sends == (side == protocol.CentreSide)) {
					w.files = 1 // it calls as soon as there is one, or a session has no more
				}
				l.ways = append(l.ways, w)
			}
		}
	}
	for i, w := range l.ways {
		if w.side == protocol.InstitutionSide {
			if other := l.ways[i-1]; w.sends && other.code == w.code {
				w.door = other.door
				continue
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(f, err)
			w.door = ln.(*net.TCPListener)
			f.Cleanup(func() { _ = ln.Close() })
		}
	}
	l.start(f)
	f.Cleanup(func() { l.stop(f) })
	for _, w := range l.ways {
		v := l.visit(f, w)
		v.whole()
		w.learn(v)
		l.clear(f, w)
	}
	l.most = runtime.NumGoroutine() + 10
	return l
}

// start begins a server with an empty database.
func (l *live) start(t testing.TB) {
	dir, err := os.MkdirTemp(l.base, "server")
	require.NoError(t, err)
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o750))
	}
	o := l.options(t, dir)
	s, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db"), Server: true, Lease: 10 * time.Minute})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(context.Background()))
	for _, n := range o.Institutions { // nobody is fetched from until it is said
		now := time.Now()
		require.NoError(t, s.SetWindow(context.Background(), now, "fetch "+n.Code, store.Window{LastTry: now, LastSuccess: now}))
	}
	in, err := New(s, o)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx, context.Background()) }()
	<-in.Ready()
	l.liveServer = &liveServer{dir: dir, store: s, in: in, old: map[string]bool{}, end: func() error {
		stop()
		return errors.Join(<-done, s.Close(), os.RemoveAll(dir))
	}}
	l.used = 0
	at := 0
	addresses := in.Addresses()
	for i, w := range l.ways {
		w.number = 0
		if w.side != protocol.CentreSide {
			continue
		}
		if before := l.ways[max(0, i-1)]; w.sends && !w.opensCalled() && !before.opensCalled() {
			w.address = before.address
			continue
		}
		w.address = addresses[at]
		at++
	}
}

// stop ends the server, and looks whether each file that it has placed is one
// that was taken.
func (l *live) stop(t testing.TB) {
	limit := time.Now().Add(hang)
	for {
		l.in.wake.assemble.Give()
		waits, err := l.store.List(context.Background(), store.Filter{Statuses: []transfer.Status{transfer.Received, transfer.Placing}})
		require.NoError(t, err)
		if len(waits) == 0 {
			break
		}
		require.True(t, time.Now().Before(limit), "%d files are not placed", len(waits))
		breathe()
	}
	all, err := l.store.List(context.Background(), store.Filter{Statuses: []transfer.Status{transfer.Assembled}})
	require.NoError(t, err)
	names := map[string]bool{}
	for _, tr := range all {
		info, err := os.Stat(tr.FinalPath)
		require.NoError(t, err, "a file counts as placed and is not there")
		require.Equal(t, tr.FileSize, info.Size(), tr.FinalPath)
		names[filepath.Base(tr.FinalPath)] = true
	}
	placed, err := os.ReadDir(filepath.Join(l.dir, "receive"))
	require.NoError(t, err)
	for _, e := range placed {
		require.True(t, !e.Type().IsRegular() || names[e.Name()], "%s was placed, and nobody sent it", e.Name())
	}
	require.NoError(t, l.end())
}

// options are those of a server for all ways.
func (l *live) options(t testing.TB, dir string) Options {
	var o Options
	for i, w := range l.ways {
		if w.side == protocol.CentreSide {
			at := Listen{Profile: w.p, Address: "127.0.0.1:0"}
			switch {
			case !w.opensCalled():
			case w.sends:
				at.SendsTo = w.code
			default:
				at.FetchesFrom = w.code
			}
			if !w.sends || w.opensCalled() || l.ways[i-1].opensCalled() {
				o.Listen = append(o.Listen, at)
			}
		}
		if w.sends { // the institution is that of the way before
			continue
		}
		role := map[protocol.Side]string{protocol.InstitutionSide: "institution", protocol.CentreSide: "centre"}[w.side]
		one, err := sideOptions(dir, w.p.Name, role, nil, nil)
		require.NoError(t, err)
		n := one.Institutions[0]
		n.Code, n.Profile = w.code, w.p
		n.MessageSize, n.Rounds = w.messageSize(), 3
		n.Reply, n.RetryFirst, n.RetryMax = time.Minute, time.Hour, time.Hour // nothing happens by itself
		n.Sender = w.agreed()
		n.Expect = n.Sender
		if w.side == protocol.InstitutionSide {
			n.Connect = w.door.Addr().String()
			n.Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 24 * time.Hour}}
		}
		form := filemgr.Form{Kind: filemgr.Raw}
		if r := w.record(); r > 0 {
			form = filemgr.Form{Kind: filemgr.Fixed, Length: r}
		}
		receives := naming.Registration{FileID: "R", Institution: n.Code, Job: "JOB", Direction: transfer.Receive, WireName: "R+${SEQ:3}"}
		if w.p.Files.Serial {
			receives.FileID, receives.WireName = "R00", "${FILE_ID:3}"
		}
		sends := naming.Registration{FileID: "S00", Institution: n.Code, Job: "JOB", Direction: transfer.Send, WireName: "${FILE_ID:3}"}
		further := sends
		further.FileID = "S01"
		for _, r := range []naming.Registration{receives, sends, further} {
			o.Files = append(o.Files, File{Registration: r, Form: form, Checks: filemgr.CheckOptions{SendEmpty: true}})
		}
		if i == 0 {
			one.Listen, one.Institutions, one.Files = o.Listen, nil, o.Files
			o = one
		}
		o.Institutions = append(o.Institutions, n)
	}
	o.ScanEvery, o.Settle, o.Poll = time.Hour, 0, time.Hour // all is woken
	require.Empty(t, o.Validate())
	return o
}

// opensCalled: the counterparty calls us at an address of its own, and we open.
func (w *liveWay) opensCalled() bool {
	return w.side == protocol.CentreSide && w.p.Session.OpensCalled(w.side, w.sends)
}

func (w *liveWay) agreed() (c Credentials) {
	if w.p.Carries(protocol.Open, protocol.SenderName) || w.p.Has(protocol.Login) {
		c.Name = "Honggildong"
	}
	if w.p.Carries(protocol.Open, protocol.SenderPassword) || w.p.Has(protocol.Login) {
		c.Password = "123ABC"
	}
	return c
}

// receivedName is the nth file that the counterparty gives, as it names it.
func (w *liveWay) receivedName(n int) string {
	if w.p.Files.Serial {
		return fmt.Sprintf("R00.%s.%03d", time.Now().In(time.FixedZone("KST", 9*3600)).Format("20060102"), n%1000)
	}
	return fmt.Sprintf("R%03d", n%1000)
}
