package instance

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/transfer"
)

// TestPlacingIsNeverBuiltAgain: what may have been placed stays in placing,
// whatever is in the way (design D2). A receive directory that is not mounted
// proves nothing.
func TestPlacingIsNeverBuiltAgain(t *testing.T) {
	p := park(t, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	r := p.row(transfer.Receive, transfer.Placing, func(r *transfer.Transfer) { r.FinalPath = p.path("receive", "EB21") })
	for range 3 {
		more, err := p.assembleStep(t.Context())
		require.NoError(t, err)
		require.True(t, more)
		now := p.again(r)
		require.Equal(t, transfer.Placing, now.Status)
		require.Equal(t, string(filemgr.CodeDirMissing), now.ErrorCode, "a person can read what it waits for")
		require.Empty(t, now.Owner)
		p.pass(time.Minute)
	}
	require.NoError(t, os.Mkdir(p.path("receive", ".pabal"), 0o750)) // mounted again, and nothing is staged
	_, err := p.assembleStep(t.Context())
	require.NoError(t, err)
	require.Equal(t, transfer.Assembled, p.again(r).Status)
	require.NoFileExists(t, r.FinalPath, "the business system has taken it; it does not come back")
}
