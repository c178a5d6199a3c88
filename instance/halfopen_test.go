package instance

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/linetest"
	"pabal/store"
	"pabal/transfer"
)

// TestLineDiesInSilence: in the middle of a file the line goes dead without a
// word. The counterparty gives up waiting, calls again and sends the file; then
// what was under way on the old line arrives after all. The file is there once.
func TestLineDiesInSilence(t *testing.T) {
	t.Parallel()
	onBoth(t, lineDiesInSilence)
}

func lineDiesInSilence(t *testing.T, on engine) {
	centre := newHost(t, on, "cms", "centre", []file{rawForm("EB21")}, nil)
	centre.opt.Listen[0].Address = "127.0.0.1:0"
	centre.start()
	line := linetest.New(t, centre.inst.Addresses()[0], 1<<20) // two blocks and a part of the third
	t.Cleanup(line.Close)
	institution := newHost(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil)
	n := &institution.opt.Institutions[0]
	n.Connect, n.Reply = line.Address(), 300*time.Millisecond
	institution.start()
	body := content(2 << 20)
	institution.drop("EB21.CENTRE.JOB", body)
	institution.await(transfer.Send, transfer.Sent, 1)
	row := centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	centre.left()
	before := picture(t, centre.store)
	line.Heal()
	institution.end()
	line.Drain() // the old session has heard everything and is over
	require.Equal(t, before, picture(t, centre.store))
	b, err := os.ReadFile(row.FinalPath)
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, b))
	sessions, err := centre.store.Sessions(t.Context(), store.SessionFilter{})
	require.NoError(t, err)
	// An answer may have been late on a busy machine, so there may be others that were lost.
	require.True(t, slices.ContainsFunc(sessions, func(s *transfer.Session) bool { return s.ErrorCode == string(CodeOccupied) }))
	entries, err := os.ReadDir(centre.path("receive"))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the file and .pabal")
}
