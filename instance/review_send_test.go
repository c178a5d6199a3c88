package instance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol/machine"
	"pabal/transfer"
)

// TestRefusedOpeningIsNotHammered: a counterparty that turns us away is left
// alone for a while, and the transfer says why it waits.
func TestRefusedOpeningIsNotHammered(t *testing.T) {
	p := newPair(t, "cms", []file{rawForm("EB21")}, nil, func(i, _ *Options) {
		i.Institutions[0].Sender.Password = "WRONG1"
		i.Institutions[0].RetryFirst, i.Institutions[0].RetryMax = 10*time.Minute, 10*time.Minute
	})
	p.institution.drop("EB21.CENTRE.JOB", content(100))
	w := p.institution.await(transfer.Send, transfer.Waiting, 1)[0]
	require.Equal(t, string(machine.CodeSessionRefused), w.ErrorCode)
	require.Equal(t, 1, w.Tries)
	require.Greater(t, time.Until(w.NextTry), 5*time.Minute)
	require.True(t, p.institution.inst.insts["CENTRE"].dialLater(time.Now()), "nor for other files")
}
