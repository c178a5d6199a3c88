package storetest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// What a child deletes: more than a few steps of Purge.
const (
	purgeKillRows   = 12
	purgeKillBlocks = 25
)

// childPurges deletes payload step by step and says each step.
func childPurges(ctx context.Context, url string) error {
	s, err := store.Open(ctx, childOptions(url, true))
	if err != nil {
		return err
	}
	for more := true; more; {
		if _, more, err = s.Purge(ctx, start.Add(day), start.Add(time.Hour)); err != nil {
			return err
		}
		fmt.Println("step")
	}
	return s.Close()
}

func testPurgeKill(t *testing.T, open Open) { purgeKill(t, open, inRows) }

func testPurgeKillFiles(t *testing.T, open Open) { purgeKill(t, open, inFiles(t)) }

// purgeKill: SIGKILL in the middle of a deletion leaves each transfer whole
// or marked as one whose payload goes, nothing that somebody needs is touched,
// and the next process goes on to the end. A file that is kept for the payload
// goes after the mark and before the note that nothing is left.
func purgeKill(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	fill := func(row *transfer.Transfer) *transfer.Transfer {
		var blocks []transfer.Block
		for n := int64(1); n <= purgeKillBlocks; n++ {
			blocks = append(blocks, block(row, n, random(10)))
		}
		put(t, s, row, blocks...)
		_, err := s.Change(t.Context(), start, row.Ref(), func(r *transfer.Transfer) error { r.Owner = ""; return nil })
		require.NoError(t, err)
		return row
	}
	keep := func(r *transfer.Transfer) {
		r.DataSize, r.PerBlock, r.PayloadIn = 10, 1, at(t)
		r.Owner, r.Term, r.Attempt = "one", term, 1 // a file is written to by its holder alone
	}
	var rows []*transfer.Transfer
	for range purgeKillRows {
		rows = append(rows, fill(done(t, s, transfer.Receive, transfer.Assembled, 0, keep)))
	}
	needed := fill(create(t, s, transfer.Receive, transfer.Receiving, keep))
	require.NoError(t, s.Close())

	options, begun := s.OpenedWith(), 0
	for _, steps := range []int{2, 9} {
		cmd, lines := child(t, "purge "+s.URL(), sealed(s))
		for n := 0; n < steps && lines.Scan(); n++ {
			require.Equal(t, "step", lines.Text())
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
		}
		_ = cmd.Wait() // killed

		again := openAgain(t, options, true)
		released := 0
		for _, row := range rows {
			r, held := read(t, again, row.ID), blocksHeld(t, again, row.ID)
			if r.ReleasedAt.IsZero() {
				require.Equal(t, purgeKillBlocks, held, "nothing goes before it is noted")
				_, err := again.ReadRange(t.Context(), row.ID, 0, 10*purgeKillBlocks, nil)
				require.NoError(t, err)
			} else {
				released++
			}
			if r.PayloadIn == "" {
				require.Equal(t, held == 0, !r.PurgedAt.IsZero(), "%d blocks are left", held)
				continue
			}
			switch _, err := os.Stat(r.PayloadIn); {
			case !r.PurgedAt.IsZero(): // a kill between the file and the note leaves the note to the next
				require.ErrorIs(t, err, fs.ErrNotExist)
				require.Zero(t, held)
			case r.ReleasedAt.IsZero():
				require.NoError(t, err)
			}
		}
		require.Greater(t, released, begun, "the next process goes on")
		begun = released
		require.Equal(t, purgeKillBlocks, blocksHeld(t, again, needed.ID))
		require.NoError(t, again.Close())
	}
	require.Less(t, begun, purgeKillRows, "it was in the middle")
	again := openAgain(t, options, true)
	purge(t, again, start.Add(day), start.Add(time.Hour))
	for _, row := range rows {
		require.Zero(t, blocksHeld(t, again, row.ID))
		require.False(t, read(t, again, row.ID).PurgedAt.IsZero())
		if row.PayloadIn != "" {
			require.NoFileExists(t, row.PayloadIn)
		}
	}
	require.Equal(t, purgeKillBlocks, blocksHeld(t, again, needed.ID))
	_, err := again.ReadRange(t.Context(), needed.ID, 0, 10*purgeKillBlocks, nil)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
