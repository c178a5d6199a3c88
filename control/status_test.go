package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/store"
	"pabal/transfer"
)

// TestStatus: who runs, who holds which line, what stands where, and what
// waits for a host that is down.
func TestStatus(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	term, err := d.s.Begin(ctx, now, "instance_B", "host2", 2)
	require.NoError(t, err)
	_, err = d.s.OpenLine(ctx, now, store.Opening{Session: &transfer.Session{ID: "s1", Institution: "KFTC", Instance: "instance_A"},
		Term: d.term, Direction: store.LineSend, Most: 1})
	require.NoError(t, err)
	there := transfer.Transfer{Direction: transfer.Receive, Status: transfer.Received, Place: "host1"}
	away := there
	away.Place = "host2"
	d.create(there)
	row := d.create(away)
	kept := sending()
	kept.Place, kept.WorkPath = "host2", "/work/x"
	backup := d.create(kept)
	sent := sending()
	sent.Status, sent.CreatedAt = transfer.Sent, now.Add(-48*time.Hour)
	d.create(sent)

	look := func() (*Status, map[string]Instance) {
		s, err := d.c.Status(ctx, now.Add(-time.Hour))
		require.NoError(t, err)
		by := map[string]Instance{}
		for _, i := range s.Instances {
			by[i.ID] = i
		}
		return s, by
	}
	s, by := look()
	require.Equal(t, InstanceRuns, by["instance_A"].State)
	require.Equal(t, 1, by["instance_A"].Lines)
	require.Equal(t, []Line{{"KFTC", store.LineSend, "s1", "instance_A", now}}, s.Lines)
	require.Equal(t, []Count{
		{Direction: "receive", Status: "received", StatusText: "received", Transfers: 2},
		{Direction: "send", Status: "stored", StatusText: "stored", Transfers: 1},
	}, s.Transfers, "what ended before today is not counted")

	// Silent is a matter of time alone; dead is what another one has found.
	require.NoError(t, d.s.Beat(ctx, now.Add(2*time.Minute), "instance_A", d.term))
	d.clock = now.Add(2 * time.Minute)
	_, by = look()
	require.Equal(t, InstanceRuns, by["instance_A"].State)
	require.Equal(t, InstanceSilent, by["instance_B"].State)
	all, err := d.s.Instances(ctx)
	require.NoError(t, err)
	buried, err := d.s.Bury(ctx, d.clock, all[1], "instance_A")
	require.NoError(t, err)
	require.True(t, buried)
	s, by = look()
	require.Equal(t, InstanceDead, by["instance_B"].State)
	require.Equal(t, "instance_A", by["instance_B"].EndedBy)
	require.Equal(t, term+1, by["instance_B"].Term)
	require.Equal(t, []Count{
		{Direction: "receive", Status: "received", StatusText: "received", Transfers: 1},
		{Direction: "receive", Status: "received", StatusText: "received", Transfers: 1, WaitsForPlace: "host2"},
		{Direction: "send", Status: "stored", StatusText: "stored", Transfers: 1},
	}, s.Transfers)
	list, err := d.c.List(ctx, store.Filter{IDs: []string{row.ID}})
	require.NoError(t, err)
	require.Equal(t, "host2", list[0].WaitsForPlace)
	shown, err := d.c.Show(ctx, row.ID)
	require.NoError(t, err)
	require.Equal(t, "host2", shown.WaitsForPlace)
	shown, err = d.c.Show(ctx, backup.ID)
	require.NoError(t, err)
	require.Empty(t, shown.WaitsForPlace, "sending needs no place")
	require.Equal(t, "host2", shown.BackupWaits)

	// Any instance of that place will do.
	_, err = d.s.Begin(ctx, d.clock, "instance_C", "host2", 3)
	require.NoError(t, err)
	shown, err = d.c.Show(ctx, row.ID)
	require.NoError(t, err)
	require.Empty(t, shown.WaitsForPlace)
	require.NoError(t, d.s.End(ctx, d.clock, "instance_A", d.term))
	_, by = look()
	require.Equal(t, InstanceStopped, by["instance_A"].State)
	require.Zero(t, by["instance_A"].Lines)
}

// TestSilentAtHome: an instance of the place that is asked has the clock of who
// asks, so it is told as silent after its lease; elsewhere clocks may differ.
func TestSilentAtHome(t *testing.T) {
	d := newDesk(t, catalog.EN)
	lease := time.Duration(0)
	state := func(c *Control) string {
		s, err := c.Status(t.Context(), now)
		require.NoError(t, err)
		lease = time.Duration(s.Instances[0].Lease * float64(time.Second))
		return s.Instances[0].State
	}
	require.Equal(t, InstanceRuns, state(d.c.At("host1")))
	d.clock = now.Add(lease + time.Second)
	require.Equal(t, InstanceSilent, state(d.c.At("host1")))
	require.Equal(t, InstanceRuns, state(d.c.At("host2")))
	waiting, err := d.c.At("host1").Waiting(t.Context(), "instance_A")
	require.NoError(t, err)
	require.Equal(t, WaitingScan, waiting[0].Stage)
}

// TestStatusInQuarantine: that nothing moves is the first thing to know.
func TestStatusInQuarantine(t *testing.T) {
	d := newDesk(t, catalog.EN)
	s, err := d.c.Status(t.Context(), now)
	require.NoError(t, err)
	require.Nil(t, s.Quarantine)
	require.NoError(t, d.s.SetMeta(t.Context(), "quarantine", `{"id":"q","place":"host1","why":"older_event"}`))
	s, err = d.c.Status(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, "host1", s.Quarantine.Place)
}
