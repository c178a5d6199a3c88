package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/transfer"
)

// TestWaitingForAPlace: of every stage that needs the disk of a host it is said
// that it waits for that host, as soon as none of its instances runs, and no
// longer when one does. The scan directory waits for the one instance that is
// named for it.
func TestWaitingForAPlace(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	term, err := d.s.Begin(ctx, now, "instance_B", "host2", 2)
	require.NoError(t, err)
	row := func(f func(*transfer.Transfer)) {
		tr := sending()
		tr.Place = "host2"
		f(&tr)
		d.create(tr)
	}
	row(func(r *transfer.Transfer) { r.Status = transfer.Storing })
	row(func(r *transfer.Transfer) { r.WorkPath = "/work/backup" })
	for _, st := range []transfer.Status{transfer.Stored, transfer.Waiting, transfer.Unknown} {
		row(func(r *transfer.Transfer) { r.Status, r.PayloadIn, r.BackedUpAt = st, "/receive/.pabal/x", now })
	}
	for _, st := range []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing} {
		row(func(r *transfer.Transfer) { r.Direction, r.Status = transfer.Receive, st })
	}
	row(func(r *transfer.Transfer) { r.Status, r.Result = transfer.Sent, transfer.ResultWanted })
	row(func(r *transfer.Transfer) { r.Status, r.BackedUpAt = transfer.Stored, now }) // anybody can send it

	look := func(scanner string) map[string]Waiting {
		t.Helper()
		all, err := d.c.Waiting(ctx, scanner)
		require.NoError(t, err)
		out := map[string]Waiting{}
		for _, w := range all {
			require.Contains(t, w.Text, "waiting for place "+dashed(w.Place))
			out[w.Stage] = w
		}
		require.Len(t, out, len(all))
		return out
	}
	require.Empty(t, look("instance_B"), "it runs")
	require.Equal(t, "", look("instance_C")[WaitingScan].Place, "it has never run")

	require.NoError(t, d.s.End(ctx, now, "instance_B", term))
	counts := map[string]int{}
	for stage, w := range look("instance_B") {
		require.Equal(t, "host2", w.Place)
		require.Equal(t, []string{"instance_B"}, w.Instances)
		counts[stage] = w.Transfers
	}
	require.Equal(t, map[string]int{WaitingScan: 0, WaitingStore: 1, WaitingBackup: 1, WaitingSend: 3, WaitingAssemble: 3, WaitingResult: 1}, counts)

	// Another of that host does all but look into the scan directory.
	_, err = d.s.Begin(ctx, now, "instance_C", "host2", 3)
	require.NoError(t, err)
	left := look("instance_B")
	require.Len(t, left, 1)
	require.Contains(t, left[WaitingScan].Text, "until instance_B runs")

	// A host that died says nothing of it; it is silent.
	d.clock = now.Add(2 * time.Minute)
	require.Len(t, look("instance_B"), 6)
}
