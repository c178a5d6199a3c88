package simulator

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// day is a Saturday noon in Korea.
func day() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.FixedZone("KST", 9*60*60)) }

func profile(t testing.TB, name string) *protocol.Profile {
	t.Helper()
	return protocoltest.Load(t, name)
}

// side makes options for one side of a profile, with small telegrams. Its limits
// only keep a test from hanging: a busy machine may stand still for seconds.
func side(t testing.TB, p *protocol.Profile, s protocol.Side, dir string) Options {
	o := Options{
		Profile: p, Side: s, Now: day,
		GiveDir: filepath.Join(dir, s.String(), "give"), TakeDir: filepath.Join(dir, s.String(), "take"),
		Reply: time.Minute, Idle: time.Minute, First: time.Minute, Pause: time.Microsecond,
	}
	if p.Name == "cms" {
		o.Institution, o.SenderName, o.Password = "12345678", "Honggildong", "123ABC"
		o.MessageSize = 39 + 10 // ten bytes of data in a telegram
		if s == protocol.CentreSide {
			o.Expect = Expect{Caller: "12345678", SenderName: "Honggildong", Password: "123ABC"}
		}
	} else {
		o.Self, o.Peer, o.MessageSize = "CLIENT", "CENTRE", 10
		if s == protocol.CentreSide {
			o.Self, o.Peer = "CENTRE", "CLIENT"
			o.Expect = Expect{Caller: "CLIENT"}
		}
	}
	return o
}

// pair is two counterparties that talk to each other.
type pair struct {
	t       testing.TB
	inst    *Peer
	centre  *Peer
	upload  bool
	sender  Options
	taker   Options
	profile *protocol.Profile
	used    int
}

// newPair makes them; upload says that the institution gives. change may alter
// the options of who gives and who takes.
func newPair(t testing.TB, name string, upload bool, change func(give, take *Options)) *pair {
	t.Helper()
	p := profile(t, name)
	dir := t.TempDir()
	inst, centre := side(t, p, protocol.InstitutionSide, dir), side(t, p, protocol.CentreSide, dir)
	give, take := &inst, &centre
	if !upload {
		give, take = take, give
	}
	give.TakeDir, take.GiveDir = "", ""
	if change != nil {
		change(give, take)
	}
	pr := &pair{t: t, upload: upload, sender: *give, taker: *take, profile: p}
	var err error
	pr.inst, err = New(inst)
	require.NoError(t, err)
	pr.centre, err = New(centre)
	require.NoError(t, err)
	return pr
}

// faults gives one side other faults, and the other none.
func (pr *pair) faults(p *Peer, f Faults) {
	pr.forgetFaults()
	p.faults = newInjector(p.opt.Profile, f)
}

func (pr *pair) forgetFaults() {
	for _, p := range []*Peer{pr.inst, pr.centre} {
		p.opt.Faults = Faults{}
		p.faults = newInjector(p.opt.Profile, Faults{})
	}
}

// next is a wire name that was not used yet.
func (pr *pair) next() string {
	pr.used++
	return pr.wire(pr.used)
}

// restart makes both sides anew, as after a crash of both.
func (pr *pair) restart() {
	pr.t.Helper()
	var err error
	pr.inst, err = New(pr.inst.opt)
	require.NoError(pr.t, err)
	pr.centre, err = New(pr.centre.opt)
	require.NoError(pr.t, err)
}

func (pr *pair) giver() *Peer {
	if pr.upload {
		return pr.inst
	}
	return pr.centre
}

func (pr *pair) takes() *Peer {
	if pr.upload {
		return pr.centre
	}
	return pr.inst
}

// connected is a line with room in it, as a real one has: over a pipe two sides
// that both write stand still.
func connected(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	b, err := ln.Accept()
	require.NoError(t, err)
	return a, b
}

// session holds one session.
func (pr *pair) session() (inst, centre Report, instErr, centreErr error) {
	a, b := connected(pr.t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		centre, centreErr = pr.centre.Session(context.Background(), b, false)
	}()
	inst, instErr = pr.inst.Session(context.Background(), a, !pr.upload)
	<-done
	return inst, centre, instErr, centreErr
}

func (pr *pair) give(name string, content []byte) {
	pr.t.Helper()
	require.NoError(pr.t, os.WriteFile(filepath.Join(pr.sender.GiveDir, name), content, 0o600))
}

// wire makes a name of the pair's profile.
func (pr *pair) wire(n int) string {
	if pr.profile.Name == "cms" {
		return fmt.Sprintf("EB21%04d", n)
	}
	return fmt.Sprintf("C%02d.20261121.%03d", 2+n/1000, n%1000)
}

// taken are the files that have final names, by name.
func (pr *pair) taken() map[string][]byte { return files(pr.t, pr.taker.TakeDir) }

func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Type().IsRegular() {
			out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
		}
	}
	return out
}

// arrived asserts that exactly these files are there, given away, and that
// nothing is left over in either directory. Then it takes them away.
func (pr *pair) arrived(want map[string][]byte) {
	pr.t.Helper()
	got := pr.taken()
	require.Len(pr.t, got, len(want))
	for name, content := range want {
		require.True(pr.t, bytes.Equal(content, got[name]), "%s differs: %d and %d bytes", name, len(content), len(got[name]))
	}
	require.Empty(pr.t, files(pr.t, pr.sender.GiveDir), "given files lie around")
	require.Len(pr.t, files(pr.t, filepath.Join(pr.sender.GiveDir, givenDir)), len(want))
	parts, err := filepath.Glob(filepath.Join(pr.taker.TakeDir, notesDir, "*.part"))
	require.NoError(pr.t, err)
	require.Empty(pr.t, parts, "half files lie around")
	notes, err := filepath.Glob(filepath.Join(pr.taker.TakeDir, notesDir, "*.json"))
	require.NoError(pr.t, err)
	require.Empty(pr.t, notes, "notes lie around")
	for name := range want {
		require.NoError(pr.t, os.Remove(filepath.Join(pr.taker.TakeDir, name)))
		require.NoError(pr.t, os.Remove(filepath.Join(pr.sender.GiveDir, givenDir, name)))
	}
}

// content is n bytes of every value, no two blocks alike.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i/256*31)
	}
	return b
}

// roles are the four: who gives, in which profile. Each of the two sides runs
// in every row, so all of them cover giving and taking as institution and as
// centre.
func roles(t *testing.T, f func(t *testing.T, profile string, upload bool)) {
	for _, name := range []string{"cms", "edi"} {
		for _, upload := range []bool{true, false} {
			way := "institution gives"
			if !upload {
				way = "centre gives"
			}
			t.Run(name+" "+way, func(t *testing.T) { f(t, name, upload) })
		}
	}
}
