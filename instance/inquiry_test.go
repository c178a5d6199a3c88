package instance

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// TestAskingThePeer: 0400 and 0500 of cms, the look-up of edi, both between
// two servers of ours (protocols §1.3, §1.6, §3).
func TestAskingThePeer(t *testing.T) {
	t.Parallel()
	onBoth(t, testAskingThePeer)
}

func testAskingThePeer(t *testing.T, on engine) {
	for _, test := range []struct {
		profile string
		ask     transfer.Ask
		result  string
		means   string
	}{
		{"cms", transfer.AskStatus, "000", "whole"},
		{"cms", transfer.AskRecall, "513", "late"}, // it is in the receive directory already
		{"edi", transfer.AskStatus, "00", "whole"},
		{"asks", transfer.AskStatus, "00", "whole"},
		{"asks", transfer.AskRecall, "720", "late"},
	} {
		t.Run(test.profile+"/"+string(test.ask), func(t *testing.T) {
			id := map[string]string{"cms": "EB21", "edi": "C02", "asks": "EB21"}[test.profile]
			p := newPair(t, on, test.profile, []file{rawForm(id)}, nil, nil)
			p.institution.drop(id+".CENTRE.JOB", content(1000))
			sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
			p.centre.await(transfer.Receive, transfer.Assembled, 1)

			s := p.institution.store
			_, err := s.Command(t.Context(), time.Now(), transfer.Command{Name: string(test.ask), TransferID: sent.ID, Who: "test"},
				func(r *transfer.Transfer) error {
					r.Ask, r.NextTry = test.ask, time.Now()
					return nil
				})
			require.NoError(t, err)
			answers := awaitEvents(t, s, sent.ID, "answer")
			var got map[string]string
			require.NoError(t, json.Unmarshal([]byte(answers[0].Detail), &got))
			require.Equal(t, test.result, got["result"])
			require.Equal(t, string(test.ask), got["asked"])
			require.Equal(t, test.means, got["finding"])
			after, err := s.Transfer(t.Context(), sent.ID)
			require.NoError(t, err)
			require.Equal(t, transfer.Sent, after.Status, "an answer changes no status")
			require.Equal(t, transfer.AskNothing, after.Ask)
			require.Equal(t, test.result, after.Response)
		})
	}
}

// awaitEvents waits until a transfer has an event of a kind.
func awaitEvents(t *testing.T, s *store.Store, id, kind string) []*transfer.Event {
	t.Helper()
	deadline := time.After(hang)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := s.Events(context.Background(), store.EventFilter{TransferID: id, Kind: kind})
		require.NoError(t, err)
		if len(got) > 0 {
			return got
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no event %q of %s", kind, id)
		}
	}
}

// TestAskingAboutAnUnknownEnd: the question does not turn into a sending, also
// where the profile settles an unknown end by announcing the file again.
func TestAskingAboutAnUnknownEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, testAskingAboutAnUnknownEnd)
}

func testAskingAboutAnUnknownEnd(t *testing.T, on engine) {
	p := newPair(t, on, "cms", []file{rawForm("EB21")}, nil, nil)
	p.institution.drop("EB21.CENTRE.JOB", content(1000))
	sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	s := p.institution.store
	// As after a crash between the end request and its reply, with a person
	// who asks before the next session.
	for _, st := range []transfer.Status{transfer.Waiting, transfer.Sending, transfer.Ending, transfer.Unknown} {
		_, err := s.Command(t.Context(), time.Now(), transfer.Command{Name: "test", TransferID: sent.ID, Who: "test"},
			func(r *transfer.Transfer) error {
				r.Status, r.EndedOnce, r.NextTry = st, true, time.Now().Add(time.Hour)
				if st == transfer.Unknown {
					r.Ask, r.NextTry = transfer.AskStatus, time.Now()
				}
				return nil
			})
		require.NoError(t, err)
	}
	awaitEvents(t, s, sent.ID, "answer")
	p.institution.await(transfer.Send, transfer.Sent, 1)
	events, err := s.Events(t.Context(), store.EventFilter{TransferID: sent.ID})
	require.NoError(t, err)
	asked := false
	for _, e := range events {
		asked = asked || e.Kind == "answer"
		if e.Kind == store.EventStatus && e.From == transfer.Unknown {
			require.True(t, asked, "asked first, announced again after")
		}
	}
}
