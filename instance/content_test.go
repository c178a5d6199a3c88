package instance

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/catalog"
	"pabal/store"
	"pabal/transfer"
)

// contentFile is a registration whose files have a header with the wire name, a
// trailer that counts, and an amount that it adds up; who receives looks.
func contentFile(f *File) {
	if f.Direction != transfer.Receive {
		return
	}
	f.CheckComes = true
	f.Checks = filemgr.CheckOptions{
		Header: &filemgr.HeaderCheck{Mark: "H", Name: &filemgr.Field{Offset: 1, Length: 8}},
		Trailer: &filemgr.TrailerCheck{Mark: "T", Totals: []filemgr.Total{
			{At: filemgr.Field{Offset: 1, Length: 4}}, {At: filemgr.Field{Offset: 5, Length: 4}, Sum: &filemgr.Field{Offset: 1, Length: 4}},
		}},
	}
}

// What was received is held against the checks of its registration before it is
// placed, by the same checker as what is sent. The counterparty hears that its
// file came; a person hears what is wrong with it, and says what becomes of it.
func TestContentOfWhatComes(t *testing.T) {
	t.Parallel()
	onAll(t, testContentOfWhatComes)
}

func testContentOfWhatComes(t *testing.T, on engine) {
	p := newPair(t, on, "cms", []file{{id: "EB21", form: filemgr.Form{Kind: filemgr.Fixed, Length: 10}, opt: contentFile}}, nil, nil)
	const good = "HEB211101 " + "D0001     " + "D0041     " + "T00020042 "
	cat, err := catalog.Load()
	require.NoError(t, err)
	for date, content := range map[string]string{
		"20261101": good,
		"20261102": good, // the header of another file
		"20261103": "HEB211103 " + "D0001     " + "T00020042 ",
		"20261104": "HEB211104 " + "D0001     " + "D0042     " + "T00020042 ",
		"20261105": "HEB211105 " + "D0001     ",
		"20261106": "",
	} {
		p.institution.drop("EB21.CENTRE.JOB."+date, []byte(content))
	}
	sent := p.institution.await(transfer.Send, transfer.Sent, 6) // all came, and were confirmed
	r := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, "20261101", r.BaseDate)
	require.Contains(t, transfer.ProofsOf(r.Proofs), transfer.Proof{Name: transfer.ProofContentChecks, Expected: "passed", Actual: "passed"})
	want := map[string]string{"20261102": "check.header_name", "20261103": "check.count", "20261104": "check.amount",
		"20261105": "check.trailer_mark", "20261106": "check.empty"}
	byDate := map[string]*transfer.Transfer{}
	for _, r := range p.centre.await(transfer.Receive, transfer.Held, 5) {
		byDate[r.BaseDate] = r
		require.Equal(t, string(CodeContent), r.ErrorCode)
		require.Contains(t, transfer.ProofsOf(r.Proofs), transfer.Proof{Name: transfer.ProofContentChecks, Expected: "passed", Actual: want[r.BaseDate]}, r.BaseDate)
	}
	sentence, next := cat.Sentence(catalog.EN, Noted(byDate["20261103"].ErrorCode, byDate["20261103"].ErrorDetail))
	require.Equal(t, "EB211103 came whole, but does not pass the checks of its registration, and is held. "+
		"The trailer of EB211103 (record 3, byte 21) counts 2 records; the file has 1.", sentence)
	require.Contains(t, next, "pabal transfer release")
	require.Len(t, placedFiles(t, p.centre), 1)

	// The counterparty that asks is told (0410).
	for _, s := range sent {
		if s.BaseDate != "20261105" {
			continue
		}
		_, err := p.institution.store.Command(context.Background(), time.Now(), transfer.Command{Name: "inquire", TransferID: s.ID, Who: "kim", Host: "h", Reason: "r"},
			func(r *transfer.Transfer) error { r.Ask, r.NextTry = transfer.AskStatus, time.Now(); return nil })
		require.NoError(t, err)
		require.Contains(t, awaitEvents(t, p.institution.store, s.ID, "answer")[0].Detail, `"result":"413"`)
	}

	// A person takes one as it is, and drops another.
	order := func(id string, f func(*transfer.Transfer)) {
		_, err := p.centre.store.Command(context.Background(), time.Now(), transfer.Command{Name: "release", TransferID: id, Who: "kim", Host: "h", Reason: "r"},
			func(r *transfer.Transfer) error { f(r); return nil })
		require.NoError(t, err)
	}
	order(byDate["20261103"].ID, func(r *transfer.Transfer) {
		r.Status, r.ErrorCode, r.ErrorDetail, r.NextTry = transfer.Received, "", "", time.Now()
	})
	order(byDate["20261104"].ID, func(r *transfer.Transfer) { r.Status, r.EndedAt = transfer.Cancelled, time.Now() })
	for _, r := range p.centre.await(transfer.Receive, transfer.Assembled, 2) {
		if r.BaseDate == "20261103" {
			b, err := os.ReadFile(r.FinalPath)
			require.NoError(t, err)
			require.Equal(t, "HEB211103 D0001     T00020042 ", string(b))
			require.Contains(t, transfer.ProofsOf(r.Proofs), transfer.Proof{Name: transfer.ProofContentChecks, Expected: "passed", Actual: "check.count"})
		}
	}
	require.Len(t, placedFiles(t, p.centre), 2)
	list, err := p.centre.store.List(context.Background(), store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Held}})
	require.NoError(t, err)
	require.Len(t, list, 3, "nobody has said anything of these")
}

// placedFiles are the names in the receive directory.
func placedFiles(t *testing.T, h *host) (names []string) {
	entries, err := os.ReadDir(h.path("receive"))
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != ".pabal" {
			names = append(names, e.Name())
		}
	}
	return names
}
