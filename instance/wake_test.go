package instance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// TestWorkOfOthers: what another process makes ready is taken up at once where
// the database tells of it, and soon where it does not.
func TestWorkOfOthers(t *testing.T) {
	t.Parallel()
	const never = 24 * time.Hour
	for _, test := range []struct {
		name string
		on   engine
		poll time.Duration
		deaf bool // the connection that would hear of it is cut
	}{
		{"told", postgres, never, false},
		{"looked for", postgres, 20 * time.Millisecond, true},
		{"looked for in sqlite", sqlite, 20 * time.Millisecond, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			there := newAgainst(t, test.on, "cms", "institution", true, "", nil) // the counterparty to send to
			there.ours.end()
			h := &host{t: t, on: test.on, dir: t.TempDir()}
			h.url = test.on.url(t, h.dir)
			beside := h.url
			if test.on == postgres {
				c, behind := running.postgres.Cutter(t, h.url)
				if test.deaf {
					c.Deny("LISTEN")
				}
				h.url = behind
			}
			makeDirs(t, h.dir)
			var err error
			h.opt, err = sideOptions(h.dir, "cms", "institution", []file{rawForm("EB21")}, nil)
			require.NoError(t, err)
			h.opt.Log = testLog(t, "ours")
			inst := &h.opt.Institutions[0]
			inst.Connect, inst.RetryFirst, inst.RetryMax = "127.0.0.1:1", 12*time.Hour, 12*time.Hour
			h.start()
			h.drop("EB21.CENTRE.JOB", content(1000))
			waits := h.await(transfer.Send, transfer.Waiting, 1)[0]
			h.end()

			h.opt.Poll, h.opt.ScanEvery = test.poll, never
			inst.Connect = there.ours.opt.Institutions[0].Connect
			h.start()
			other, err := store.Open(t.Context(), store.Options{URL: beside})
			require.NoError(t, err)
			defer other.Close()
			_, err = other.Command(t.Context(), time.Now(), transfer.Command{Name: "release", TransferID: waits.ID, Who: "test", Reason: "test"},
				func(r *transfer.Transfer) error { r.NextTry = time.Time{}; return nil })
			require.NoError(t, err)
			h.await(transfer.Send, transfer.Sent, 1)
			require.Equal(t, map[string]int{sum(content(1000)): 1}, there.arrived())
		})
	}
}
