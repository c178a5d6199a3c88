package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// TestNextStepOfUnsettledRounds: where the counterparty was never satisfied with a
// file that may have arrived before, the next step is an order that is carried out.
func TestNextStepOfUnsettledRounds(t *testing.T) {
	for lang, reason := range map[catalog.Lang]string{catalog.EN: `"…"`, catalog.KO: `"사유"`} {
		d := newDesk(t, lang)
		why := fault.New("transfer.rounds", "EB211120", "block", 1, "missing", 2, "rounds", 3)
		said := fault.New("instance.failed_unsettled", "EB21", "because", why.Code).Telling(why)
		made := d.create(transfer.Transfer{Direction: transfer.Send, Status: transfer.Held, Institution: "KFTC", Name: "EB21", EndedOnce: true,
			ErrorCode: string(said.Code), ErrorDetail: said.Detail()})
		show, err := d.c.Show(t.Context(), made.ID)
		require.NoError(t, err)
		require.NotContains(t, show.Error.Sentence, "transfer.rounds")
		require.NotContains(t, show.Error.Sentence, "{")
		require.Contains(t, show.Error.Next, "pabal transfer settle "+made.ID+" --as arrived --reason "+reason)
		require.NotContains(t, show.Error.Next, "resend")
		require.Equal(t, CodeUnsettled, fault.CodeOf(Apply(new(*made), Order{Name: Resend}, d.clock)))
	}
}

// TestShowTellsOfARefusedFile: a file because of which a later one was refused
// says so when it is shown, with the session in which that was.
func TestShowTellsOfARefusedFile(t *testing.T) {
	for _, lang := range []catalog.Lang{catalog.EN, catalog.KO} {
		d := newDesk(t, lang)
		made := d.create(transfer.Transfer{Direction: transfer.Receive, Status: transfer.Assembled, Institution: "KFTC", Name: "EB21", WireName: "EB211120"})
		why := fault.New("instance.other_size", "EB211120", "size", 9, "held", 8, "other", made.ID, "wire_name", "EB211120")
		require.NoError(t, d.s.OpenSession(t.Context(), d.clock, &transfer.Session{ID: "later", Institution: "KFTC", Profile: "cms", Instance: "instance_A", OpenedAt: d.clock, ClosedAt: d.clock}))
		require.NoError(t, d.s.Event(t.Context(), d.clock, transfer.Event{TransferID: made.ID, SessionID: "later", Kind: store.EventRefused,
			Code: string(why.Code), Detail: why.Detail()}))
		show, err := d.c.Show(t.Context(), made.ID)
		require.NoError(t, err)
		require.Nil(t, show.Error, "nothing is wrong with this one")
		last := show.History[len(show.History)-1]
		require.Equal(t, store.EventRefused, last.Kind)
		require.Contains(t, last.Error.Sentence, "EB211120")
		require.Contains(t, last.Error.Next, made.ID)
		require.Equal(t, "later", last.Session)
		require.Equal(t, "later", show.Sessions[len(show.Sessions)-1].ID)
	}
}
