package simulator

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/machine"
)

// The line is cut at every telegram of a file of two blocks in turn. However
// far it came, later sessions bring all of it, once.
func TestCutAtEveryTelegram(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		t.Parallel()
		pr := newPair(t, name, upload, nil)
		for _, direction := range []string{"sent", "received"} {
			fired := 0
			for k := 1; ; k++ {
				after := ""
				if k%2 == 0 {
					after = "after-"
				}
				f, err := ParseFaults("cut=" + after + direction + ":" + strconv.Itoa(k))
				require.NoError(t, err)
				restart := k%7 == 0 // both sides forget what they only had in mind
				pr.faults(pr.giver(), f)
				want := map[string][]byte{pr.next(): content(block + 5*l + 3), pr.next(): content(l)}
				for n, b := range want {
					pr.give(n, b)
				}
				_, _, e1, e2 := pr.session()
				if e1 == nil && e2 == nil {
					pr.arrived(want)
					break
				}
				fired++
				if restart {
					pr.restart()
				}
				sessions := 1
				if k%5 == 0 || name == "edi" && !upload {
					sessions = 2 // the second finds nothing, or what the first was asked about; nothing comes twice
				}
				for range sessions {
					_, _, e1, e2 = pr.session()
					require.NoError(t, e1, "%s %d", direction, k)
					require.NoError(t, e2, "%s %d", direction, k)
				}
				pr.arrived(want)
			}
			least := 100
			if direction == "received" {
				least = 5 // replies are few
			}
			require.Greater(t, fired, least, "the line was cut")
		}
	})
}

// Where the profile resumes, what arrived before the cut does not travel again.
func TestResume(t *testing.T) {
	for _, upload := range []bool{true, false} {
		for _, tt := range []struct {
			cut     string
			resumed int64
		}{
			{"cut=data:101", block},
			{"cut=data:138", block + 37*l},
			{"cut=after-check-reply:2", 2 * block},
			{"cut=data:1", 0},
		} {
			pr := newPair(t, "cms", upload, func(_, take *Options) {
				var err error
				take.Faults, err = ParseFaults(tt.cut)
				require.NoError(t, err)
			})
			b := content(3*block + 7)
			pr.give("EB210001", b)
			_, _, e1, e2 := pr.session()
			require.Error(t, e1)
			require.Error(t, e2)
			require.Empty(t, pr.taken())
			pr.forgetFaults()
			pr.restart()
			inst, centre, e1, e2 := pr.session()
			require.NoError(t, e1)
			require.NoError(t, e2)
			took := centre
			if !upload {
				took = inst
			}
			require.Len(t, took.Events, 1)
			require.Equal(t, tt.resumed, took.Events[0].Resumed, tt.cut)
			pr.arrived(map[string][]byte{"EB210001": b})
		}
	}
}

// Two files of one name and size on two days are never spliced, nor on one day
// with different sizes or content (§1.5).
func TestNeverSpliced(t *testing.T) {
	for _, tt := range []struct {
		what  string
		later time.Duration
		other func([]byte) []byte
	}{
		{"another day", 24 * time.Hour, func(b []byte) []byte { return bytes.Repeat([]byte{'x'}, len(b)) }},
		{"another size", time.Minute, func(b []byte) []byte { return bytes.Repeat([]byte{'x'}, len(b)+1) }},
		{"too old", 5 * time.Hour, func(b []byte) []byte { return bytes.Repeat([]byte{'x'}, len(b)) }},
	} {
		for _, upload := range []bool{true, false} {
			var later time.Duration
			pr := newPair(t, "cms", upload, func(give, take *Options) {
				take.Faults = Faults{Cut: []Point{{Kind: protocol.DataTelegram, N: 150}}}
				for _, o := range []*Options{give, take} {
					o.Now = func() time.Time { return day().Add(later) }
				}
			})
			b := content(3 * block)
			pr.give("EB210001", b)
			_, _, e1, _ := pr.session()
			require.Error(t, e1)
			later = tt.later
			other := tt.other(b)
			pr.give("EB210001", other)
			_, _, e1, e2 := pr.session()
			require.NoError(t, e1, tt.what)
			require.NoError(t, e2, tt.what)
			pr.arrived(map[string][]byte{"EB210001": other})
		}
	}
}

// Same name, same size, same day, another content: the sender remembers what it
// has sent, and does not go on with bytes that it never sent.
func TestForeignHalfIsNotGoneOnWith(t *testing.T) {
	pr := newPair(t, "cms", true, func(_, take *Options) {
		take.Faults = Faults{Cut: []Point{{Kind: protocol.DataTelegram, N: 150}}}
	})
	pr.give("EB210001", content(3*block))
	_, _, e1, _ := pr.session()
	require.Error(t, e1)
	pr.give("EB210001", bytes.Repeat([]byte{'x'}, 3*block))
	inst, _, e1, e2 := pr.session()
	require.NoError(t, e1)
	require.NoError(t, e2)
	require.Empty(t, pr.taken())
	require.Len(t, inst.Events, 1)
	require.Equal(t, machine.CodeResumeForeign, fault.CodeOf(inst.Events[0].Err))
}

// Cut between the end request and its reply: nobody can know, so the next
// session settles it by the profile's rule, and nothing arrives twice.
func TestEndUnknown(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		for _, tt := range []struct {
			cut   string
			taken bool // before it is settled
		}{
			{"cut=end-reply:1", true},
			{"cut=end:1", false},
			{"cut=after-end:1", false}, // who takes cuts: the request was passed, but the line was gone
		} {
			pr := newPair(t, name, upload, func(give, take *Options) {
				f, err := ParseFaults(tt.cut)
				require.NoError(t, err)
				take.Faults = f
			})
			b := content(block + 3)
			pr.give(pr.wire(1), b)
			inst, centre, e1, e2 := pr.session()
			require.Error(t, e1)
			require.Error(t, e2)
			gave := inst
			if !upload {
				gave = centre
			}
			require.Len(t, gave.Events, 1)
			require.Equal(t, machine.EndUnknown, gave.Events[0].Result, tt.cut)
			require.Equal(t, machine.CodeEndUnknown, fault.CodeOf(gave.Events[0].Err))
			if tt.taken {
				require.Len(t, pr.taken(), 1)
			}
			pr.restart()
			pr.forgetFaults()
			pr.restart()
			for range 2 { // where files come on request, one asks and the next brings what was not there
				_, _, e1, e2 = pr.session()
				require.NoError(t, e1, tt.cut)
				require.NoError(t, e2, tt.cut)
			}
			pr.arrived(map[string][]byte{pr.wire(1): b})
		}
	})
}
