package simulator

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
)

// ends collects how the sessions of a Peer ended.
type ends struct {
	errs chan error
}

func watch(o *Options) *ends {
	e := &ends{errs: make(chan error, 2000)}
	o.Observe = func(ev Event) {
		if ev.Kind == Closed {
			e.errs <- ev.Err
		}
	}
	return e
}

// A peer that talks nonsense costs its own session. The Peer says what was
// wrong, and the next caller is served as ever.
func TestBadPeers(t *testing.T) {
	opened := "0077FTE123456780600RE" + blank + "0000602131309001" + sender
	announced := opened + "0052FTE123456780630REEB210602000EB2106020000000003004096"
	edi := func(length, kind, rest string) string {
		return length + kind + rest + strings.Repeat(" ", 100-4-len(kind+rest))
	}
	ediOpen := edi("0096", "0000800100", "CLIENT    HYPHEN    200602131309000000000")
	table := []struct {
		what    string
		profile string
		say     string
		code    fault.Code
	}{
		{"nothing", "cms", "", machine.CodeLost},
		{"half a length", "cms", "00", machine.CodeLost},
		{"half a telegram", "cms", opened[:40], machine.CodeLost},
		{"too long", "edi", "3297" + strings.Repeat("0", 3297), protocol.CodeTooLong},
		{"too short for a header", "cms", "0005hello", protocol.CodeTooShort},
		{"length not a number", "cms", "00x7" + opened[4:], protocol.CodeBadLength},
		{"length blank", "cms", "    " + opened[4:], protocol.CodeBadLength},
		{"too short for its kind", "cms", "0028FTE123456780630REEB210602000", protocol.CodeTooShort},
		{"an opening without its work", "cms", "0028" + opened[4:32], protocol.CodeUnknownType},
		{"too long for its kind", "cms", "0078" + opened[4:] + "x", protocol.CodeTooLong},
		{"unknown type", "cms", strings.Replace(opened, "0600", "0999", 1), protocol.CodeUnknownType},
		{"data before the opening", "cms", "0042FTE123456780320REEB21060200000010010003abc", machine.CodeUnexpected},
		{"a reply before the opening", "cms", strings.Replace(opened, "0600", "0610", 1), machine.CodeUnexpected},
		{"close before the opening", "cms", strings.Replace(opened, "001Hong", "004Hong", 1), machine.CodeUnexpected},
		{"neither sends nor receives", "cms", strings.Replace(opened, "RE", "XE", 1), machine.CodeNotLetIn},
		{"data without a file, for ever", "cms", opened + strings.Repeat("0042FTE123456780320REEB21060200000010010003abc", 200), machine.CodeMistakes},
		{"blocks out of range, for ever", "cms", announced + strings.Repeat("0042FTE123456780320REEB21060200090010010003abc", 200), machine.CodeMistakes},
		{"sequences out of range, for ever", "cms", announced + strings.Repeat("0042FTE123456780320REEB21060200000011010003abc", 200), machine.CodeMistakes},
		{"sequence nought, for ever", "cms", announced + strings.Repeat("0042FTE123456780320REEB21060200000010000003abc", 200), machine.CodeMistakes},
		{"more data than said, for ever", "cms", announced + strings.Repeat("0042FTE123456780320REEB21060200000010019999abc", 200), machine.CodeMistakes},
		{"numbers that are none, for ever", "cms", announced + strings.Repeat("0042FTE123456780320REEB2106020000x010010003abc", 200), machine.CodeMistakes},
		{"openings, for ever", "cms", strings.Repeat(opened, 200), machine.CodeMistakes},
		{"data before the opening", "edi", edi("0096", "C020710100", ""), machine.CodeUnexpected},
		{"nothing after the opening", "edi", ediOpen, machine.CodeLost},
	}
	for _, tt := range table {
		t.Run(tt.profile+" "+tt.what, func(t *testing.T) {
			pr := newPair(t, tt.profile, true, nil)
			opt := pr.centre.opt
			opt.MessageSize = 0
			if tt.profile == "cms" {
				opt.Now = june
				pr.inst.opt.Now = june
			}
			over := watch(&opt)
			var err error
			pr.centre, err = New(opt)
			require.NoError(t, err)
			pr.loopback(func(address string) {
				c, err := net.Dial("tcp", address)
				require.NoError(t, err)
				defer c.Close()
				go io.Copy(io.Discard, c) //nolint:errcheck // ends with the connection
				_, _ = io.WriteString(c, tt.say)
				_ = c.(*net.TCPConn).CloseWrite() // the Peer may have had enough before
				require.Equal(t, tt.code, fault.CodeOf(<-over.errs))

				pr.give(pr.wire(1), content(block+1))
				r, err := pr.inst.Call(t.Context(), address, false)
				require.NoError(t, err)
				require.Equal(t, 1, r.Files)
			})
			pr.arrived(map[string][]byte{pr.wire(1): content(block + 1)})
		})
	}
}

// Telegrams without a place within a file: they are not taken, and the file
// arrives all the same.
func TestOutOfRangeWithinAFile(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	require.NoError(t, converse(t, p, false, append(append(open("R"),
		"> 0052FTE123456780630REEB210602000EB2106020000000000034096",
		"< 0052FTE123456780640RCEB210602000EB2106020000000000004096",
		"> 0042FTE123456780320REEB21060200000090010003xxx",
		"> 0042FTE123456780320REEB21060200000011010003xxx",
		"> 0042FTE123456780320REEB21060200000000010003xxx",
		"> 0042FTE123456780320REEB21060200000010010003abc",
		"> 0042FTE123456780320REEB21060200000010010003yyy",
		"> 0035FTE123456780620REEB2106020000001001",
		"< 0039FTE123456780300RCEB21060200000010010001",
		"> 0042FTE123456780310REEB21060200000010010003zzz",
		"> 0077FTE123456780600REEB2106020000602131320003"+sender,
		"< 0077FTE123456780610RCEB2106020000602131310003"+sender,
	), leave()...)...))
	require.Equal(t, map[string][]byte{"EB210602": []byte("abc")}, files(t, p.opt.TakeDir))
}

// A caller that drips its opening byte by byte has as long as any other.
func TestDrip(t *testing.T) {
	pr := newPair(t, "cms", true, func(give, take *Options) {
		give.Faults = Faults{Split: 1, Drip: 20 * time.Millisecond}
		take.First = 100 * time.Millisecond
	})
	pr.give(pr.wire(1), content(3))
	_, _, e1, e2 := pr.session()
	require.Error(t, e1)
	require.Equal(t, machine.CodeSilent, fault.CodeOf(e2))
	pr.forgetFaults()
	pr.centre.opt.First = time.Minute // who does not drip has all the time that a busy machine needs
	_, _, e1, e2 = pr.session()
	require.NoError(t, e1)
	require.NoError(t, e2)
	pr.arrived(map[string][]byte{pr.wire(1): content(3)})
}

// A thousand connections that say nothing cost neither the good one nor much
// memory, and go when their time is up.
func TestThousandSilentConnections(t *testing.T) {
	const n = 1000
	pr := newPair(t, "cms", true, nil)
	opt := pr.centre.opt
	over := watch(&opt)
	var err error
	pr.centre, err = New(opt)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	pr.loopback(func(address string) {
		silent := make([]net.Conn, n)
		for i := range silent {
			silent[i], err = net.Dial("tcp", address)
			require.NoError(t, err)
		}
		pr.give(pr.wire(1), content(3*block))
		r, err := pr.inst.Call(t.Context(), address, false)
		require.NoError(t, err)
		require.Equal(t, 1, r.Files)
		require.NoError(t, <-over.errs, "the first session that ends is the good one")
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Less(t, int64(after.HeapInuse)-int64(before.HeapInuse), int64(n*64<<10), "a telegram and a little more each, no block")
		for _, c := range silent {
			require.NoError(t, c.Close())
		}
		for range silent {
			require.Equal(t, machine.CodeLost, fault.CodeOf(<-over.errs))
		}
	})
	pr.arrived(map[string][]byte{pr.wire(1): content(3 * block)})
}

// piped holds a session inside a bubble, where time passes at once.
func (pr *pair) piped() (instErr, centreErr error) {
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, centreErr = pr.centre.Session(context.Background(), b, false)
	}()
	_, instErr = pr.inst.Session(context.Background(), a, !pr.upload)
	<-done
	return instErr, centreErr
}

// profileTimes makes both sides wait as long as the profile says.
func profileTimes(give, take *Options) {
	for _, o := range []*Options{give, take} {
		o.Reply, o.Idle, o.First, o.Pause = 0, 0, 0, 0
	}
}

// A side that falls silent in the middle is waited for as long as the profile
// says, and no longer.
func TestSilence(t *testing.T) {
	for _, name := range []string{"cms", "edi"} {
		for _, tt := range []struct {
			faults string
			most   time.Duration
		}{
			{"silence=open:1", 60 * time.Second},
			{"silence=data:50", 90 * time.Second},
			{"silence=check-reply:1", 90 * time.Second},
			{"silence=end-reply:1", 90 * time.Second},
		} {
			t.Run(name+" "+tt.faults, func(t *testing.T) {
				pr := newPair(t, name, true, func(give, take *Options) {
					profileTimes(give, take)
					f, err := ParseFaults(tt.faults)
					require.NoError(t, err)
					give.Faults = f
				})
				pr.give(pr.wire(1), content(block+1))
				synctest.Test(t, func(t *testing.T) {
					begun := time.Now()
					e1, e2 := pr.piped()
					require.Error(t, e1)
					require.Error(t, e2)
					require.LessOrEqual(t, time.Since(begun), tt.most)
					require.Greater(t, time.Since(begun), 30*time.Second)
				})
				pr.forgetFaults()
				_, _, e1, e2 := pr.session()
				require.NoError(t, e1)
				require.NoError(t, e2)
				pr.arrived(map[string][]byte{pr.wire(1): content(block + 1)})
			})
		}
	}
}

// A connection that never says a word is let go after the time for an opening.
func TestSilentCaller(t *testing.T) {
	pr := newPair(t, "cms", true, profileTimes)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		a, b := net.Pipe()
		defer a.Close()
		_, err := pr.centre.Session(context.Background(), b, false)
		require.Equal(t, machine.CodeSilent, fault.CodeOf(err))
		require.Equal(t, 60*time.Second, time.Since(begun))
	})
}

// Ten missing rounds, five seconds apart (§3).
func TestPausesBetweenRounds(t *testing.T) {
	pr := newPair(t, "edi", true, func(give, take *Options) {
		profileTimes(give, take)
		take.Faults = Faults{NeverAll: true}
	})
	pr.give(pr.wire(1), content(5))
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		e1, e2 := pr.piped()
		require.NoError(t, e1)
		require.NoError(t, e2)
		require.Equal(t, 45*time.Second, time.Since(begun))
	})
	require.Empty(t, pr.taken())
}

// A Peer that is told to stop cuts its sessions and returns.
func TestServeStops(t *testing.T) {
	pr := newPair(t, "cms", true, nil)
	pr.loopback(func(address string) {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
	})
}

func TestWhatIsGiven(t *testing.T) {
	pr := newPair(t, "cms", true, nil)
	want := map[string][]byte{"EB21": []byte("1")}
	for name, b := range want {
		pr.give(name, b)
	}
	for _, name := range []string{".hidden", "a.tmp", "b.part", "toolongname"} {
		pr.give(name, []byte("x"))
	}
	require.NoError(t, os.Mkdir(filepath.Join(pr.sender.GiveDir, "dir"), 0o700))
	inst, _, e1, e2 := pr.session()
	require.NoError(t, e1)
	require.NoError(t, e2)
	require.Equal(t, 1, inst.Files)
	require.Equal(t, want, pr.taken())
	require.Len(t, files(t, pr.sender.GiveDir), 4)
}

// Serials count up by kind and day, over restarts, and one in a name stands.
func TestSerials(t *testing.T) {
	pr := newPair(t, "edi", true, nil)
	for i, name := range []string{"C02", "C02.20261121.007.dat", "C02", "C01.a", "C02.20261120"} {
		if i == 3 {
			pr.restart()
		}
		pr.give(name, []byte(fmt.Sprint(i)))
		_, _, e1, e2 := pr.session()
		require.NoError(t, e1)
		require.NoError(t, e2)
	}
	require.Equal(t, map[string][]byte{
		"C02.20261121.001": []byte("0"), "C02.20261121.007": []byte("1"), "C02.20261121.008": []byte("2"),
		"C01.20261121.001": []byte("3"), "C02.20261120.001": []byte("4"),
	}, pr.taken())
}

// Nothing is overwritten: the same name on the next day has the date behind it.
func TestSameNameNextDay(t *testing.T) {
	var later time.Duration
	pr := newPair(t, "cms", true, func(give, take *Options) {
		now := func() time.Time { return day().Add(later) }
		give.Now, take.Now = now, now
	})
	for i := range 3 {
		later = time.Duration(i) * 24 * time.Hour
		pr.give("EB210001", []byte(fmt.Sprint(i)))
		_, _, e1, e2 := pr.session()
		require.NoError(t, e1)
		require.NoError(t, e2)
	}
	require.Equal(t, map[string][]byte{"EB210001": []byte("0"), "EB210001.20261122": []byte("1"), "EB210001.20261123": []byte("2")}, pr.taken())
}
