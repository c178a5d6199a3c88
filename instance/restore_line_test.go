package instance

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/control"
	"pabal/protocol"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/transfer"
)

// TestDatabaseSwappedUnderASession: an older copy is put in the place of the
// database while a file is on the line. The session that runs writes nothing
// that counts into it, the counterparty hears no end, and the file goes out
// once, when a person has released it.
func TestDatabaseSwappedUnderASession(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		name := "the copy has the file"
		if !known {
			name = "the copy has never heard of it"
		}
		t.Run(name, func(t *testing.T) { testSwapped(t, known) })
	}
}

func testSwapped(t *testing.T, known bool) {
	p := makePair(t, postgres, "cms", []file{rawForm("EB21")}, nil, logged(sessionlog.Headers))
	inst, centre := p.institution, p.centre
	inst.mind = new(memory)
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	armed := false
	inst.opt.Trace = func(_ string, out bool, tg *protocol.Telegram, _ []byte) {
		if out && tg.Kind == protocol.Check && armed {
			once.Do(func() { close(reached); <-goOn })
		}
	}
	body := content(3*blockOf("cms") + 5)
	drop := func() { inst.drop("EB21.CENTRE.JOB", body) }
	backedUp := func() {
		eventually(t, "no backup", func() bool {
			todo, err := inst.store.NotBackedUp(t.Context(), inst.opt.Place, 10)
			return err == nil && len(todo) == 0
		})
	}
	p.start()
	if known {
		centre.end()
		drop()
		inst.await(transfer.Send, transfer.Waiting, 1)
		backedUp()
	}
	inst.end()
	back := inst.snapshot()
	armed = true
	if known {
		centre.start()
	}
	inst.start()
	if !known {
		drop()
	}
	<-reached
	backedUp()
	row := inst.await(transfer.Send, transfer.Sending, 1)[0]
	back()
	close(goOn)

	eventually(t, "no quarantine", func() bool {
		q, err := inst.store.Quarantine(t.Context())
		return err == nil && q != nil && inst.inst.quarantine.Load()
	})
	eventually(t, "the session goes on", func() bool { return len(inst.inst.open.ids()) == 0 })
	// Settling what the session had in hand has no effect on the copy.
	eventually(t, "outcomes are still to be written", func() bool { return !inst.inst.owes() })
	all, err := inst.store.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	if known {
		require.Len(t, all, 1)
		require.Equal(t, []any{row.ID, transfer.Held, transfer.Waiting, ""}, []any{all[0].ID, all[0].Status, all[0].HeldFrom, all[0].Owner})
		require.False(t, all[0].EndedOnce)
	} else {
		require.Empty(t, all)
	}
	lines, err := inst.store.Lines(t.Context())
	require.NoError(t, err)
	require.Empty(t, lines)
	got, err := centre.store.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Received, transfer.Placing, transfer.Assembled}})
	require.NoError(t, err)
	require.Empty(t, got, "no end was heard")

	r := inst.recovery()
	by := control.Actor{Who: "kim", Host: "ops", Reason: "the disk was lost"}
	report, err := r.Recover(t.Context(), true, by)
	require.NoError(t, err)
	require.Zero(t, report.Open)
	after, err := r.Find(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, transfer.Held, after.Status, "it was on the line")
	_, err = r.Do(t.Context(), row.ID, control.Order{Name: control.Release}, by)
	require.NoError(t, err)
	require.NoError(t, r.End(t.Context(), false, false, by))
	inst.await(transfer.Send, transfer.Sent, 1)
	placed := centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	b, err := os.ReadFile(placed.FinalPath)
	require.NoError(t, err)
	require.Equal(t, sum(body), sum(b))
}

// TestFetchInQuarantine: a counterparty that calls to fetch (edi, the peer asks
// to receive) is let in by a system in quarantine as little as one that brings.
func TestFetchInQuarantine(t *testing.T) {
	t.Parallel()
	p := makePair(t, sqlite, "edi", nil, []file{rawForm("C02")}, func(i, c *Options) {
		i.Poll = 5 * time.Millisecond
		logged(sessionlog.Headers)(i, c)
	})
	inst, centre := p.institution, p.centre
	centre.start()
	centre.drop("C02.MEMBER.JOB", content(1000))
	ready := centre.await(transfer.Send, transfer.Stored, 1)[0]
	require.NoError(t, centre.store.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"elsewhere","why":"older_event"}`))
	eventually(t, "the quarantine is seen", func() bool { return centre.inst.quarantine.Load() })
	inst.opt.Institutions[0].Connect = centre.inst.Addresses()[0]
	inst.start()
	eventually(t, "a refusal", func() bool {
		sessions, err := inst.store.Sessions(t.Context(), store.SessionFilter{Failed: true})
		return err == nil && len(sessions) > 1 && sessions[0].ErrorCode == "session.refused"
	})
	sessions, err := centre.store.Sessions(t.Context(), store.SessionFilter{})
	require.NoError(t, err)
	require.Empty(t, sessions)
	got, err := centre.store.Transfer(t.Context(), ready.ID)
	require.NoError(t, err)
	require.Equal(t, ready.Status, got.Status)
	all, err := inst.store.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Empty(t, all)
	for _, records := range inst.said() {
		for _, r := range records {
			require.NotContains(t, []string{"fetch", "data", "info"}, r.Kind)
		}
	}
	for id := range centre.said() {
		require.True(t, strings.HasPrefix(id, "away-"), "who was turned away has no log of a session, but %s", id)
	}
	// It is over: the file is fetched.
	require.NoError(t, centre.store.EndQuarantine(t.Context(), time.Now(), transfer.Command{Name: "recover"}, func(*store.Quarantine) error { return nil }))
	inst.await(transfer.Receive, transfer.Assembled, 1)
	centre.await(transfer.Send, transfer.Sent, 1)
}
