package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// TestNextStepsCanBeTyped: what is to be done about a file that is held for an
// earlier one names both as the commands take them, in both languages, in the
// row as in the history.
func TestNextStepsCanBeTyped(t *testing.T) {
	for lang, reason := range map[catalog.Lang]string{catalog.EN: `"…"`, catalog.KO: `"사유"`} {
		d := newDesk(t, lang)
		for code, direction := range map[string]transfer.Direction{
			"instance.same_name": transfer.Send, "instance.repeat_differs": transfer.Receive, "instance.repeat_unread": transfer.Receive,
		} {
			earlier := d.create(transfer.Transfer{Direction: direction, Status: transfer.Stored, Institution: "KFTC", Name: "EB21"})
			made := d.create(transfer.Transfer{Direction: direction, Status: transfer.Held, Institution: "KFTC", Name: "EB21", ErrorCode: code,
				ErrorDetail: `{"subject":"EB21","other":"` + earlier.ID + `","status":"sent"}`})
			require.NoError(t, d.s.Event(t.Context(), d.clock, transfer.Event{TransferID: made.ID, SessionID: "s1", Kind: store.EventStatus,
				To: transfer.Held, Code: code, Detail: made.ErrorDetail}))
			show, err := d.c.Show(t.Context(), made.ID)
			require.NoError(t, err)
			list, err := d.c.List(t.Context(), store.Filter{IDs: []string{made.ID}})
			require.NoError(t, err)
			failures := []*Failure{show.Error, list[0].Error}
			for _, e := range show.History {
				if e.Error != nil {
					failures = append(failures, e.Error)
				}
			}
			require.GreaterOrEqual(t, len(failures), 3, code)
			for _, f := range failures {
				require.Contains(t, f.Sentence, earlier.ID, code)
				require.Contains(t, f.Next, "pabal transfer show "+earlier.ID, code)
				require.Contains(t, f.Next, "pabal transfer release "+made.ID+" --reason "+reason, code)
				require.Contains(t, f.Next, "pabal transfer cancel "+made.ID+" --reason "+reason, code)
			}
		}
	}
	d := newDesk(t, catalog.EN)
	require.NoError(t, d.s.OpenSession(t.Context(), d.clock, &transfer.Session{ID: "s7", Institution: "KFTC", Profile: "cms", Instance: "instance_A",
		Direction: transfer.Send, OpenedAt: d.clock, ClosedAt: d.clock, ErrorCode: "session.mistakes", ErrorDetail: `{"mistakes":"3"}`}))
	s, err := d.c.Session(t.Context(), "s7")
	require.NoError(t, err)
	require.Contains(t, s.Error.Next, "pabal session show s7")
}

// TestNextStepOfAnUnsettledRefusal: what is to be done about a file that is
// refused after its end may have been confirmed is an order that is carried out.
func TestNextStepOfAnUnsettledRefusal(t *testing.T) {
	for lang, reason := range map[catalog.Lang]string{catalog.EN: `"…"`, catalog.KO: `"사유"`} {
		d := newDesk(t, lang)
		made := d.create(transfer.Transfer{Direction: transfer.Send, Status: transfer.Held, Institution: "KFTC", Name: "EB21", EndedOnce: true,
			ErrorCode: "instance.refused_unsettled", ErrorDetail: `{"subject":"EB211120","code":"634"}`})
		show, err := d.c.Show(t.Context(), made.ID)
		require.NoError(t, err)
		require.Contains(t, show.Error.Sentence, "634")
		require.Contains(t, show.Error.Next, "pabal transfer settle "+made.ID+" --as arrived --reason "+reason)
		require.Contains(t, show.Error.Next, "--as not-arrived")
		require.NotContains(t, show.Error.Next, "resend")
		row := *made
		require.Equal(t, CodeUnsettled, fault.CodeOf(Apply(&row, Order{Name: Resend}, d.clock)))
		require.NoError(t, Apply(&row, Order{Name: Settle, As: AsArrived}, d.clock))
	}
}
