package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// testRequests: an order that waits for a second person is there whole or not
// at all, and is decided on once.
func testRequests(t *testing.T, open Open) {
	s, _ := begin(t, open)
	row := create(t, s, transfer.Send, transfer.Failed)
	ask := func(id string) error {
		return s.Ask(t.Context(), start, &transfer.Request{ID: id, ExpiresAt: start.Add(time.Hour), Command: "cancel", Options: "{}",
			TransferID: row.ID, Who: "root", Login: "kim", LoginBy: transfer.ByCaller, Host: "ops1", Reason: "wrong file"},
			func(*transfer.Transfer) (string, error) { return "as seen", nil })
	}
	require.NoError(t, ask("r1"))
	requireCode(t, store.CodeRequested, ask("r2"))
	all, err := s.Requests(t.Context(), store.RequestFilter{PendingAt: start})
	require.NoError(t, err)
	require.Equal(t, []*transfer.Request{{ID: "r1", At: start.Truncate(time.Microsecond), ExpiresAt: start.Add(time.Hour).Truncate(time.Microsecond),
		Command: "cancel", Options: "{}", TransferID: row.ID, Seen: "as seen", Who: "root", Login: "kim", LoginBy: transfer.ByCaller,
		Host: "ops1", Reason: "wrong file", State: transfer.Pending}}, all)
	late, err := s.Requests(t.Context(), store.RequestFilter{PendingAt: start.Add(time.Hour)})
	require.NoError(t, err)
	require.Empty(t, late)

	by := transfer.Command{Name: store.CommandApprove, Who: "lee", Host: "ops2", Reason: "seen"}
	refuse := errors.New("refuse")
	decide := func(id string, err error) (*transfer.Transfer, error) {
		return s.Decide(t.Context(), start.Add(time.Minute), id, by, func(r *transfer.Request, t *transfer.Transfer) (*transfer.Command, error) {
			t.Status = transfer.Cancelled
			return &transfer.Command{Name: r.Command, Who: r.Who, Login: r.Login, Host: r.Host, Reason: r.Reason}, err
		})
	}
	_, err = decide("r1", refuse)
	require.ErrorIs(t, err, refuse)
	require.Equal(t, transfer.Failed, read(t, s, row.ID).Status)
	_, err = decide("none", nil)
	requireCode(t, store.CodeNoRequest, err)
	after, err := decide("r1", nil)
	require.NoError(t, err)
	require.Equal(t, transfer.Cancelled, after.Status)
	_, err = decide("r1", nil)
	requireCode(t, store.CodeRequestOver, err)

	commands, err := s.Commands(t.Context(), store.CommandFilter{TransferID: row.ID})
	require.NoError(t, err)
	var told []string
	for _, c := range commands {
		told = append(told, fmt.Sprint(c.Name, " ", c.Subject, " ", c.By(), " ", c.Approver, " ", c.Reason, " ", c.RequestID, " ", c.Before, ">", c.After))
	}
	require.Equal(t, []string{
		"request cancel kim (as root)@ops1  wrong file r1 failed>failed",
		"cancel  kim (as root)@ops1 lee wrong file r1 failed>cancelled",
		"approve cancel lee@ops2  seen r1 failed>cancelled",
	}, told)
	for who, n := range map[string]int{"kim": 2, "lee": 2, "root": 2, "park": 0} {
		commands, err = s.Commands(t.Context(), store.CommandFilter{Who: who})
		require.NoError(t, err)
		require.Len(t, commands, n, who)
	}
}
