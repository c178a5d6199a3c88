package instance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/store"
	"pabal/transfer"
)

// TestTwoDaysAtOnce: files of one kind and two days come in two sessions at the
// same time. Neither takes the other's half for an older one of its own.
func TestTwoDaysAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, testTwoDaysAtOnce)
}

func testTwoDaysAtOnce(t *testing.T, on engine) {
	p := makePair(t, on, "edi", []file{{id: "C02", form: filemgr.Form{Kind: filemgr.Raw}}}, nil, func(i, c *Options) {
		i.Institutions[0].SendSessions, c.Institutions[0].ReceiveSessions = 2, 2
		littleTelegrams(i, c)
	})
	body := content(40 * 100 * littleData)
	for _, day := range []string{"20261103", "20261104"} {
		p.institution.drop("C02.CENTRE.JOB."+day, body)
	}
	p.start()
	p.institution.await(transfer.Send, transfer.Sent, 2)
	p.centre.await(transfer.Receive, transfer.Assembled, 2)
	cut, err := p.centre.store.List(t.Context(), store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Abandoned}})
	require.NoError(t, err)
	require.Empty(t, cut, "a half that another session was bringing was taken from it")
}
