package instance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/internal/needs"
	"pabal/internal/pgtest"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// dump is pg_dump of the database of a host under servers that work; back
// restores it into a new database, which takes the place of theirs under the
// same address while they run on.
func (h *host) dump() (back func()) {
	path := filepath.Join(h.t.TempDir(), "dump.sql")
	tool := func(name string, args ...string) {
		h.t.Helper()
		out, err := exec.CommandContext(h.t.Context(), needs.Tool(h.t, name), args...).CombinedOutput()
		require.NoError(h.t, err, "%s: %s", name, out)
	}
	tool("pg_dump", "--no-owner", "-f", path, "-d", h.url)
	return func() {
		fresh := running.postgres.URL(h.t)
		tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, "-d", fresh)
		now, restored := pgtest.Database(h.t, h.url), pgtest.Database(h.t, fresh)
		admin := strings.Replace(h.url, "/"+now, "/postgres", 1)
		for _, text := range []string{
			`ALTER DATABASE %[1]s ALLOW_CONNECTIONS false`,
			`SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname IN ('%[1]s', '%[2]s')`,
			`ALTER DATABASE %[1]s RENAME TO %[1]s_lost`,
			`ALTER DATABASE %[2]s RENAME TO %[1]s`,
		} {
			running.postgres.SQL(h.t, admin, fmt.Sprintf(text, now, restored))
		}
	}
}

// TestRestoredOverTwoHosts: two hosts send from one PostgreSQL database, each
// with its own directories, journal and session logs, and each carries files
// of the other. A dump of it, made while they work, is restored under them. What
// a host knows only it can tell: nothing goes on before both have compared, and
// in the end each file has arrived once.
func TestRestoredOverTwoHosts(t *testing.T) {
	t.Parallel()
	up := []file{rawForm("EB21")}
	p := makePair(t, postgres, "cms", up, nil, logged(sessionlog.Headers))
	one, centre := p.institution, p.centre
	two := newHost(t, postgres, "cms", "institution", up, nil)
	logged(sessionlog.Headers)(&two.opt, &two.opt)
	one.opt.Place = "host1"
	two.opt.ID, two.opt.Place, two.beside = "instance_TWO", "host2", true
	one.mind, two.mind = new(memory), new(memory)
	p.start()
	two.url, two.opt.Institutions[0].Connect = one.url, one.opt.Institutions[0].Connect
	two.start()

	name := func(day int) string { return fmt.Sprintf("EB21.CENTRE.JOB.202611%02d", day) }
	size := func(day int) int { return 1000 * day }
	day := 0
	drop := func(hosts ...*host) (names []string) {
		for _, h := range hosts {
			day++
			h.drop(name(day), content(size(day)))
			names = append(names, name(day))
		}
		return names
	}
	sent := func(n int) { t.Helper(); one.await(transfer.Send, transfer.Sent, n) }
	// Neither is on a line, and all that is to be backed up is.
	quiet := func(ready int) {
		t.Helper()
		eventually(t, "the files are not ready", func() bool { // the oldest is tried again and again
			all, err := one.store.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Stored, transfer.Sending, transfer.Waiting}})
			return err == nil && len(all) == ready
		})
		for _, h := range []*host{one, two} {
			eventually(t, "no backup", func() bool {
				todo, err := one.store.NotBackedUp(t.Context(), h.opt.Place, 10)
				return err == nil && len(todo) == 0
			})
		}
	}
	before := drop(one, two)
	sent(2)
	centre.end()
	later := drop(one, two, one, two)
	quiet(4)
	back := one.dump()
	// What each has sent of the other's only its own journal knows.
	one.end() // before there is anybody to call
	centre.start()
	two.await(transfer.Send, transfer.Sent, 6)
	one.start()
	two.end()
	between := drop(one)
	sent(7)
	two.start()
	between = append(between, drop(two)...)
	sent(8)
	centre.end()
	left := drop(one, two)
	quiet(2)

	back()
	for _, h := range []*host{one, two} {
		eventually(t, "no quarantine", func() bool {
			q, err := h.store.Quarantine(t.Context())
			return err == nil && q != nil && h.inst.quarantine.Load()
		})
	}
	centre.start()
	r1, r2 := one.recovery(), two.recovery()
	by := control.Actor{Who: "kim", Host: "ops", Reason: "the disk was lost"}
	kinds := func(r *control.Recovery, apply bool) (map[string]string, *control.Report) {
		t.Helper()
		report, err := r.Recover(t.Context(), apply, by)
		require.NoError(t, err)
		out := map[string]string{}
		for _, f := range report.Findings {
			out[f.Name] = f.Kind
		}
		return out, report
	}
	refused := func(r *control.Recovery, want fault.Code) {
		t.Helper()
		require.Equal(t, want, fault.CodeOf(r.End(t.Context(), false, false, by)))
		_, _, err := r.ReleaseSafe(t.Context(), by)
		require.Equal(t, want, fault.CodeOf(err))
	}

	// The second host's log tells what was sent while the first was stopped.
	at1, _ := kinds(r1, false)
	for _, n := range left[:1] {
		require.Equal(t, control.FoundAbsent, at1[n], "its file is here")
	}
	require.NotContains(t, at1, left[1], "nobody here has heard of it")
	refused(r1, control.CodeNotCompared)
	_, report := kinds(r1, true)
	require.Zero(t, report.Open)
	refused(r1, control.CodeNotCompared)
	at2, _ := kinds(r2, false)
	for _, n := range later {
		require.Equal(t, control.FoundArrived, at2[n], n)
	}
	require.Equal(t, control.FoundAbsent, at2[left[1]])
	refused(r1, control.CodeUnexplained)
	_, report = kinds(r2, true)
	require.Zero(t, report.Open)
	_, report = kinds(r1, false)
	require.Zero(t, report.Open, "what the other has written is no news")

	for _, n := range append(append(before, later...), between...) {
		row, err := r1.Find(t.Context(), n)
		require.NoError(t, err)
		require.Equal(t, transfer.Sent, row.Status, n)
	}
	for _, n := range left {
		row, err := r1.Find(t.Context(), n)
		require.NoError(t, err)
		require.Equal(t, transfer.Held, row.Status, n)
		_, err = r1.Do(t.Context(), row.ID, control.Order{Name: control.Release}, by)
		require.NoError(t, err)
	}
	sessions, err := one.store.Sessions(t.Context(), store.SessionFilter{Since: report.Quarantine.Since})
	require.NoError(t, err)
	require.Empty(t, sessions, "nobody was called in quarantine")
	require.NoError(t, r2.End(t.Context(), false, false, by))

	sent(day)
	got := centre.await(transfer.Receive, transfer.Assembled, day)
	for _, g := range got {
		b, err := os.ReadFile(g.FinalPath)
		require.NoError(t, err)
		var n int
		_, err = fmt.Sscanf(g.BaseDate, "202611%d", &n)
		require.NoError(t, err)
		require.Equal(t, sum(content(size(n))), sum(b), g.BaseDate)
	}
	all, err := centre.store.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Len(t, all, day, "each has come once")
}
