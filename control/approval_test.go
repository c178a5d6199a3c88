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

var (
	kim  = Actor{Who: "pabal", Login: "kim", LoginBy: transfer.ByCaller, Host: "bat01", Reason: "the bank lost it"}
	lee  = Actor{Who: "pabal", Login: "lee", LoginBy: transfer.ByKernel, Host: "bat01", Reason: "asked the bank"}
	four = map[string]Peer{"KFTC": {Profile: "cms", Second: []string{ResendAgain, Cancel}}}
)

func TestSecondPerson(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	tr := sending()
	tr.Status = transfer.Sent
	made := d.create(tr)
	again := Order{Name: Resend, Again: true, Peers: four}

	asked, err := d.c.Do(ctx, made.ID, again, kim)
	require.NoError(t, err)
	require.Equal(t, "sent", asked.Status, "nothing has happened yet")
	require.NotNil(t, asked.Pending)
	id := asked.Pending.ID
	_, err = d.c.Do(ctx, made.ID, again, kim)
	require.Equal(t, store.CodeRequested, fault.CodeOf(err))

	elsewhere := kim
	elsewhere.Host = "bat02"
	shared := Actor{Who: "pabal", Host: "bat03", Reason: "x"} // the shared account, nobody knows who logged in
	plain := Actor{Who: "kim", Host: "bat01", Reason: "x"}    // kim's own shell
	root := Actor{Who: "root", Login: "kim", LoginBy: transfer.ByKernel, Host: "bat01", Reason: "x"}
	for _, same := range []Actor{kim, elsewhere, shared, plain, root} {
		_, err = d.c.Approve(ctx, id, four, same)
		require.Equal(t, CodeSamePerson, fault.CodeOf(err), "%v", same)
	}
	_, err = d.c.Approve(ctx, id, four, Actor{Who: "lee", Reason: "  "})
	require.Equal(t, CodeReasonMissing, fault.CodeOf(err))

	list, err := d.c.Requests(ctx, false)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "kim (as pabal)@bat01", list[0].Person())

	d.clock = d.clock.Add(time.Minute)
	after, err := d.c.Approve(ctx, id, four, lee)
	require.NoError(t, err)
	require.Equal(t, "waiting", after.Status)
	list, err = d.c.Requests(ctx, false)
	require.NoError(t, err)
	require.Empty(t, list)

	show, err := d.c.Show(ctx, made.ID)
	require.NoError(t, err)
	var lines []string
	for _, e := range show.History {
		if e.Order() {
			lines = append(lines, e.Kind+" "+e.Person()+" "+e.Approver+" "+e.Reason)
		}
	}
	require.Equal(t, []string{
		"request kim (as pabal)@bat01  the bank lost it",
		"resend kim (as pabal)@bat01 lee the bank lost it",
		"approve lee (as pabal)@bat01  asked the bank",
	}, lines)
	audit, err := d.c.Audit(ctx, store.CommandFilter{Name: Resend})
	require.NoError(t, err)
	require.Contains(t, string(audit[0].After), `"status":"waiting"`)
	require.Contains(t, string(audit[0].Before), `"status":"sent"`)
}

// TestSecondPersonOnlyWhereAsked: other orders and other institutions go on
// as before, and nonsense is refused before anybody is asked.
func TestSecondPersonOnlyWhereAsked(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	made := d.create(sending())
	got, err := d.c.Do(ctx, made.ID, Order{Name: Hold, Peers: map[string]Peer{"KFTC": {Second: []string{EveryOrder}}}}, kim)
	require.NoError(t, err)
	require.Nil(t, got.Pending, "a hold is urgent")
	_, err = d.c.Do(ctx, made.ID, Order{Name: Release, Peers: four}, kim)
	require.NoError(t, err)
	got, err = d.c.Do(ctx, made.ID, Order{Name: Cancel, Peers: map[string]Peer{"OTHER": four["KFTC"]}}, kim)
	require.NoError(t, err)
	require.Equal(t, "cancelled", got.Status)
	_, err = d.c.Do(ctx, made.ID, Order{Name: Cancel, Peers: four}, kim)
	require.Equal(t, CodeFinished, fault.CodeOf(err))
	list, err := d.c.Requests(ctx, true)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestRequestExpiresOrIsOvertaken(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	made := d.create(sending())
	ask := func() string {
		got, err := d.c.Do(ctx, made.ID, Order{Name: Cancel, Peers: four}, kim)
		require.NoError(t, err)
		return got.Pending.ID
	}
	first := ask()
	d.clock = d.clock.Add(DefaultExpiry)
	_, err := d.c.Approve(ctx, first, four, lee)
	require.Equal(t, CodeRequestExpired, fault.CodeOf(err))
	list, err := d.c.Requests(ctx, true)
	require.NoError(t, err)
	require.Equal(t, "expired", list[0].State)

	second := ask() // an expired one is in nobody's way
	_, err = d.c.Do(ctx, made.ID, Order{Name: Hold}, operator)
	require.NoError(t, err)
	_, err = d.c.Approve(ctx, second, four, lee)
	require.Equal(t, CodeChangedSince, fault.CodeOf(err))
	_, err = d.c.Reject(ctx, second, kim)
	require.NoError(t, err, "who asked may take it back")
	_, err = d.c.Approve(ctx, second, four, lee)
	require.Equal(t, store.CodeRequestOver, fault.CodeOf(err))
	third := ask()
	after, err := d.c.Approve(ctx, third, four, lee)
	require.NoError(t, err)
	require.Equal(t, "cancelled", after.Status)
}
