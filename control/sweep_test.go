package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// TestSweep: an order for many says first what it would do, goes to each for
// itself with a row of its own, asks for a second person where one is asked for,
// and leaves alone what has moved since it looked.
func TestSweep(t *testing.T) {
	ctx := t.Context()
	d := newDesk(t, catalog.EN)
	held := func(institution, code string, from transfer.Status, change func(*transfer.Transfer)) *transfer.Transfer {
		row := transfer.Transfer{Direction: transfer.Send, Status: transfer.Held, Institution: institution, Name: "EB21", HeldFrom: from, ErrorCode: code, WireDigest: "x"}
		if change != nil {
			change(&row)
		}
		return d.create(row)
	}
	restored := held("KFTC", string(store.CodeHeldThen), transfer.Stored, nil)
	compared := held("KFTC", string(CodeRecovered), "", nil)
	second := held("CARD", string(store.CodeHeldThen), transfer.Waiting, nil)
	moved := held("KFTC", string(store.CodeHeldThen), transfer.Stored, nil)
	byPerson := held("KFTC", "", "", nil)
	same := held("KFTC", "instance.same_name", "", nil)
	d.create(transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored, Institution: "KFTC", Name: "EB22"})

	order := Order{Name: Release, Peers: map[string]Peer{"CARD": {Second: []string{Release}}}}
	ids := func(p Pick) (out []string) {
		list, err := d.c.Listed(ctx, p)
		require.NoError(t, err)
		for _, one := range list {
			out = append(out, one.ID)
		}
		return out
	}
	require.Equal(t, []string{restored.ID, compared.ID, second.ID, moved.ID}, ids(Pick{HeldBy: HeldByQuarantine}))
	require.Equal(t, []string{byPerson.ID}, ids(Pick{HeldBy: HeldByPerson}))
	require.Equal(t, []string{same.ID}, ids(Pick{HeldBy: "instance.same_name"}))
	require.Equal(t, []string{restored.ID, compared.ID}, ids(Pick{HeldBy: HeldByQuarantine, Filter: store.Filter{Limit: 2}}))
	require.Equal(t, []string{second.ID}, ids(Pick{HeldBy: HeldByQuarantine, Filter: store.Filter{Institution: "CARD"}}))
	_, err := d.c.Listed(ctx, Pick{HeldBy: "nothing"})
	require.Equal(t, CodeHeldByUnknown, fault.CodeOf(err))
	_, err = d.c.Listed(ctx, Pick{HeldBy: "person", Filter: store.Filter{Statuses: []transfer.Status{transfer.Waiting}}})
	require.Equal(t, CodeHeldByStatus, fault.CodeOf(err))

	all, err := d.c.Prospects(ctx, Pick{HeldBy: HeldByQuarantine}, order)
	require.NoError(t, err)
	require.Len(t, all, 4)
	require.Equal(t, "waiting", all[0].Becomes)
	require.True(t, all[2].Second)
	for _, p := range all {
		now, err := d.s.Transfer(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, transfer.Held, now.Status, "a look changes nothing")
	}
	refused, err := d.c.Prospects(ctx, Pick{Filter: store.Filter{Statuses: []transfer.Status{transfer.Stored}}}, order)
	require.NoError(t, err)
	require.Equal(t, string(CodeNotHeld), refused[0].Refused.Code)

	d.clock = d.clock.Add(time.Second)
	_, err = d.c.Do(ctx, moved.ID, Order{Name: Cancel}, operator)
	require.NoError(t, err)
	_, err = d.c.Do(ctx, moved.ID, Order{Name: Resend}, operator)
	require.NoError(t, err)
	_, err = d.c.Do(ctx, moved.ID, Order{Name: Hold}, operator)
	require.NoError(t, err)
	for n, want := range []fault.Code{"", "", "", CodeMovedSince} {
		got, err := d.c.DoAsSeen(ctx, all[n], order, operator)
		require.Equal(t, want, fault.CodeOf(err), all[n].ID)
		if want == "" {
			require.Equal(t, all[n].Second, got.Pending != nil)
		}
	}
	_, err = d.c.DoAsSeen(ctx, all[0], order, Actor{Who: "kim"})
	require.Equal(t, CodeReasonMissing, fault.CodeOf(err))
	_, err = d.c.DoAsSeen(ctx, all[2], order, operator)
	require.Equal(t, store.CodeRequested, fault.CodeOf(err), "it waits for the second person already")

	rows, err := d.c.Audit(ctx, store.CommandFilter{Name: Release})
	require.NoError(t, err)
	require.Len(t, rows, 2)
	for n, id := range []string{restored.ID, compared.ID} {
		require.Equal(t, id, rows[n].Transfer)
		require.Equal(t, "kim@bat01", rows[n].Person())
		require.Equal(t, "because", rows[n].Reason)
	}
	require.Equal(t, []string{second.ID}, ids(Pick{HeldBy: HeldByQuarantine}))
}

// TestSweepInQuarantine: before every place has compared, an order for many is
// refused as each single one is.
func TestSweepInQuarantine(t *testing.T) {
	d := newDesk(t, catalog.EN)
	d.create(transfer.Transfer{Direction: transfer.Send, Status: transfer.Held, Institution: "KFTC", Name: "EB21", HeldFrom: transfer.Stored})
	require.NoError(t, d.s.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"one","why":"older_event"}`))
	_, err := d.c.Prospects(t.Context(), Pick{HeldBy: HeldByQuarantine}, Order{Name: Release})
	require.Equal(t, CodeNotCompared, fault.CodeOf(err))
	_, err = d.c.Prospects(t.Context(), Pick{HeldBy: HeldByQuarantine}, Order{Name: Cancel})
	require.NoError(t, err, "nothing is sent by it")
}
