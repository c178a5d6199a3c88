package instance

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/internal/linetest"
	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/transfer"
)

// TestFailover: the database server is killed while files go both ways, and a
// synchronous standby takes over. Everything arrives, once, and nobody takes
// the standby for an older copy.
func TestFailover(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, true)
	other := map[string]string{"institution": "centre", "centre": "institution"}
	type line struct {
		profile string
		line    *linetest.Line    // between the two
		ids     map[string]string // of the files that a side sends
		sides   map[string]*process
		want    map[string]map[string][]byte // receiving side → base date → content
	}
	lines := []*line{
		{profile: "cms", ids: map[string]string{"institution": "EB21", "centre": "EB22"}},
		{profile: "edi", ids: map[string]string{"institution": "C02", "centre": "C05"}},
	}
	day := 0
	drop := func(l *line, role string, size int) {
		day++
		date := time.Now().AddDate(0, 0, day-100).Format("20060102") // MMdd takes the nearest year
		body := content(size)
		copy(body, strconv.Itoa(day)) // no two alike
		to := map[string]string{"institution": ".CENTRE.JOB.", "centre": ".MEMBER.JOB."}[role]
		l.sides[role].drop(l.ids[role]+to+date, body)
		l.want[other[role]][date] = body
	}
	for _, l := range lines {
		l.sides, l.want = map[string]*process{}, map[string]map[string][]byte{"institution": {}, "centre": {}}
		address := free(t)
		for _, role := range []string{"centre", "institution"} {
			dir := t.TempDir()
			makeDirs(t, dir)
			at := address
			if role == "institution" { // of 9 blocks, 6 and a part of one: whichever goes first, one has gone and another is on the line
				l.line = linetest.New(t, address, int64(6*blockOf(l.profile)+5000))
				t.Cleanup(l.line.Close)
				at = l.line.Address()
			}
			p := &process{t: t, c: child{Dir: dir, URL: pair.URL(t), Profile: l.profile, Role: role, Address: at,
				Up: []string{l.ids["institution"]}, Down: []string{l.ids["centre"]}}}
			l.sides[role] = p
			p.start()
			t.Cleanup(p.kill)
		}
		for _, blocks := range []int{5, 3, 1} {
			for role := range l.sides {
				drop(l, role, blocks*blockOf(l.profile)+17)
			}
		}
	}
	for _, l := range lines {
		select {
		case <-l.line.Held():
		case <-time.After(hang):
			t.Fatal(l.profile + ": nothing is on the line")
		}
	}
	pair.Fail(t)
	for _, l := range lines {
		l.line.Heal()
	}
	for _, l := range lines {
		for role := range l.sides {
			drop(l, role, 150)
		}
		for role, p := range l.sides {
			s := p.read()
			eventually(t, l.profile+": "+role+" does not finish", func() bool {
				all, err := s.List(t.Context(), store.Filter{})
				if err != nil {
					return false
				}
				sent := 0
				for _, r := range all {
					if r.Status == transfer.Sent {
						sent++
					}
				}
				return sent == len(l.want[other[role]]) && len(received(all)) == len(l.want[role])
			})
			require.NoError(t, s.Close())
		}
		for role, p := range l.sides {
			p.kill()
			inspect(t, role, p, l.want[role])
		}
	}
}

// TestFailoverToAnOlderStandby: the standby that takes over comes after, and
// lacks what was confirmed last: by its rows a file would be sent that has
// arrived. It is taken for what it is, an older copy, and the file is not sent
// again.
func TestFailoverToAnOlderStandby(t *testing.T) {
	t.Parallel()
	servers := pgtest.NewPair(t, false)
	p := makePair(t, postgres, "cms", []file{rawForm("EB21")}, nil, nil)
	inst, centre := p.institution, p.centre
	inst.mind, inst.url = new(memory), servers.URL(t)
	p.start()
	inst.drop("EB21.CENTRE.JOB.20261101", content(1000))
	inst.await(transfer.Send, transfer.Sent, 1)
	centre.await(transfer.Receive, transfer.Assembled, 1)
	centre.end()
	body := content(blockOf("cms") + 5)
	inst.drop("EB21.CENTRE.JOB.20261102", body)
	row := inst.await(transfer.Send, transfer.Waiting, 1)[0]
	eventually(t, "no backup", func() bool {
		todo, err := inst.store.NotBackedUp(t.Context(), inst.opt.Place, 10)
		return err == nil && len(todo) == 0
	})
	servers.CatchUp(t)
	servers.Standby.Kill(t)
	centre.start()
	inst.await(transfer.Send, transfer.Sent, 2)
	centre.await(transfer.Receive, transfer.Assembled, 2)

	servers.Primary.Crash(t)
	servers.Standby.Again(t)
	servers.Promote(t)
	var found *store.Quarantine
	eventually(t, "no quarantine", func() bool {
		q, err := inst.store.Quarantine(t.Context())
		found = q
		return err == nil && q != nil && inst.inst.quarantine.Load()
	})
	require.Equal(t, store.WhyOlder, found.Why)
	held, err := inst.store.Transfer(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, transfer.Held, held.Status)
	require.Contains(t, []transfer.Status{transfer.Waiting, transfer.Sending}, held.HeldFrom, "it was tried again and again")

	r := inst.recovery()
	by := control.Actor{Who: "kim", Host: "ops", Reason: "the standby was behind"}
	report, err := r.Recover(t.Context(), false, control.Actor{})
	require.NoError(t, err)
	kinds := map[string]string{}
	for _, f := range report.Findings {
		kinds[f.ID] = f.Kind
	}
	require.Equal(t, control.FoundArrived, kinds[row.ID])
	report, err = r.Recover(t.Context(), true, by)
	require.NoError(t, err)
	require.Zero(t, report.Open)
	require.NoError(t, r.End(t.Context(), false, false, by))
	inst.drop("EB21.CENTRE.JOB.20261103", content(150))
	inst.await(transfer.Send, transfer.Sent, 3)
	all, err := centre.store.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Len(t, all, 3, "each once")
	placed, err := filepath.Glob(centre.path("receive", "EB21*20261102*"))
	require.NoError(t, err)
	require.Len(t, placed, 1)
	got, err := os.ReadFile(placed[0])
	require.NoError(t, err)
	require.Equal(t, sum(body), sum(got))
}
