package instance

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/protocol/protocoltest"
	"pabal/simulator"
	"pabal/store"
	"pabal/transfer"
)

// against is one server of ours with a counterparty that misbehaves.
type against struct {
	t       *testing.T
	ours    *host
	peer    *simulator.Peer
	profile string
	role    string // ours
	sends   bool   // we send
	give    string // the counterparty's folders
	take    string
	id      string
	calling func() // one session of a counterparty that calls us
}

// newAgainst starts a server in a role of a profile and a counterparty with
// faults in the other.
func newAgainst(t *testing.T, on engine, profile, role string, sends bool, faults string, tune func(*Options), peer ...func(*simulator.Options)) *against {
	t.Helper()
	p := protocoltest.Load(t, profile)
	f, err := simulator.ParseFaults(faults)
	require.NoError(t, err)
	a := &against{t: t, profile: profile, role: role, sends: sends, give: t.TempDir(), take: t.TempDir(), id: "EB21"}
	if profile == "edi" {
		a.id = "C02"
	}
	a.ours = &host{t: t, on: on, dir: t.TempDir()}
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(a.ours.path(d), 0o750))
	}
	var up, down []file
	if sends == (role == "institution") {
		up = []file{rawForm(a.id)}
	} else {
		down = []file{rawForm(a.id)}
	}
	a.ours.opt, err = sideOptions(a.ours.dir, profile, role, up, down)
	require.NoError(t, err)
	a.ours.opt.Log = testLog(t, "ours")
	inst := &a.ours.opt.Institutions[0]
	// Only what loses telegrams for good needs a time to run out.
	reply := 30 * time.Second
	if strings.Contains(faults, "silence") || strings.Contains(faults, "garbage") {
		reply = 400 * time.Millisecond
	}
	inst.Reply, inst.Rounds = reply, 6

	o := simulator.Options{
		Profile: p, Institution: wireCode(p), GiveDir: a.give, TakeDir: a.take, Faults: f,
		Dial: hang, Reply: reply, Idle: 3 * reply, Pause: time.Millisecond, Rounds: 6, Logger: testLog(t, "peer"),
	}
	for _, f := range peer {
		f(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	if role == "institution" {
		o.Side, o.Self, o.Peer = protocol.CentreSide, "VAN", "CLIENT01"
		a.peer, err = simulator.New(o)
		require.NoError(t, err)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- a.peer.Serve(ctx, ln) }()
		t.Cleanup(func() { cancel(); require.NoError(t, <-served) })
		inst.Connect = ln.Addr().String()
	} else {
		o.Side, o.Self, o.Peer, o.SenderName, o.Password = protocol.InstitutionSide, "CLIENT01", "VAN", "Honggildong", "123ABC"
		a.peer, err = simulator.New(o)
		require.NoError(t, err)
		a.ours.opt.Listen[0].Address = "127.0.0.1:0"
	}
	if tune != nil {
		tune(&a.ours.opt)
	}
	a.ours.start()
	a.calling = func() {
		if role == "centre" {
			_, _ = a.peer.Call(ctx, a.ours.inst.Addresses()[0], sends)
		}
	}
	return a
}

// put makes a file of the sending side, whichever that is.
func (a *against) put(n int, body []byte) {
	a.t.Helper()
	date := time.Now().AddDate(0, 0, -n).In(a.ours.opt.Zone)
	if a.sends {
		a.ours.drop(fmt.Sprintf("%s.%s.JOB.%s", a.id, a.ours.opt.Institutions[0].Code, date.Format("20060102")), body)
		return
	}
	name := a.id + date.Format("0102")
	if a.profile == "edi" {
		name = a.id + "." + date.Format("20060102") + ".001"
	}
	tmp := filepath.Join(a.give, "."+name)
	require.NoError(a.t, os.WriteFile(tmp, body, 0o640))
	require.NoError(a.t, os.Rename(tmp, filepath.Join(a.give, name)))
}

// finish lets sessions be held until ours has n transfers in a status.
func (a *against) finish(st transfer.Status, n int) []*transfer.Transfer {
	a.t.Helper()
	d := transfer.Receive
	if a.sends {
		d = transfer.Send
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a.role == "centre" {
			a.calling()
			pause := time.NewTimer(20 * time.Millisecond)
			select {
			case <-stop:
				return
			case <-pause.C:
			}
		}
	}()
	got := a.ours.await(d, st, n)
	close(stop)
	<-done
	return got
}

// arrived are the contents on the receiving side.
func (a *against) arrived() map[string]int {
	a.t.Helper()
	dir := a.take
	if !a.sends {
		dir = a.ours.path("receive")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(a.t, err)
	out := map[string]int{}
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out[sum(mustRead(a.t, filepath.Join(dir, e.Name())))]++
		}
	}
	return out
}

func eachRole(t *testing.T, f func(t *testing.T, profile, role string, sends bool)) {
	for _, profile := range []string{"cms", "edi"} {
		for _, role := range []string{"institution", "centre"} {
			for _, sends := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/sends=%t", profile, role, sends), func(t *testing.T) { f(t, profile, role, sends) })
			}
		}
	}
}

// TestNoAnswer: where the counterparty says nothing any more, or nothing that can
// be understood, time runs out, and the files arrive in another session. What
// can be done without waiting is in TestEveryProfile. What the store has to do
// is the same as after a cut, so one engine is enough.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	eachRole(t, func(t *testing.T, profile, role string, sends bool) {
		for _, fault := range []string{"garbage=check-reply:1", "silence=check-reply:1"} {
			t.Run(fault, func(t *testing.T) {
				t.Parallel()
				a := newAgainst(t, sqlite, profile, role, sends, fault, nil)
				first, second := content(2345), content(999)
				a.put(0, first)
				a.put(1, second)
				end := transfer.Assembled
				if sends {
					end = transfer.Sent
				}
				a.finish(end, 2)
				require.Equal(t, map[string]int{sum(first): 1, sum(second): 1}, a.arrived())
			})
		}
	})
}

// TestNeverSatisfied: a peer that answers "missing" for ever ends that file as
// failed, with the reason; the session and the other files live.
func TestNeverSatisfied(t *testing.T) {
	t.Parallel()
	onBoth(t, testNeverSatisfied)
}

func testNeverSatisfied(t *testing.T, on engine) {
	for _, profile := range []string{"cms", "edi"} {
		for _, role := range []string{"institution", "centre"} {
			t.Run(profile+"/"+role, func(t *testing.T) {
				if profile == "edi" {
					neverEDI(t, on, role)
					return
				}
				name := "EB21" + time.Now().In(time.FixedZone("KST", 9*3600)).Format("0102")
				a := newAgainst(t, on, profile, role, true, "never="+name, nil)
				a.put(0, content(5000))
				a.put(1, content(6000))
				sent := a.finish(transfer.Sent, 1)
				require.Equal(t, int64(6000), sent[0].WireSize)
				failed := a.finish(transfer.Failed, 1)
				require.Equal(t, string(machine.CodeMissingRounds), failed[0].ErrorCode)
				require.Equal(t, map[string]int{sum(content(6000)): 1}, a.arrived())
				require.Equal(t, "6", Noted(failed[0].ErrorCode, failed[0].ErrorDetail).Args["rounds"])
			})
		}
	}
}

// neverEDI: files of a kind have one name there, so both fail; the session
// lives on to the second.
func neverEDI(t *testing.T, on engine, role string) {
	a := newAgainst(t, on, "edi", role, true, "never=C02", nil)
	a.put(0, content(5000))
	a.put(1, content(6000))
	for _, f := range a.finish(transfer.Failed, 2) {
		require.Equal(t, string(machine.CodeMissingRounds), f.ErrorCode)
	}
	require.Empty(t, a.arrived())
	sessions, err := a.ours.store.Sessions(t.Context(), store.SessionFilter{})
	require.NoError(t, err)
	for _, s := range sessions {
		require.Empty(t, s.ErrorCode, "a file that fails does not end its session")
	}
}

// TestWrongSizeIsNeverTaken: a sender whose declared size is not what it sent
// is told so, and nothing is placed.
func TestWrongSizeIsNeverTaken(t *testing.T) {
	t.Parallel()
	onBoth(t, testWrongSizeIsNeverTaken)
}

func testWrongSizeIsNeverTaken(t *testing.T, on engine) {
	for _, profile := range []string{"cms", "edi"} {
		for _, by := range []string{"+10", "-10"} {
			t.Run(profile+by, func(t *testing.T) {
				a := newAgainst(t, on, profile, "centre", false, "size="+by, nil)
				a.put(0, content(5000))
				failed := a.finish(transfer.Failed, 1)
				require.Equal(t, string(CodeWrongSize), failed[0].ErrorCode)
				require.Empty(t, a.arrived())
			})
		}
	}
}

// TestHistoryNamesTheMissing: the operator reads which sequences of which
// block were asked for again, on the sending and on the receiving side.
func TestHistoryNamesTheMissing(t *testing.T) {
	t.Parallel()
	onBoth(t, testHistoryNamesTheMissing)
}

func testHistoryNamesTheMissing(t *testing.T, on engine) {
	eachRole(t, func(t *testing.T, profile, role string, sends bool) {
		a := newAgainst(t, on, profile, role, sends, "lose=2:37,2:58", nil)
		a.put(0, content(2*blockOf(profile)+5))
		end := transfer.Assembled
		if sends {
			end = transfer.Sent
		}
		r := a.finish(end, 1)[0]
		rounds := awaitEvents(t, a.ours.store, r.ID, "round")
		require.Len(t, rounds, 1)
		require.JSONEq(t, `{"block":"2","count":"2","missing":"037,058"}`, rounds[0].Detail)
		require.Equal(t, int64(2), r.Resent+r.Missed)
	})
}
