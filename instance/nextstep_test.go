package instance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// TestUnsettledRounds: a counterparty that is never satisfied with a file whose
// end was asked for before leaves it to a person, who is not told to send it again.
// Of a file whose end was not asked for that is the next step.
func TestUnsettledRounds(t *testing.T) {
	t.Parallel()
	for _, ended := range []bool{false, true} {
		p := park(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil, nil)
		r := p.row(transfer.Send, transfer.Waiting, func(r *transfer.Transfer) { r.EndedOnce, r.WireSize, r.SentBytes = ended, 10, 10 })
		s := p.session()
		s.current = p.claim(s)
		require.NoError(t, s.Finish(t.Context(), machine.Outcome{Result: machine.FailedHere, Response: "000",
			Err: fault.New(machine.CodeMissingRounds, "EB211120", "block", 1, "missing", 2, "rounds", 3)}))
		got := p.again(r)
		if !ended {
			require.Equal(t, transfer.Failed, got.Status)
			require.Equal(t, string(machine.CodeMissingRounds), got.ErrorCode)
			continue
		}
		require.Equal(t, transfer.Held, got.Status)
		require.True(t, got.EndedOnce)
		require.Equal(t, string(CodeFailedUnsettled), got.ErrorCode)
		require.Equal(t, string(machine.CodeMissingRounds), Noted(got.ErrorCode, got.ErrorDetail).Args["because"])
	}
}

// TestRefusedForAnEarlierFile: the file that is in the way of one that was refused
// has it in its history, once, and the session counts it once.
func TestRefusedForAnEarlierFile(t *testing.T) {
	t.Parallel()
	p := park(t, sqlite, "cms", "centre", []file{rawForm("EB21")}, nil, nil)
	require.NoError(t, p.s.OpenSession(t.Context(), p.now(), &transfer.Session{ID: "heard", Institution: "MEMBER", Heard: true, ClosedAt: p.now()}))
	earlier := p.row(transfer.Receive, transfer.Assembled, func(r *transfer.Transfer) {
		r.WireSize, r.FileSize, r.SessionID = 100, 100, "heard"
	})
	s := p.session()
	require.NoError(t, s.begin(t.Context(), "test", false, transfer.Receive))
	acc, err := s.Accept(t.Context(), machine.Offer{Name: earlier.WireName, Size: 99, MessageSize: 4096})
	require.NoError(t, err)
	require.Equal(t, protocol.BadName, acc.Reason)
	s.close(t.Context(), line.Report{}, nil)

	of, err := p.s.Events(t.Context(), store.EventFilter{TransferID: earlier.ID, Kind: store.EventRefused})
	require.NoError(t, err)
	require.Len(t, of, 1)
	require.Equal(t, s.row.ID, of[0].SessionID)
	require.Equal(t, string(CodeOtherSize), of[0].Code)
	require.Equal(t, "99", Noted(of[0].Code, of[0].Detail).Args["size"])
	in, err := p.s.Refusals(t.Context(), []string{s.row.ID})
	require.NoError(t, err)
	require.Len(t, in, 1)
	require.Equal(t, of[0].Detail, in[0].Detail)
}
