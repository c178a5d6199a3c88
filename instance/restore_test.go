package instance

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/internal/pgtest"
	"pabal/naming"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// memory is a host's journal, and what "pabal run" does with it beside the
// instance.
type memory struct {
	*journal.Journal
	stop context.CancelFunc
	wait sync.WaitGroup
}

func (m *memory) open(h *host, o *store.Options) {
	if m == nil {
		return
	}
	var err error
	m.Journal, err = journal.Open(journal.Options{Dir: h.path("work", ".pabal"), Server: true, Failed: func(err error) { h.t.Error(err) }})
	require.NoError(h.t, err)
	o.Witness = m.Journal
}

func (m *memory) watch(h *host, s *store.Store) {
	if m == nil {
		return
	}
	_, err := s.Recognise(h.t.Context(), time.Now(), h.opt.Place)
	require.NoError(h.t, err)
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.wait.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-tick.C:
				if s.Unsure() {
					_, _ = s.Recognise(ctx, time.Now(), h.opt.Place) // again at the next tick
				}
			}
		}
	})
}

func (m *memory) leave() {
	if m != nil {
		m.stop()
		m.wait.Wait()
	}
}

func (m *memory) close(h *host) {
	if m != nil {
		require.NoError(h.t, m.Close())
	}
}

// recovery is an operator at the host, with a connection of his own.
func (h *host) recovery() *control.Recovery {
	cat, err := catalog.Load()
	require.NoError(h.t, err)
	var o store.Options
	o.URL = h.url
	j, err := journal.Open(journal.Options{Dir: h.path("work", ".pabal")})
	require.NoError(h.t, err)
	o.Witness = j
	s, err := store.Open(h.t.Context(), o)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _, _ = s.Close(), j.Close() })
	_, err = s.Recognise(h.t.Context(), time.Now(), h.opt.Place)
	require.NoError(h.t, err)
	var regs []naming.Registration
	for _, f := range h.opt.Files {
		regs = append(regs, f.Registration)
	}
	book, problems := naming.NewBook(regs)
	require.Empty(h.t, problems)
	return &control.Recovery{Control: control.New(s, cat, catalog.EN, nil), Place: h.opt.Place, Journal: h.path("work", ".pabal"),
		Said: h.path("said"), Scan: h.opt.Dirs.Scan, Receive: h.opt.Dirs.Receive, Book: book, Zone: h.opt.Zone}
}

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(hang)
	for pause := new(watching); !done(); pause.wait(nil) {
		require.True(t, time.Now().Before(deadline), what)
	}
}

// snapshot keeps the database of a host that is stopped; back puts it in the
// place of the present one, on PostgreSQL under a server that runs.
func (h *host) snapshot() (back func()) {
	if h.on == sqlite {
		path := strings.TrimPrefix(h.url, "sqlite:")
		kept := map[string][]byte{}
		for _, end := range []string{"", "-wal", "-shm"} {
			if b, err := os.ReadFile(path + end); err == nil {
				kept[end] = b
			}
		}
		return func() {
			h.end()
			for _, end := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(path + end)
				if b, there := kept[end]; there {
					require.NoError(h.t, os.WriteFile(path+end, b, 0o600))
				}
			}
			h.start()
		}
	}
	copied := running.postgres.Copy(h.t, h.url)
	return func() {
		now, old := pgtest.Database(h.t, h.url), pgtest.Database(h.t, copied)
		admin := strings.Replace(h.url, "/"+now, "/postgres", 1)
		running.postgres.SQL(h.t, admin, fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS false`, now))
		running.postgres.SQL(h.t, admin, fmt.Sprintf(`DO $$ BEGIN LOOP
			PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s';
			EXIT WHEN NOT FOUND;
			PERFORM pg_sleep(0.01);
			PERFORM pg_stat_clear_snapshot();
		END LOOP; END $$`, now))
		running.postgres.SQL(h.t, admin, fmt.Sprintf(`ALTER DATABASE %s RENAME TO %s_lost`, now, now))
		running.postgres.SQL(h.t, admin, fmt.Sprintf(`ALTER DATABASE %s RENAME TO %s`, old, now))
	}
}

// TestRestoredDatabase: a sender's database is put back to an older state.
// What was sent since is not sent again, and all of it is explained.
func TestRestoredDatabase(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, on engine) {
		p := newPair(t, on, "cms", []file{rawForm("EB21")}, nil, nil)
		inst, centre := p.institution, p.centre
		inst.end()
		inst.mind = new(memory)
		inst.start()
		name := func(day int) string { return fmt.Sprintf("EB21.CENTRE.JOB.202611%02d", day) }
		inst.drop(name(1), content(1000))
		inst.await(transfer.Send, transfer.Sent, 1)
		centre.end()
		inst.drop(name(2), content(2000))                  // in the copy, sent later
		inst.drop(name(3), content(3000))                  // in the copy, not sent
		eventually(t, "they are not stored", func() bool { // the older one is tried, perhaps again and again before the other
			left, err := inst.store.List(t.Context(), store.Filter{Direction: transfer.Send, Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}})
			return err == nil && len(left) == 2
		})
		held, err := control.New(inst.store, nil, catalog.EN, nil).Find(t.Context(), name(3))
		require.NoError(t, err)
		_, err = inst.store.Command(t.Context(), time.Now(), transfer.Command{Name: "hold", TransferID: held.ID}, func(t *transfer.Transfer) error {
			t.Status = transfer.Held
			return nil
		})
		require.NoError(t, err)
		eventually(t, "no backup", func() bool {
			todo, err := inst.store.NotBackedUp(t.Context(), inst.opt.Place, 10)
			return err == nil && len(todo) == 0
		})
		inst.end()
		back := inst.snapshot()
		inst.start()
		centre.start()
		inst.await(transfer.Send, transfer.Sent, 2)
		inst.drop(name(4), content(4000)) // not in the copy, sent
		inst.await(transfer.Send, transfer.Sent, 3)
		centre.await(transfer.Receive, transfer.Assembled, 3)
		centre.end()
		inst.drop(name(5), content(5000)) // not in the copy, not sent
		inst.await(transfer.Send, transfer.Waiting, 1)
		eventually(t, "no backup", func() bool {
			todo, err := inst.store.NotBackedUp(t.Context(), inst.opt.Place, 10)
			return err == nil && len(todo) == 0
		})

		back()
		eventually(t, "no quarantine", func() bool {
			q, err := inst.store.Quarantine(t.Context())
			return err == nil && q != nil && q.Why == store.WhyOlder && inst.inst.quarantine.Load()
		})
		centre.start()
		r := inst.recovery()
		report, err := r.Recover(t.Context(), false, control.Actor{})
		require.NoError(t, err)
		found := func(report *control.Report) map[string]string {
			out := map[string]string{}
			for _, f := range report.Findings {
				out[f.Name] = f.Kind
			}
			return out
		}
		require.Equal(t, map[string]string{
			name(1): control.FoundSafe, name(2): control.FoundArrived, name(3): control.FoundSafe,
			name(4): control.FoundArrived, name(5): control.FoundAbsent,
		}, found(report))
		require.Equal(t, 3, report.Open)
		by := control.Actor{Who: "kim", Host: "ops", Reason: "the disk was lost"}
		require.Equal(t, control.CodeUnexplained, fault.CodeOf(r.End(t.Context(), false, false, by)))
		require.Equal(t, control.CodeNotFresh, fault.CodeOf(r.End(t.Context(), false, true, by)))
		_, _, err = r.ReleaseSafe(t.Context(), by)
		require.Equal(t, control.CodeUnexplained, fault.CodeOf(err))

		report, err = r.Recover(t.Context(), true, by)
		require.NoError(t, err)
		require.Zero(t, report.Open, "%v", found(report))
		entered, err := r.Find(t.Context(), name(5))
		require.NoError(t, err)
		require.Equal(t, transfer.Held, entered.Status)
		_, err = r.Do(t.Context(), entered.ID, control.Order{Name: control.Release}, by)
		require.NoError(t, err)
		_, err = r.Do(t.Context(), held.ID, control.Order{Name: control.Release}, by)
		require.NoError(t, err)
		// Callers are turned away too, and nothing has gone out.
		w := inst.store
		sessions, err := w.Sessions(t.Context(), store.SessionFilter{Since: report.Quarantine.Since})
		require.NoError(t, err)
		require.Empty(t, sessions, "nobody was called in quarantine")
		require.NoError(t, r.End(t.Context(), false, false, by))

		inst.await(transfer.Send, transfer.Sent, 5)
		got := centre.await(transfer.Receive, transfer.Assembled, 5)
		all, err := centre.store.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		require.Len(t, all, 5, "each once")
		sizes := map[string]int64{}
		for _, g := range got {
			sizes[g.BaseDate] = g.FileSize
		}
		require.Equal(t, map[string]int64{"20261101": 1000, "20261102": 2000, "20261103": 3000, "20261104": 4000, "20261105": 5000}, sizes)
	})
}

// TestCallersInQuarantine: a counterparty that calls hears that the system is
// out of order (090 in cms), and nothing of it is taken.
func TestCallersInQuarantine(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) { o.Poll = 5 * time.Millisecond })
	open := opening(time.Now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABC")
	in := h.dial(t)
	in.say(open)
	require.Equal(t, "000", in.hear()[29:32], "before")
	require.NoError(t, h.store.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"elsewhere","why":"older_event"}`))
	in.ended() // who is inside is cut
	w := h.dial(t)
	w.say(open)
	got := w.hear()
	require.Equal(t, "0610", got[15:19])
	require.Equal(t, "090", got[29:32])
	w.ended()
}

// TestNoAnswersInQuarantine: what a caller that is inside asks is not answered
// from rows that may be long out of date, before the session is cut.
func TestNoAnswersInQuarantine(t *testing.T) {
	t.Parallel()
	h := centreOf(t, sqlite, func(o *Options) { o.Poll = time.Hour })
	require.NoError(t, h.store.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"elsewhere","why":"older_event"}`))
	s := &session{Instance: h.inst}
	_, err := s.Inquire(t.Context(), nil)
	require.Equal(t, store.CodeQuarantined, fault.CodeOf(err))
	_, err = s.Fetch(t.Context(), nil)
	require.Equal(t, store.CodeQuarantined, fault.CodeOf(err))
}

// TestRestoredReceiver: the database of a receiver is put back to before a
// file that has come since and that the business system has taken. The
// counterparty is told that we have it, and it is not placed a second time.
func TestRestoredReceiver(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, on engine) {
		p := makePair(t, on, "cms", []file{rawForm("EB21")}, nil, nil)
		inst, centre := p.institution, p.centre
		centre.mind = new(memory)
		p.start()
		name := func(day int) string { return fmt.Sprintf("EB21.CENTRE.JOB.202611%02d", day) }
		inst.drop(name(1), content(1000))
		inst.await(transfer.Send, transfer.Sent, 1)
		centre.await(transfer.Receive, transfer.Assembled, 1)
		centre.end()
		back := centre.snapshot()
		centre.start()
		inst.drop(name(2), content(2000))
		inst.await(transfer.Send, transfer.Sent, 2)
		var final string
		for _, r := range centre.await(transfer.Receive, transfer.Assembled, 2) {
			if r.FileSize == 2000 {
				final = r.FinalPath
			}
		}
		require.NoError(t, os.Remove(final), "the business system takes it")

		back()
		eventually(t, "no quarantine", func() bool {
			q, err := centre.store.Quarantine(t.Context())
			return err == nil && q != nil && centre.inst.quarantine.Load()
		})
		r := centre.recovery()
		by := control.Actor{Who: "kim", Host: "ops", Reason: "the disk was lost"}
		report, err := r.Recover(t.Context(), true, by)
		require.NoError(t, err)
		require.Zero(t, report.Open)
		require.NoError(t, r.End(t.Context(), false, false, by))
		known := centre.await(transfer.Receive, transfer.Assembled, 2)

		cat, err := catalog.Load()
		require.NoError(t, err)
		again, err := control.New(inst.store, cat, catalog.EN, nil).Do(t.Context(), name(2), control.Order{Name: control.Resend, Again: true}, by)
		require.NoError(t, err)
		eventually(t, "the counterparty does not come to an end", func() bool {
			row, err := inst.store.Transfer(t.Context(), again.ID)
			return err == nil && (row.Status.Final() || row.Status == transfer.Held)
		})
		require.NoFileExists(t, final)
		require.Len(t, centre.await(transfer.Receive, transfer.Assembled, 2), len(known))
		all, err := centre.store.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		for _, row := range all {
			require.Contains(t, []transfer.Status{transfer.Assembled, transfer.Duplicate}, row.Status)
		}
		entries, err := os.ReadDir(centre.path("receive"))
		require.NoError(t, err)
		require.Len(t, entries, 2, "the first file and .pabal")
	})
}
