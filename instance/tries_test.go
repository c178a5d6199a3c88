package instance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/transfer"
)

// TestGivenUpSaysWhy: a file that is given up after its tries says the failure
// that is to be put right, in words.
func TestGivenUpSaysWhy(t *testing.T) {
	cat, err := catalog.Load()
	require.NoError(t, err)
	row := &transfer.Transfer{ID: "06f1", Name: "EB21", Direction: transfer.Send, Status: transfer.Sending, Tries: 3}
	new(Instance).retry(row, &institution{Institution: Institution{RetryTries: 4}}, fault.New(CodeConnect, "CENTRE", "address", "192.0.2.1:9"), time.Now())
	require.Equal(t, transfer.Failed, row.Status)
	require.Equal(t, string(CodeTriesUsed), row.ErrorCode)
	sentence, next := cat.Sentence(catalog.EN, Noted(row.ErrorCode, row.ErrorDetail).OfTransfer(row.ID))
	require.Equal(t, "EB21 was given up after 4 failures in a row. The last one: Institution CENTRE cannot be reached at 192.0.2.1:9.", sentence)
	require.Contains(t, next, `pabal transfer resend 06f1 --reason`)
}
