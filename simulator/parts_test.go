package simulator

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// kfbPair are two counterparties whose files have tagged parts, 22 bytes of
// content in a telegram.
func kfbPair(t *testing.T, upload bool) *pair {
	pr := newPair(t, "kfb", upload, func(give, take *Options) {
		for _, o := range []*Options{give, take} {
			o.Self, o.Peer, o.Expect = "", "", Expect{}
			o.Institution, o.SenderName, o.Password = "057", "TESTER", "ABC123"
			o.MessageSize, o.Record = 34+24, 2
		}
	})
	return pr
}

// call holds one session; who gives opens it.
func (pr *pair) call() (give, take error) {
	a, b := connected(pr.t)
	done := make(chan error, 1)
	go func() {
		_, err := pr.takes().Session(context.Background(), b, true)
		done <- err
	}()
	_, give = pr.giver().Session(context.Background(), a, false)
	return give, <-done
}

// However far a file of tagged parts came before the line was cut, later
// sessions bring all of it, once: header, data and trailer are of three lengths.
func TestPartsCutAtEveryTelegram(t *testing.T) {
	for _, upload := range []bool{true, false} {
		for _, direction := range []string{"sent", "received"} {
			t.Run(direction+strconv.FormatBool(upload), func(t *testing.T) {
				t.Parallel()
				pr := kfbPair(t, upload)
				fired := 0
				for k := 1; ; k++ {
					f, err := ParseFaults("cut=" + map[bool]string{true: "after-"}[k%2 == 0] + direction + ":" + strconv.Itoa(k))
					require.NoError(t, err)
					pr.faults(pr.giver(), f)
					// Data that ends within a telegram, and a trailer alone in its block.
					want := map[string][]byte{"A" + strconv.Itoa(k): content(22*99 - 4), "B" + strconv.Itoa(k): content(22 * 99), "C" + strconv.Itoa(k): {}}
					for n, b := range want {
						pr.give(n, b)
					}
					e1, e2 := pr.call()
					if e1 == nil && e2 == nil {
						pr.arrived(want)
						break
					}
					fired++
					if k%7 == 0 {
						pr.restart()
					}
					pr.forgetFaults()
					e1, e2 = pr.call()
					require.NoError(t, e1, "%d", k)
					require.NoError(t, e2, "%d", k)
					pr.arrived(want)
				}
				require.Greater(t, fired, map[string]int{"sent": 200, "received": 12}[direction])
			})
		}
	}
}

// Loss, duplication and reordering of any part.
func TestPartsDisturbed(t *testing.T) {
	for _, faults := range []string{"lose=1:1", "lose=2:100,3:1,3:2", "lose=20%;seed=3", "duplicate=1:1,3:2;reorder=1:1,2:99,3:1"} {
		f, err := ParseFaults(faults)
		require.NoError(t, err)
		for _, upload := range []bool{true, false} {
			pr := kfbPair(t, upload)
			pr.faults(pr.giver(), f)
			want := map[string][]byte{"A": content(22*200 + 2), "B": {}, "C": content(22 * 98)}
			for n, b := range want {
				pr.give(n, b)
			}
			e1, e2 := pr.call()
			require.NoError(t, e1, faults)
			require.NoError(t, e2, faults)
			pr.arrived(want)
		}
	}
}

// Who gives must know what a record is, and header and trailer must have room.
func TestPartsOptions(t *testing.T) {
	p := profile(t, "kfb")
	o := Options{Profile: p, Institution: "057", GiveDir: t.TempDir()}
	_, err := New(o)
	require.Equal(t, CodeOptions, fault.CodeOf(err))
	o.Record = 2
	_, err = New(o)
	require.NoError(t, err)
	o.MessageSize = 34 + 23
	_, err = New(o)
	require.Equal(t, CodeOptions, fault.CodeOf(err))
}

// A trailer that counts otherwise is refused by who takes, and told.
func TestPartsAreProven(t *testing.T) {
	for name, record := range map[string]int{"as agreed": 2, "half as long": 1} {
		t.Run(name, func(t *testing.T) {
			pr := kfbPair(t, true)
			take := pr.taker
			take.Record = record
			var err error
			pr.centre, err = New(take)
			require.NoError(t, err)
			pr.give("A", content(44))
			var got []Event
			pr.centre.opt.Observe = func(e Event) {
				if e.Kind == Failed || e.Kind == Taken {
					got = append(got, e)
				}
			}
			pr.call() //nolint:errcheck // the file fails, not the session
			require.Len(t, got, 1)
			require.Equal(t, record == 2, got[0].Kind == Taken)
			if record == 1 {
				require.Equal(t, CodeBadProof, fault.CodeOf(got[0].Err))
				require.Empty(t, pr.taken())
			}
		})
	}
}
