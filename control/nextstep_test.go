package control

import (
	"testing"
	"time"

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

// TestFilesNotTaken: a file that was refused when it was announced shows in its
// session, also where what is wrong is not the file.
func TestFilesNotTaken(t *testing.T) {
	for _, lang := range []catalog.Lang{catalog.EN, catalog.KO} {
		d := newDesk(t, lang)
		for _, id := range []string{"quiet", "refuses", "broken"} {
			s := &transfer.Session{ID: id, Institution: "KFTC", Profile: "cms", Instance: "instance_A", Direction: transfer.Receive, OpenedAt: d.clock, ClosedAt: d.clock}
			if id == "broken" {
				s.ErrorCode, s.ErrorDetail = "session.mistakes", `{"mistakes":"3"}`
			}
			require.NoError(t, d.s.OpenSession(t.Context(), d.clock, s))
		}
		for _, e := range []transfer.Event{
			{SessionID: "quiet", Kind: "round"},
			{SessionID: "quiet", TransferID: "t1", Kind: store.EventStatus, Code: "instance.other_size"},
			{SessionID: "refuses", Kind: store.EventRefused, Code: "instance.other_size", Detail: `{"subject":"EB211120","size":"9","held":"8","other":"t1"}`},
			{SessionID: "refuses", Kind: store.EventRefused, Code: "instance.closed_hours", Detail: `{"subject":"KFTC","wire_name":"EB221120"}`},
		} {
			require.NoError(t, d.s.Event(t.Context(), d.clock, e))
		}
		failed, err := d.c.Sessions(t.Context(), store.SessionFilter{Failed: true})
		require.NoError(t, err)
		require.Len(t, failed, 2)
		require.Equal(t, []string{"broken", "refuses"}, []string{failed[0].ID, failed[1].ID})
		one, err := d.c.Session(t.Context(), "refuses")
		require.NoError(t, err)
		require.Equal(t, failed[1], one)
		require.Len(t, one.Refused, 2)
		require.Equal(t, []string{"EB211120", "EB221120"}, []string{one.Refused[0].WireName, one.Refused[1].WireName})
		require.Contains(t, one.Refused[0].Error.Sentence, "EB211120")
		require.NotEmpty(t, one.Refused[1].Error.Next)
		require.True(t, d.clock.Equal(one.Refused[0].At))
		status, err := d.c.Status(t.Context(), d.clock)
		require.NoError(t, err)
		require.Equal(t, []FileNotTaken{{"KFTC", "refuses", one.Refused[1]}, {"KFTC", "refuses", one.Refused[0]}}, status.NotTaken)
		status, err = d.c.Status(t.Context(), d.clock.Add(time.Hour))
		require.NoError(t, err)
		require.Empty(t, status.NotTaken, "of another day")
		quiet, err := d.c.Session(t.Context(), "quiet")
		require.NoError(t, err)
		require.Empty(t, quiet.Refused)
	}
}
