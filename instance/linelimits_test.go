package instance

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// opened is a session that the peer has opened by hand.
func (h *host) opened(t *testing.T) wire {
	t.Helper()
	w := h.dial(t)
	w.say(opening(h.opt.now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABC"))
	require.Equal(t, "000", w.hear()[29:32])
	return w
}

func (o *Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// TestPhases: each part of a session ends when its time, bytes or mistakes are
// used up, however the peer spends them, and the reason stands in the row.
func TestPhases(t *testing.T) {
	t.Parallel()
	const info = "0052FTE123456780630REEB21DAY 000EB21DAY 0000000150004096"
	nonsense := "0035FTE123456780300RCEB21DAY 0000001001" // an answer that nobody has asked for
	for _, test := range []struct {
		name   string
		limits Limits
		say    func(w wire)
		code   fault.Code
	}{
		{"mistakes between files", Limits{Between: line.Limit{Mistakes: 5}}, func(w wire) { drone(w, nonsense) }, machine.CodeMistakes},
		{"mistakes, left to the procedure", Limits{}, func(w wire) { drone(w, nonsense) }, machine.CodeMistakes},
		{"bytes between files", Limits{Between: line.Limit{Bytes: 2000}}, func(w wire) { drone(w, nonsense) }, line.CodePhaseBytes},
		{"time between files", Limits{Between: line.Limit{Time: 100 * time.Millisecond}}, func(wire) {}, line.CodePhaseTime},
		{"time of a file", Limits{File: line.Limit{Time: 100 * time.Millisecond}}, func(w wire) {
			w.say(info)
			w.hear()
			w.say("0189FTE1234") // and the rest never comes
		}, line.CodePhaseTime},
		{"bytes of a file", Limits{File: line.Limit{Bytes: 5000}}, func(w wire) {
			w.say(info)
			w.hear()
			drone(w, "0189FTE123456780320REEB21DAY 00000010010150"+strings.Repeat("x", 150))
		}, line.CodePhaseBytes},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := centreOf(t, sqlite, func(o *Options) {
				o.Institutions[0].Limits = test.limits
				o.Files[0].WireName = "${FILE_ID:4}+DAY"
			})
			w := h.opened(t)
			test.say(w)
			_, _ = io.Copy(io.Discard, w)
			require.Eventually(t, func() bool {
				all, err := h.store.Sessions(t.Context(), store.SessionFilter{})
				require.NoError(t, err)
				return len(all) == 1 && all[0].ErrorCode == string(test.code)
			}, hang, 5*time.Millisecond)
		})
	}
}

// drone repeats a telegram until the line is cut.
func drone(w wire, telegram string) {
	for range 10_000 {
		if _, err := io.WriteString(w, strings.Repeat(telegram, 10)); err != nil {
			return
		}
	}
}

// TestSlowOpening: a caller that says its opening byte by byte has no more time
// for it than any other.
func TestSlowOpening(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) { o.Door.Opening.Time = 200 * time.Millisecond })
	w := h.dial(t)
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for _, b := range []byte("0077FTE123456780600RE        000" + strings.Repeat("1", 40)) {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			if _, err := w.Write([]byte{b}); err != nil {
				return
			}
		}
	})
	_, _ = io.ReadAll(w) // reset at times, because it still wrote
	close(stop)
	dripping.Wait()
	codes := h.refusedCodes(t, 1)
	require.Contains(t, []string{string(line.CodePhaseTime), string(machine.CodeSilent)}, codes[0])
}

// TestMistakesWithoutEnd: a caller that never says anything right is soon not
// listened to; the log stays short, the count complete, and who looks whether
// the port is open is no caller at all.
func TestMistakesWithoutEnd(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	var shift atomic.Int64
	h := centreOf(t, sqlite, func(o *Options) {
		o.Now = func() time.Time { return noon.Add(time.Duration(shift.Load())) }
		o.Log = slog.New(slog.NewTextHandler(&text, nil))
		o.Door.Opening.Mistakes = 5
	})
	for range 20 { // a load balancer
		_ = h.dial(t).Close()
	}
	counted := func() (sum int64, codes []string) {
		for _, r := range h.inst.refused.list(mostRefusals) {
			sum += r.Count
			codes = append(codes, r.Code)
		}
		return sum, codes
	}
	for n := range 40 {
		w := h.dial(t)
		_, _ = io.WriteString(w, "GET / HTTP/1.1\r\n\r\n")
		_, _ = io.ReadAll(w)
		require.Eventually(t, func() bool { sum, _ := counted(); return sum == int64(n+1) }, hang, time.Millisecond)
	}
	_, codes := counted()
	require.Len(t, codes, 2)
	require.Contains(t, codes, string(CodeBarred))
	var free int64
	for _, r := range h.inst.refused.list(mostRefusals) {
		if r.Code != string(CodeBarred) {
			free = r.Count
		}
		require.Equal(t, "127.0.0.1", r.Address)
	}
	require.EqualValues(t, 5, free, "so many were read")
	shift.Store(int64(10 * time.Minute))
	h.opened(t) // its time is over, and it is right this time
	require.Zero(t, h.inst.wrong.barred(caller{address: "127.0.0.1"}, h.opt.Now()))
	h.end()
	require.Equal(t, 2, strings.Count(text.String(), "caller turned away"), text.String())
}

// TestPasswordsAreNotAnAddress: wrong passwords are the affair of the
// institution whose they are; others may share the address.
func TestPasswordsAreNotAnAddress(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) { o.Door.Opening.Mistakes = 1 })
	w := h.dial(t)
	w.say(opening(time.Now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABD"))
	require.Equal(t, "320", w.hear()[29:32])
	require.Equal(t, []string{string(CodeBadPassword)}, h.refusedCodes(t, 1))
	h.opened(t)
}

// TestLobby: floods hurt themselves, and no number is ever exceeded.
func TestLobby(t *testing.T) {
	t.Parallel()
	end := func() net.Conn {
		a, b := net.Pipe()
		t.Cleanup(func() { _, _ = a.Close(), b.Close() })
		return a
	}
	closed := func(c net.Conn) bool { return c.SetDeadline(time.Time{}) != nil }
	t.Run("the one who floods makes room", func(t *testing.T) {
		l := newLobby(10, Door{})
		honest := end()
		require.NotNil(t, l.enter(honest, "honest"))
		for range 100 {
			require.NotNil(t, l.enter(end(), "flood"))
		}
		require.False(t, closed(honest))
		require.Len(t, l.waiting, 10)
	})
	t.Run("not more unknown ones", func(t *testing.T) {
		l := newLobby(10, Door{Unidentified: 3})
		first := end()
		l.enter(first, "a")
		for range 3 {
			l.enter(end(), "b")
		}
		require.Len(t, l.waiting, 3)
		require.False(t, closed(first))
	})
	t.Run("one address", func(t *testing.T) {
		l := newLobby(10, Door{PerAddress: 2})
		first, second := end(), end()
		l.enter(first, "a")
		leave := l.enter(second, "a")
		l.known(second)
		third := end()
		require.NotNil(t, l.enter(third, "a"))
		require.True(t, closed(first), "who has said nothing makes room")
		l.known(third)
		require.Nil(t, l.enter(end(), "a"), "who has does not")
		require.NotNil(t, l.enter(end(), "b"))
		leave()
		require.NotNil(t, l.enter(end(), "a"))
	})
	t.Run("many at once", func(t *testing.T) {
		l := newLobby(20, Door{Unidentified: 10, PerAddress: 6})
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() {
				for k := range 200 {
					c := end()
					leave := l.enter(c, fmt.Sprint(n%4))
					l.mu.Lock()
					require.LessOrEqual(t, len(l.waiting), 10)
					for _, count := range l.from {
						require.LessOrEqual(t, count, 6)
					}
					l.mu.Unlock()
					if leave == nil {
						continue
					}
					if k%3 == 0 {
						l.known(c)
					}
					leave()
				}
			})
		}
		all.Wait()
		require.Empty(t, l.waiting)
		require.Empty(t, l.inside)
		require.Empty(t, l.from)
	})
}

// TestRefusals stays small and quiet however many are refused.
func TestRefusals(t *testing.T) {
	t.Parallel()
	var r refusals
	said, kept := 0, 0
	for n := range 10_000 {
		v := r.add(noon.Add(time.Duration(n)*time.Millisecond), fmt.Sprint(n%1000), fault.New(CodeStranger, "x"))
		if v.say {
			said++
		}
		if v.keep {
			kept++
		}
	}
	require.LessOrEqual(t, said, linesAMinute)
	require.Len(t, r.known, mostRefusals)
	require.Equal(t, keptAMinute, kept, "what one may write in a minute")
	v := r.add(noon.Add(2*time.Minute), "0", fault.New(CodeStranger, "x"))
	require.Equal(t, verdict{true, 10_000 - said, true, 10_000 - kept}, v)
	require.Len(t, r.list(5), 5)
	require.Equal(t, "0", r.list(5)[0].Address)
	// Who knocks without end for one reason leaves room for others.
	r, kept = refusals{}, 0
	for n := range 100 {
		if r.add(noon.Add(time.Duration(n)*time.Millisecond), "0", fault.New(CodeStranger, "x")).keep {
			kept++
		}
	}
	require.Equal(t, keptOfOne, kept)
	require.True(t, r.add(noon.Add(time.Second), "1", fault.New(CodeStranger, "x")).keep)
}

// TestBandwidth: the sessions of an institution share what was agreed. The
// bytes are counted in package pace; here, that every way of opening a session
// has the pace, and that a change of the number counts.
func TestBandwidth(t *testing.T) {
	t.Parallel()
	p := newPair(t, sqlite, "cms", []file{rawForm("EB21")}, nil, func(i, c *Options) {
		i.Institutions[0].Limits.Bandwidth, c.Institutions[0].Limits.Bandwidth = 1<<30, 1<<30
	})
	p.institution.drop("EB21.CENTRE.JOB", content(300_000))
	p.institution.await(transfer.Send, transfer.Sent, 1)
	p.centre.await(transfer.Receive, transfer.Assembled, 1)
	for _, h := range []*host{p.institution, p.centre} {
		n := h.opt.Institutions[0]
		require.Len(t, h.inst.paces.by, 1)
		before := h.inst.paces.of(&n)
		n.Limits.Bandwidth = 5000
		require.Same(t, before, h.inst.paces.of(&n))
		require.EqualValues(t, 5000, h.inst.paces.by[n.Code].perSecond)
	}
	n := Institution{Code: "FREE"}
	require.Nil(t, p.centre.inst.paces.of(&n))
}

// TestMistakesAreNotOurs: what lies with us bars nobody.
func TestMistakesAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, code := range []fault.Code{"", CodeDraining, CodeClosedHours, CodeBadPassword, CodeThrottled, machine.CodeLost, store.CodeQuarantined, store.CodeLineTaken} {
		require.False(t, mistake(code), code)
	}
	for _, code := range []fault.Code{CodeUnknownPeer, machine.CodeUnexpected, protocol.CodeTooLong, line.CodePhaseTime, CodeOtherCert} {
		require.True(t, mistake(code), code)
	}
}
