package instance

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/transfer"
)

// TestLineOfALostAnswer: a call whose line was taken without an answer does not
// keep the line for ever.
func TestLineOfALostAnswer(t *testing.T) {
	t.Parallel()
	for where, plan := range map[string]pgtest.Cut{"before": pgtest.Before, "after": pgtest.After} {
		t.Run(where, func(t *testing.T) {
			p := makePair(t, postgres, "cms", []file{rawForm("EB21")}, nil, nil)
			c, log := behind(t, p.institution)
			p.start()
			body := content(1000)
			peer := p.institution.opt.Institutions[0].Connect // is in the row of a session, and in no other
			c.NextWith(pgtest.Parameter(peer), plan, 1, true)
			p.institution.drop("EB21.CENTRE.JOB", body)
			awaitCut(t, c) // on a busy machine another commit may have been given up before
			log.until(t, "commit_unknown")
			c.Back()
			arrivedOnce(t, p, body)
		})
	}
}

// TestStrays: what this term holds for a session that is not there is given
// back; what somebody works at is not.
func TestStrays(t *testing.T) {
	t.Parallel()
	onBoth(t, testStrays)
}

func testStrays(t *testing.T, on engine) {
	ctx := t.Context()
	p := park(t, on, "cms", "centre", []file{rawForm("EB21")}, []file{rawForm("EB22")}, nil)
	lost, there := store.NewID(p.now()), store.NewID(p.now().Add(time.Second))
	p.open.expect(there)
	held := func(d transfer.Direction, st transfer.Status, session string) *transfer.Transfer {
		return p.row(d, st, func(r *transfer.Transfer) {
			r.Owner, r.Term, r.Attempt, r.SessionID = p.o.ID, p.term, 1, session
		})
	}
	want := map[transfer.Status]transfer.Status{
		transfer.Sending: transfer.Waiting, transfer.Ending: transfer.Unknown, transfer.Unknown: transfer.Unknown,
	}
	var gone, stay []*transfer.Transfer
	for st := range want {
		gone, stay = append(gone, held(transfer.Send, st, lost)), append(stay, held(transfer.Send, st, there))
	}
	half := held(transfer.Receive, transfer.Receiving, lost)
	stage := held(transfer.Receive, transfer.Received, lost) // the session that brought it; a stage has it
	for slot, id := range []string{lost, there} {
		_, err := p.s.OpenLine(ctx, p.now(), store.Opening{Session: &transfer.Session{ID: id, Institution: "MEMBER", Instance: p.o.ID},
			Term: p.term, Direction: store.LineSend, Most: slot + 1})
		require.NoError(t, err)
	}

	p.later(func(context.Context) error { return nil }) // what is still to be written may be of any of them
	require.NoError(t, p.strays(ctx))
	require.Equal(t, p.o.ID, p.again(gone[0]).Owner)

	_, err := p.outcomesStep(ctx)
	require.NoError(t, err)
	for _, r := range gone {
		now := p.again(r)
		require.Empty(t, now.Owner)
		require.Equal(t, want[r.Status], now.Status)
	}
	require.Empty(t, p.again(half).Owner)
	for _, r := range append(stay, stage) {
		require.Equal(t, r, p.again(r))
	}
	lines, err := p.s.Lines(ctx)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.Equal(t, there, lines[0].SessionID)
	sessions, err := p.s.Sessions(ctx, store.SessionFilter{OpenOnly: true})
	require.NoError(t, err)
	require.Len(t, sessions, 1)
}
