package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/transfer"
)

var now = time.Date(2026, 3, 20, 1, 2, 3, 0, time.UTC)

// cut is a file to send that stands in the database.
func cut(st transfer.Status) transfer.Transfer {
	return transfer.Transfer{
		ID: "06aaaaaaaaaaa", Direction: transfer.Send, Status: st, Name: "EB21.KFTC.CMS", WireName: "EB210320",
		WireSize: 1000, WireDigest: "d1", SessionID: "s1", Tries: 3, ErrorCode: "x.y", ErrorDetail: "{}",
		EndedAt: now.Add(-time.Hour),
	}
}

func came(st transfer.Status) transfer.Transfer {
	t := cut(st)
	t.Direction, t.Proofs = transfer.Receive, `{"bytes":1000}`
	return t
}

func with(t transfer.Transfer, f func(*transfer.Transfer)) transfer.Transfer {
	f(&t)
	return t
}

func TestOrders(t *testing.T) {
	ended := func(t *transfer.Transfer) { t.EndedOnce = true }
	deleted := func(t *transfer.Transfer) { t.ReleasedAt = now.Add(-24 * time.Hour) }
	neverCut := func(t *transfer.Transfer) { t.WireDigest = "" }
	repeats := func(t *transfer.Transfer) { t.RepeatOf, t.Repeat = "05", transfer.RepeatOther }
	blocks := func(t *transfer.Transfer) { t.Blocks, t.DataSize, t.PerBlock = 5, 2, 100 }
	asked := func(t *transfer.Transfer) { t.Ask = transfer.AskStatus }
	for _, tt := range []struct {
		name  string
		order Order
		row   transfer.Transfer
		want  transfer.Status // "" = refused with code
		code  fault.Code
	}{
		{"hold before it is cut", Order{Name: Hold}, cut(transfer.Storing), transfer.Held, ""},
		{"hold what is ready", Order{Name: Hold}, cut(transfer.Stored), transfer.Held, ""},
		{"hold what waits", Order{Name: Hold}, cut(transfer.Waiting), transfer.Held, ""},
		{"hold on the line", Order{Name: Hold}, cut(transfer.Sending), transfer.Held, ""},
		{"hold what is unknown", Order{Name: Hold}, with(cut(transfer.Unknown), ended), transfer.Held, ""},
		{"hold again", Order{Name: Hold}, cut(transfer.Held), transfer.Held, ""},
		{"hold during the end", Order{Name: Hold}, cut(transfer.Ending), "", CodeEnding},
		{"hold what was sent", Order{Name: Hold}, cut(transfer.Sent), "", CodeFinished},
		{"hold what failed", Order{Name: Hold}, cut(transfer.Failed), "", CodeFinished},
		{"hold what is coming", Order{Name: Hold}, came(transfer.Receiving), "", CodeComing},
		{"hold what came", Order{Name: Hold}, came(transfer.Received), transfer.Held, ""},
		{"hold before it is placed", Order{Name: Hold}, came(transfer.Waiting), transfer.Held, ""},
		{"hold while it is placed", Order{Name: Hold}, came(transfer.Placing), "", CodePlacing},
		{"hold what stands there", Order{Name: Hold}, came(transfer.Assembled), "", CodeFinished},

		{"release", Order{Name: Release}, cut(transfer.Held), transfer.Waiting, ""},
		{"release what was never cut", Order{Name: Release}, with(cut(transfer.Held), neverCut), transfer.Storing, ""},
		{"release after deletion", Order{Name: Release}, with(cut(transfer.Held), deleted), transfer.Storing, ""},
		{"release what was unknown", Order{Name: Release}, with(cut(transfer.Held), ended), transfer.Unknown, ""},
		{"release what waits: now", Order{Name: Release}, cut(transfer.Waiting), transfer.Waiting, ""},
		{"release what came", Order{Name: Release}, came(transfer.Held), transfer.Received, ""},
		{"release what came again with other content", Order{Name: Release}, with(came(transfer.Held), repeats), transfer.Received, ""},
		{"release what came twice", Order{Name: Release}, came(transfer.Duplicate), transfer.Received, ""},
		{"release what came twice, after deletion", Order{Name: Release}, with(came(transfer.Duplicate), deleted), "", CodeNoPayload},
		{"cancel what came twice", Order{Name: Cancel}, came(transfer.Duplicate), "", CodeFinished},
		{"cancel what came again with other content", Order{Name: Cancel}, with(came(transfer.Held), repeats), transfer.Cancelled, ""},
		{"resend from a block", Order{Name: Resend, FromBlock: 3}, with(cut(transfer.Failed), blocks), transfer.Waiting, ""},
		{"resend from the last block", Order{Name: Resend, FromBlock: 5}, with(cut(transfer.Failed), blocks), transfer.Waiting, ""},
		{"resend from a block after the last", Order{Name: Resend, FromBlock: 6}, with(cut(transfer.Failed), blocks), "", CodeFromBlock},
		{"resend from a block of what was never cut", Order{Name: Resend, FromBlock: 1}, with(cut(transfer.Failed), neverCut), "", CodeFromBlock},
		{"release what is on the line", Order{Name: Release}, cut(transfer.Sending), "", CodeNotHeld},
		{"release what failed", Order{Name: Release}, cut(transfer.Failed), "", CodeNotHeld},

		{"resend what failed", Order{Name: Resend}, cut(transfer.Failed), transfer.Waiting, ""},
		{"resend what was cancelled", Order{Name: Resend}, cut(transfer.Cancelled), transfer.Waiting, ""},
		{"resend what was cancelled uncut", Order{Name: Resend}, with(cut(transfer.Cancelled), neverCut), transfer.Storing, ""},
		{"resend what is held", Order{Name: Resend}, cut(transfer.Held), transfer.Waiting, ""},
		{"resend what was sent", Order{Name: Resend}, cut(transfer.Sent), "", CodeArrived},
		{"resend what was sent, again", Order{Name: Resend, Again: true}, cut(transfer.Sent), transfer.Waiting, ""},
		{"resend after deletion", Order{Name: Resend, Again: true}, with(cut(transfer.Sent), deleted), transfer.Storing, ""},
		{"resend what is unknown", Order{Name: Resend, Again: true}, cut(transfer.Unknown), "", CodeUnsettled},
		{"resend what is held unknown", Order{Name: Resend, Again: true}, with(cut(transfer.Held), ended), "", CodeUnsettled},
		{"resend what is on the line", Order{Name: Resend, Again: true}, cut(transfer.Sending), "", CodeOnItsWay},
		{"resend during the end", Order{Name: Resend, Again: true}, cut(transfer.Ending), "", CodeOnItsWay},
		{"resend what waits", Order{Name: Resend}, cut(transfer.Waiting), "", CodeOnItsWay},
		{"resend what was refused", Order{Name: Resend, Again: true}, cut(transfer.Refused), "", CodeRefused},
		{"resend what came", Order{Name: Resend, Again: true}, came(transfer.Assembled), "", CodeOnlySending},

		{"settle as arrived", Order{Name: Settle, As: AsArrived}, cut(transfer.Unknown), transfer.Sent, ""},
		{"settle as not arrived", Order{Name: Settle, As: AsNotArrived}, cut(transfer.Unknown), transfer.Waiting, ""},
		{"settle what is held unknown", Order{Name: Settle, As: AsArrived}, with(cut(transfer.Held), ended), transfer.Sent, ""},
		{"settle what the peer says it has", Order{Name: Settle, As: AsArrived}, with(cut(transfer.Held), alreadyThere), transfer.Sent, ""},
		{"settle that it has not", Order{Name: Settle, As: AsNotArrived}, with(cut(transfer.Held), alreadyThere), transfer.Waiting, ""},
		{"settle without an answer", Order{Name: Settle}, cut(transfer.Unknown), "", CodeSettleAs},
		{"settle what is held", Order{Name: Settle, As: AsArrived}, cut(transfer.Held), "", CodeNothingToSettle},
		{"settle what was sent", Order{Name: Settle, As: AsNotArrived}, cut(transfer.Sent), "", CodeNothingToSettle},
		{"settle during the end", Order{Name: Settle, As: AsArrived}, with(cut(transfer.Ending), ended), "", CodeSettling},
		{"settle while it is announced again", Order{Name: Settle, As: AsArrived}, with(cut(transfer.Sending), ended), "", CodeSettling},
		{"settle what is sent for the first time", Order{Name: Settle, As: AsArrived}, cut(transfer.Sending), "", CodeNothingToSettle},
		{"settle what came", Order{Name: Settle, As: AsArrived}, came(transfer.Received), "", CodeNothingToSettle},

		{"inquire what was sent", Order{Name: Inquire}, cut(transfer.Sent), transfer.Sent, ""},
		{"inquire what failed", Order{Name: Inquire}, cut(transfer.Failed), transfer.Failed, ""},
		{"inquire what is held", Order{Name: Inquire}, cut(transfer.Held), transfer.Held, ""},
		{"inquire what is unknown", Order{Name: Inquire}, cut(transfer.Unknown), transfer.Unknown, ""},
		{"recall what was sent", Order{Name: Recall}, cut(transfer.Sent), transfer.Sent, ""},
		{"inquire what is on the line", Order{Name: Inquire}, cut(transfer.Sending), "", CodeAskNotSent},
		{"recall during the end", Order{Name: Recall}, cut(transfer.Ending), "", CodeAskNotSent},
		{"inquire what waits", Order{Name: Inquire}, cut(transfer.Waiting), "", CodeAskNotSent},
		{"inquire what was refused", Order{Name: Inquire}, cut(transfer.Refused), "", CodeAskNotSent},
		{"recall what was cancelled", Order{Name: Recall}, cut(transfer.Cancelled), "", CodeAskNotSent},
		{"inquire twice", Order{Name: Inquire}, with(cut(transfer.Sent), asked), "", CodeAskedAlready},
		{"recall what is asked about", Order{Name: Recall}, with(cut(transfer.Held), asked), "", CodeAskedAlready},
		{"inquire what came", Order{Name: Inquire}, came(transfer.Assembled), "", CodeAskReceived},
		{"recall what is held and came", Order{Name: Recall}, came(transfer.Held), "", CodeAskReceived},

		{"cancel what waits", Order{Name: Cancel}, cut(transfer.Waiting), transfer.Cancelled, ""},
		{"cancel what waits to be asked again", Order{Name: Cancel}, with(cut(transfer.Waiting), ended), "", CodeUnsettled},
		{"settle what waits to be asked again", Order{Name: Settle, As: AsArrived}, with(cut(transfer.Waiting), ended), transfer.Sent, ""},
		{"cancel uncut", Order{Name: Cancel}, with(cut(transfer.Storing), neverCut), transfer.Cancelled, ""},
		{"cancel on the line", Order{Name: Cancel}, cut(transfer.Sending), transfer.Cancelled, ""},
		{"cancel while it is announced again", Order{Name: Cancel}, with(cut(transfer.Sending), ended), "", CodeSettling},
		{"cancel what is held", Order{Name: Cancel}, cut(transfer.Held), transfer.Cancelled, ""},
		{"cancel what failed", Order{Name: Cancel}, cut(transfer.Failed), transfer.Cancelled, ""},
		{"cancel during the end", Order{Name: Cancel}, cut(transfer.Ending), "", CodeEnding},
		{"cancel what is unknown", Order{Name: Cancel}, cut(transfer.Unknown), "", CodeUnsettled},
		{"cancel what is held unknown", Order{Name: Cancel}, with(cut(transfer.Held), ended), "", CodeUnsettled},
		{"cancel what was sent", Order{Name: Cancel}, cut(transfer.Sent), "", CodeFinished},
		{"cancel twice", Order{Name: Cancel}, cut(transfer.Cancelled), "", CodeFinished},
		{"cancel what was refused", Order{Name: Cancel}, cut(transfer.Refused), "", CodeFinished},
		{"cancel what is coming", Order{Name: Cancel}, came(transfer.Receiving), transfer.Cancelled, ""},
		{"cancel what came", Order{Name: Cancel}, came(transfer.Received), transfer.Cancelled, ""},
		{"cancel while it is placed", Order{Name: Cancel}, came(transfer.Placing), "", CodePlacing},
		{"cancel what stands there", Order{Name: Cancel}, came(transfer.Assembled), "", CodeFinished},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := tt.row
			err := Apply(&row, tt.order, now)
			if tt.want == "" {
				require.Equal(t, tt.code, fault.CodeOf(err))
				require.Equal(t, tt.row, row, "a refused order changes nothing")
				require.Equal(t, string(tt.row.Status), fault.As(err).Args["status"])
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, row.Status)
			require.True(t, transfer.CanMove(row.Direction, tt.row.Status, row.Status),
				"transfer.moves must allow %s → %s", tt.row.Status, row.Status)
		})
	}
}

// Every status meets every order: none panics, and none makes a move that the
// store would refuse with a code of its own instead of ours.
// alreadyThere is held because the peer says that it has the file.
func alreadyThere(t *transfer.Transfer) { t.ErrorCode = "transfer.already_there" }

// TestSettledIsForgottenOrProven: what a person says takes the place of the
// peer's answer.
func TestSettledIsForgottenOrProven(t *testing.T) {
	now := time.Now()
	row := with(cut(transfer.Unknown), func(t *transfer.Transfer) { t.EndedOnce = true })
	require.NoError(t, Apply(&row, Order{Name: Settle, As: AsArrived}, now))
	require.Contains(t, row.Proofs, "person")
	require.Equal(t, now, row.EndedAt)
	row = with(cut(transfer.Unknown), func(t *transfer.Transfer) { t.EndedOnce = true })
	require.NoError(t, Apply(&row, Order{Name: Settle, As: AsNotArrived}, now))
	require.False(t, row.EndedOnce, "already complete would prove nothing now")
	require.Equal(t, now, row.NextTry)
}

func TestOrdersKnowEveryStatus(t *testing.T) {
	for _, d := range []transfer.Direction{transfer.Send, transfer.Receive} {
		for _, st := range transfer.Statuses() {
			if len(transfer.Moves(d, st)) == 0 && !st.Final() {
				continue // not a status of this direction
			}
			for _, name := range []string{Hold, Release, Resend, Cancel, Inquire, Recall} {
				row := cut(st)
				row.Direction = d
				err := Apply(&row, Order{Name: name, Again: true}, now)
				if err == nil {
					require.True(t, transfer.CanMove(d, st, row.Status), "%s %s: %s → %s", name, d, st, row.Status)
				}
			}
		}
	}
}

func TestHoldOnTheLineSaysThatAllMayHaveArrived(t *testing.T) {
	row := cut(transfer.Sending)
	row.SentBytes = 10
	require.NoError(t, Apply(&row, Order{Name: Hold}, now))
	require.Equal(t, row.WireSize, row.SentBytes)
	require.Empty(t, row.SessionID)
}

func TestResendOfSentStartsAfresh(t *testing.T) {
	row := cut(transfer.Sent)
	row.SentBytes, row.Resent, row.EndedOnce, row.Proofs = 1000, 2, true, `{"reply":"000"}`
	require.NoError(t, Apply(&row, Order{Name: Resend, Again: true}, now))
	require.Zero(t, row.SentBytes)
	require.Zero(t, row.Resent)
	require.False(t, row.EndedOnce, "that an earlier time reached its end proves nothing now (design D5)")
	require.Empty(t, row.Proofs)
	require.Zero(t, row.Tries)
	require.Equal(t, now, row.NextTry)
	require.True(t, row.EndedAt.IsZero())
	require.Empty(t, row.ErrorCode)
}

// What an earlier attempt gave to the peer stays known when a failed file is
// sent again: the profile's resume rests on it.
func TestResendOfFailedKeepsWhatThePeerMayHave(t *testing.T) {
	row := cut(transfer.Failed)
	row.SentBytes, row.EndedOnce = 500, true
	require.NoError(t, Apply(&row, Order{Name: Resend}, now))
	require.Equal(t, int64(500), row.SentBytes)
	require.True(t, row.EndedOnce)
}

func TestReleaseOfWhatWasNeverCutKeepsItsReason(t *testing.T) {
	row := cut(transfer.Held)
	row.WireDigest, row.FileID = "", ""
	require.NoError(t, Apply(&row, Order{Name: Release}, now))
	require.Equal(t, "x.y", row.ErrorCode, "the store stage refuses the file with it")
}

func TestAskingSetsTheQuestionAndTheTime(t *testing.T) {
	for name, want := range map[string]transfer.Ask{Inquire: transfer.AskStatus, Recall: transfer.AskRecall} {
		row := cut(transfer.Failed)
		require.NoError(t, Apply(&row, Order{Name: name}, now))
		wanted := cut(transfer.Failed)
		wanted.Ask, wanted.NextTry, wanted.Tries = want, now, 0
		require.Equal(t, wanted, row, "an answer is to be weighed beside what went wrong, so all else stays but the tries, which now count sessions without an answer")
	}
}

// A question that was not put must not go along when the file is sent.
func TestWhatMovesATransferOnTakesTheQuestionBack(t *testing.T) {
	for _, tt := range []struct {
		order Order
		from  transfer.Status
		want  transfer.Ask
	}{
		{Order{Name: Release}, transfer.Held, transfer.AskNothing},
		{Order{Name: Resend}, transfer.Failed, transfer.AskNothing},
		{Order{Name: Resend, Again: true}, transfer.Sent, transfer.AskNothing},
		{Order{Name: Cancel}, transfer.Failed, transfer.AskNothing},
		{Order{Name: Hold}, transfer.Unknown, transfer.AskRecall}, // it can still be put
	} {
		row := cut(tt.from)
		row.Ask = transfer.AskRecall
		require.NoError(t, Apply(&row, tt.order, now), tt.order.Name)
		require.Equal(t, tt.want, row.Ask, tt.order.Name)
	}
}

func TestOnlyWhatTheProtocolHasIsAsked(t *testing.T) {
	cms := Peer{Profile: "cms", Inquire: true, Recall: true, Settles: true}
	edi := Peer{Profile: "edi", Inquire: true}
	for _, tt := range []struct {
		name  string
		order string
		peer  Peer
		row   transfer.Transfer
		code  fault.Code
	}{
		{"cms", Recall, cms, cut(transfer.Sent), ""},
		{"edi has no such telegram", Recall, edi, cut(transfer.Sent), CodeAskCannot},
		{"edi", Inquire, edi, cut(transfer.Unknown), ""},
		{"no question at all", Inquire, Peer{Profile: "fts"}, cut(transfer.Sent), CodeAskCannot},
		{"no longer configured", Inquire, Peer{}, cut(transfer.Sent), CodeAskCannot},
		{"announced again anyway", Inquire, cms, cut(transfer.Unknown), CodeAskSettling},
		{"held, so it is not announced", Inquire, cms, cut(transfer.Held), ""},
		{"ours to say, not theirs", Inquire, Peer{}, came(transfer.Assembled), ""}, // Apply refuses it with a better word
		{"no question", Hold, Peer{}, cut(transfer.Stored), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := tt.row
			row.Institution = "KFTC"
			err := Order{Name: tt.order, Peers: map[string]Peer{"KFTC": tt.peer}}.possible(&row)
			require.Equal(t, tt.code, fault.CodeOf(err))
		})
	}
}

// TestFromBlock: what a person knows the counterparty to hold counts as sent,
// so that an answer which says so is believed (protocols §1.5); it is refused
// where nothing on the wire could go on.
func TestFromBlock(t *testing.T) {
	row := cut(transfer.Sent)
	row.Blocks, row.DataSize, row.PerBlock, row.SentBytes, row.EndedOnce, row.EndedDigest = 5, 2, 100, 1000, true, "f"
	row.Result = string(transfer.Sent)
	require.NoError(t, Apply(&row, Order{Name: Resend, Again: true, FromBlock: 3}, now))
	require.Equal(t, int64(400), row.SentBytes)
	require.Empty(t, row.EndedDigest)
	require.Equal(t, transfer.ResultWanted, row.Result, "its result file is written again")

	row = cut(transfer.Failed)
	row.Institution = "A"
	order := Order{Name: Resend, FromBlock: 2, Peers: map[string]Peer{"A": {Profile: "edi"}}}
	require.Equal(t, CodeNoResume, fault.CodeOf(order.possible(&row)))
	order.Peers["A"] = Peer{Profile: "cms", Resumes: true}
	require.NoError(t, order.possible(&row))
}
