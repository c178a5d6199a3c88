package instance

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/place"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// came is a received file that waits to be assembled.
func (p *parked) came(body []byte) *transfer.Transfer {
	p.t.Helper()
	ctx := p.t.Context()
	s := p.session()
	_, err := s.Accept(ctx, machine.Offer{Name: "C02", Date: "261120", Size: int64(len(body))})
	require.NoError(p.t, err)
	b := transfer.Block{Number: 1, Lengths: []uint16{uint16(len(body))}, Payload: body}
	b.Held.Add(1)
	t := s.incoming
	require.NoError(p.t, s.Save(ctx, &b, true))
	t, err = p.s.Change(ctx, p.now(), t.Ref(), func(r *transfer.Transfer) error {
		r.Status, r.Owner, r.WireSize, r.Blocks, r.Sequences = transfer.Received, "", int64(len(body)), 1, 1
		return nil
	})
	require.NoError(p.t, err)
	return t
}

// next is the process that takes over from p, which was stopped for longer
// than its lease.
func (p *parked) next() *parked {
	p.t.Helper()
	i, err := New(p.s, p.o)
	require.NoError(p.t, err)
	i.term, err = p.s.Begin(p.t.Context(), p.now(), p.o.ID, p.o.Place, 2)
	require.NoError(p.t, err)
	require.NoError(p.t, i.recover(p.t.Context()))
	return &parked{Instance: i, t: p.t, dir: p.dir, shift: p.shift}
}

// toAssemble claims what waits to be assembled.
func (p *parked) toAssemble() []*transfer.Transfer {
	p.t.Helper()
	got, err := p.s.Claim(p.t.Context(), p.now(), store.ClaimQuery{
		Owner: p.o.ID, Term: p.term, Direction: transfer.Receive, Place: p.o.Place, Limit: 10,
		Statuses: []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing},
	})
	require.NoError(p.t, err)
	require.Len(p.t, got, 1)
	return got
}

// TestFormerProcessLeavesTheStagedFile: a process that was stopped with a file
// in hand and goes on after its successor has built that file neither writes to
// it, nor removes it, nor gives it a name.
func TestFormerProcessLeavesTheStagedFile(t *testing.T) {
	t.Parallel()
	onAll(t, testFormerProcessLeavesTheStagedFile)
}

func testFormerProcessLeavesTheStagedFile(t *testing.T, on engine) {
	for _, test := range []struct {
		name string
		goOn func(ctx context.Context, former *parked, t *transfer.Transfer) error
	}{
		{name: "cut while it builds", goOn: func(ctx context.Context, former *parked, t *transfer.Transfer) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			errs := make([]error, 1)
			former.buildAll(ctx, []*transfer.Transfer{t}, errs)
			return errs[0]
		}},
		{name: "builds", goOn: func(ctx context.Context, former *parked, t *transfer.Transfer) error {
			errs := make([]error, 1)
			former.buildAll(ctx, []*transfer.Transfer{t}, errs)
			return errs[0]
		}},
		{name: "places", goOn: func(ctx context.Context, former *parked, t *transfer.Transfer) error {
			t.Status, t.FinalPath = transfer.Placing, former.path("receive", "elsewhere")
			errs := make([]error, 1)
			former.placeAll(ctx, []*transfer.Transfer{t}, errs)
			return errs[0]
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			former := park(t, on, "edi", "centre", []file{rawForm("C02")}, nil, nil)
			body := content(100)
			row := former.came(body)
			old := former.toAssemble()[0]
			p := former.next()
			mine := p.toAssemble()
			errs := make([]error, 1)
			edits, named := p.buildAll(t.Context(), mine, errs)
			require.NoError(t, errs[0])
			require.NotNil(t, edits[0])
			staged := filemgr.StagedPath(p.o.Dirs.Receive, row.ID)

			require.Error(t, test.goOn(t.Context(), former, old))
			require.Equal(t, sum(body), sum(mustRead(t, staged)))
			require.NoFileExists(t, p.path("receive", "elsewhere"))

			p.toPlacing(t.Context(), edits, named, errs)
			require.NoError(t, errs[0])
			p.assemble(t.Context(), mine, errs)
			require.NoError(t, errs[0])
			done := p.again(row)
			require.Equal(t, transfer.Assembled, done.Status)
			require.Equal(t, sum(body), sum(mustRead(t, done.FinalPath)))

			// Nor does it make one anew, which would pass for a file to be placed.
			require.Error(t, test.goOn(t.Context(), former, old))
			entries, err := os.ReadDir(filemgr.StagingDir(p.o.Dirs.Receive))
			require.NoError(t, err)
			entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return place.IsGuard(e.Name()) })
			require.Empty(t, entries)
		})
	}
}

// TestSuccessorWaitsForTheStagedFile: while a process stands still in the middle
// of a file its successor leaves the file alone and says what it waits for.
func TestSuccessorWaitsForTheStagedFile(t *testing.T) {
	t.Parallel()
	onAll(t, testSuccessorWaitsForTheStagedFile)
}

func testSuccessorWaitsForTheStagedFile(t *testing.T, on engine) {
	former := park(t, on, "edi", "centre", []file{rawForm("C02")}, nil, nil)
	body := content(100)
	row := former.came(body)
	former.toAssemble()
	staged := filemgr.StagedPath(former.o.Dirs.Receive, row.ID)
	require.NoError(t, filemgr.MakeDir(filemgr.StagingDir(former.o.Dirs.Receive)))
	release, ok, err := place.Guard(staged) // it stands still
	require.NoError(t, err)
	require.True(t, ok)

	p := former.next()
	_, err = p.assembleStep(t.Context())
	require.NoError(t, err)
	waits := p.again(row)
	require.Equal(t, transfer.Waiting, waits.Status)
	require.Equal(t, string(filemgr.CodeStagedBusy), waits.ErrorCode)

	release() // it goes on, or dies
	p.pass(time.Minute)
	_, err = p.assembleStep(t.Context())
	require.NoError(t, err)
	require.Equal(t, transfer.Assembled, p.again(row).Status)
	require.Equal(t, sum(body), sum(mustRead(t, p.again(row).FinalPath)))
}

// TestFormerProcessMakesNoPayloadFile: a session that was stopped before its
// first block makes no payload file after another has placed the whole file.
func TestFormerProcessMakesNoPayloadFile(t *testing.T) {
	t.Parallel()
	onFiles(t, testFormerProcessMakesNoPayloadFile)
}

func testFormerProcessMakesNoPayloadFile(t *testing.T, on engine) {
	p := park(t, on, "edi", "centre", []file{rawForm("C02")}, nil, nil)
	s := p.session()
	_, err := s.Accept(t.Context(), machine.Offer{Name: "C02", Date: "261120", Size: 1})
	require.NoError(t, err)
	_, err = p.s.TakeOver(t.Context(), p.now(), s.incoming.ID, p.o.ID, p.term, "", "")
	require.NoError(t, err)
	b := transfer.Block{Number: 1, Lengths: []uint16{1}, Payload: []byte("x")}
	b.Held.Add(1)
	id := s.incoming.ID
	require.Error(t, s.Save(t.Context(), &b, true))
	require.NoFileExists(t, filemgr.StagedPath(p.o.Dirs.Receive, id))
}
