package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/transfer"
)

// behindCutter opens a migrated database through a cutter, and beside it.
func behindCutter(t *testing.T, busy time.Duration) (through, beside *store.Store, c *pgtest.Cutter, term int64) {
	beside = openPostgres(t)
	c, address := running.postgres.Cutter(t, beside.URL())
	through, err := store.Open(t.Context(), store.Options{URL: address, Server: true, BusyTimeout: busy, Lease: max(store.DefaultLease, 5*busy/2)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, through.Close()) })
	term, err = through.Begin(t.Context(), now, "one", "host", 1)
	require.NoError(t, err)
	return through, beside, c, term
}

func someBlock(number int64) transfer.Block {
	b := transfer.Block{Number: number, Offset: (number - 1) * 100, Lengths: []uint16{100}, Payload: make([]byte, 100)}
	b.Held.Add(1)
	return b
}

// TestCommitCut: a write whose commit got lost on the way there or back is
// done once, and its caller is told so.
func TestCommitCut(t *testing.T) {
	through, beside, c, term := behindCutter(t, 5*time.Second)
	made := func(status transfer.Status) *transfer.Transfer {
		row := &transfer.Transfer{Direction: transfer.Receive, Status: status, Owner: "one", Term: term, Attempt: 1, DataSize: 100, PerBlock: 1}
		require.NoError(t, beside.Create(t.Context(), now, row))
		return row
	}
	read := func(id string) *transfer.Transfer {
		row, err := beside.Transfer(t.Context(), id)
		require.NoError(t, err)
		return row
	}
	count := func(id, kind string) int {
		all, err := beside.Events(t.Context(), store.EventFilter{TransferID: id, Kind: kind})
		require.NoError(t, err)
		return len(all)
	}
	writes := map[string]func(t *testing.T){
		"change": func(t *testing.T) {
			row := made(transfer.Receiving)
			runs := 0
			out, err := through.Change(t.Context(), now, row.Ref(), func(row *transfer.Transfer) error {
				runs++
				row.Status, row.Missed = transfer.Received, row.Missed+1
				return nil
			}, someBlock(1))
			require.NoError(t, err)
			require.Equal(t, out, read(row.ID))
			require.EqualValues(t, 1, out.Missed, "ran %d times, counts once", runs)
			require.Equal(t, 2, count(row.ID, store.EventStatus))
			held, err := beside.Contiguous(t.Context(), row.ID)
			require.NoError(t, err)
			require.EqualValues(t, 100, held)
		},
		"blocks": func(t *testing.T) {
			row := made(transfer.Receiving)
			_, err := through.PutBlocks(t.Context(), now, row.Ref(), []transfer.Block{someBlock(1), someBlock(2)}, nil)
			require.NoError(t, err)
			v, err := beside.Verify(t.Context(), row.ID)
			require.NoError(t, err)
			require.EqualValues(t, 200, v.Size)
		},
		"create": func(t *testing.T) {
			row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Held, Name: t.Name()}
			require.NoError(t, through.Create(t.Context(), now, row))
			all, err := beside.List(t.Context(), store.Filter{Name: t.Name()})
			require.NoError(t, err)
			require.Equal(t, []*transfer.Transfer{row}, all)
			require.Equal(t, 1, count(row.ID, ""))
		},
		"claim": func(t *testing.T) {
			row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
			require.NoError(t, beside.Create(t.Context(), now, row))
			got, err := through.Claim(t.Context(), now, store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Stored},
				To: transfer.Sending, Limit: 5})
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, got[0], read(row.ID))
			require.EqualValues(t, 1, got[0].Attempt)
		},
		"command": func(t *testing.T) {
			row := made(transfer.Receiving)
			_, err := through.Command(t.Context(), now, transfer.Command{Name: "cancel", TransferID: row.ID}, func(row *transfer.Transfer) error {
				row.Status = transfer.Cancelled
				return nil
			})
			require.NoError(t, err)
			all, err := beside.Commands(t.Context(), store.CommandFilter{TransferID: row.ID})
			require.NoError(t, err)
			require.Len(t, all, 1)
			require.EqualValues(t, 2, read(row.ID).Attempt)
		},
		"release": func(t *testing.T) {
			row := made(transfer.Failed)
			require.NoError(t, through.Release(t.Context(), now, row.ID))
			require.Equal(t, 1, count(row.ID, store.EventRelease))
		},
		"setting": func(t *testing.T) {
			require.NoError(t, through.SetMeta(t.Context(), "x", t.Name()))
			v, _, err := beside.Meta(t.Context(), "x")
			require.NoError(t, err)
			require.Equal(t, t.Name(), v)
		},
		"session": func(t *testing.T) {
			s := &transfer.Session{Instance: "one"}
			require.NoError(t, through.OpenSession(t.Context(), now, s))
			all, err := beside.Sessions(t.Context(), store.SessionFilter{ID: s.ID})
			require.NoError(t, err)
			require.Len(t, all, 1)
		},
	}
	for name, write := range writes {
		for where, plan := range map[string]pgtest.Cut{"before": pgtest.Before, "after": pgtest.After} {
			for _, times := range []int{1, 2} {
				t.Run(fmt.Sprint(name, "/", where, "/", times), func(t *testing.T) {
					// Events and rows made beside do not pass the cutter.
					c.Next(plan, times, false)
					write(t)
					require.Positive(t, c.Count())
					c.Next(pgtest.Never, 0, false)
				})
			}
		}
	}
}

// TestCommitUnknown: while the server cannot be asked, nobody says that it is
// done or not, and what was done is found later.
func TestCommitUnknown(t *testing.T) {
	for where, plan := range map[string]pgtest.Cut{"before": pgtest.Before, "after": pgtest.After} {
		t.Run(where, func(t *testing.T) {
			through, beside, c, term := behindCutter(t, 500*time.Millisecond)
			row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Sending, Owner: "one", Term: term}
			require.NoError(t, beside.Create(t.Context(), now, row))
			c.Next(plan, 1, true)
			_, err := through.Change(t.Context(), now, row.Ref(), func(row *transfer.Transfer) error {
				row.Status = transfer.Ending
				return nil
			})
			code(t, store.CodeCommitUnknown, err)
			require.True(t, store.Away(err))
			_, err = through.Transfer(t.Context(), row.ID)
			code(t, store.CodeUnreachable, err)
			require.True(t, store.Away(err))
			c.Next(pgtest.Never, 0, false)
			got, err := through.Transfer(t.Context(), row.ID)
			require.NoError(t, err)
			require.Equal(t, map[pgtest.Cut]transfer.Status{pgtest.Before: transfer.Sending, pgtest.After: transfer.Ending}[plan], got.Status)
		})
	}
}

// noted is a witness that remembers what it was told.
type noted struct {
	mu      sync.Mutex
	written []store.Written
}

func (*noted) Mark() store.Mark { return store.Mark{} }
func (*noted) Trust(store.Mark) {}
func (*noted) Distrust(string)  {}
func (n *noted) Wrote(w []store.Written) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.written = append(n.written, w...)
}

// TestCommitCutTold: the witness hears of what was committed without an answer
// as of everything else, with the ids that came with the lost answer.
func TestCommitCutTold(t *testing.T) {
	beside := openPostgres(t)
	c, address := running.postgres.Cutter(t, beside.URL())
	var w noted
	through, err := store.Open(t.Context(), store.Options{URL: address, Server: true, Witness: &w})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, through.Close()) })
	_, err = through.Recognise(t.Context(), now, "here")
	require.NoError(t, err)
	term, err := through.Begin(t.Context(), now, "one", "host", 1)
	require.NoError(t, err)
	for _, plan := range []pgtest.Cut{pgtest.Never, pgtest.Before, pgtest.After} {
		row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Sending, Owner: "one", Term: term, Attempt: 1}
		require.NoError(t, beside.Create(t.Context(), now, row))
		w.written = nil
		c.Next(plan, 1, false)
		_, err = through.ChangeAlso(t.Context(), now, row.Ref(), func(row *transfer.Transfer) error {
			row.Status = transfer.Ending
			return nil
		}, store.Also{Events: []transfer.Event{{Kind: "one"}, {Kind: "two"}}})
		require.NoError(t, err)
		all, err := beside.Events(t.Context(), store.EventFilter{TransferID: row.ID})
		require.NoError(t, err)
		require.Len(t, all, 4)
		require.Len(t, w.written, 3)
		for n, told := range w.written {
			require.Equal(t, *all[n+1], told.Event, "%v", plan)
		}
	}
}

// TestTravelTogether: what leaves behind another statement is less than a socket
// takes at once, so that a process that is stopped has sent all of it or nothing.
func TestTravelTogether(t *testing.T) {
	through, _, c, term := behindCutter(t, time.Minute)
	long := strings.Repeat("x", 1500)
	var rows []*transfer.Transfer
	var edits []*store.Edit
	ids, err := through.NewIDs(t.Context(), now, 30)
	require.NoError(t, err)
	for _, id := range ids {
		row := &transfer.Transfer{ID: id, Direction: transfer.Receive, Status: transfer.Receiving, Owner: "one", Term: term, Name: long, DataSize: 4000, PerBlock: 100}
		rows = append(rows, row)
		b := transfer.Block{Number: 1, Payload: make([]byte, 400_000)}
		for seq := 1; seq <= 100; seq++ {
			b.Lengths = append(b.Lengths, 4000)
			b.Held.Add(seq)
		}
		edits = append(edits, &store.Edit{Row: row, Also: store.Also{Blocks: []transfer.Block{b}, Events: []transfer.Event{{Kind: "x", Detail: `"` + long + `"`}}},
			F: func(row *transfer.Transfer) error { row.FinalPath, row.ErrorDetail = long, long; return nil }})
	}
	require.NoError(t, through.CreateAll(t.Context(), now, rows))
	for _, e := range edits[:3] { // alone, where least is between the statements
		require.NoError(t, through.ChangeAll(t.Context(), now, []*store.Edit{e}))
		require.NoError(t, e.Err)
	}
	require.NoError(t, through.ChangeAll(t.Context(), now, edits))
	for _, e := range edits {
		require.NoError(t, e.Err)
	}
	require.Positive(t, c.Behind())
	require.LessOrEqual(t, c.Behind(), 16<<10)
}

// TestHolderStandsStill: a process that is stopped in the middle of a
// transaction loses it to the server before half of its lease, also where the
// address asks for no limit. Continued, it has written nothing.
func TestHolderStandsStill(t *testing.T) {
	beside := openPostgres(t)
	c, address := running.postgres.Cutter(t, beside.URL())
	stopped, err := store.Open(t.Context(), store.Options{URL: address + "&idle_in_transaction_session_timeout=0&connect_timeout=60", Lease: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stopped.Close()) })
	row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
	require.NoError(t, beside.Create(t.Context(), now, row))
	c.Next(pgtest.Hold, 1, true)
	written := make(chan error, 1)
	go func() {
		_, err := stopped.Command(t.Context(), now, transfer.Command{Name: "hold", TransferID: row.ID}, func(r *transfer.Transfer) error {
			r.Status = transfer.Held
			return nil
		})
		written <- err
	}()
	require.Eventually(t, func() bool { return c.Count() == 1 }, 4*time.Minute, time.Millisecond)
	// Others wait for locks for six seconds, the server for the one that
	// stands still for less than one.
	_, err = beside.Command(t.Context(), now, transfer.Command{Name: "cancel", TransferID: row.ID}, func(r *transfer.Transfer) error {
		r.Status = transfer.Cancelled
		return nil
	})
	require.NoError(t, err)
	c.Thaw()
	require.True(t, store.Away(<-written))
	got, err := beside.Transfer(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, transfer.Cancelled, got.Status)
}

// TestClaimUnknown: rows that may have been claimed come with the error, as
// they are if they were, so that they can be given back.
func TestClaimUnknown(t *testing.T) {
	for where, plan := range map[string]pgtest.Cut{"before": pgtest.Before, "after": pgtest.After} {
		t.Run(where, func(t *testing.T) {
			through, beside, c, term := behindCutter(t, time.Second)
			row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
			half := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving}
			require.NoError(t, beside.Create(t.Context(), now, row))
			require.NoError(t, beside.Create(t.Context(), now, half))
			lost := through.Losses()
			c.Next(plan, 1, true)
			got, err := through.Claim(t.Context(), now, store.ClaimQuery{Owner: "one", Term: term, Limit: 1,
				Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending})
			code(t, store.CodeCommitUnknown, err)
			require.Len(t, got, 1)
			require.Greater(t, through.Losses(), lost)
			c.Next(plan, 1, true)
			taken, err := through.TakeOver(t.Context(), now, half.ID, "one", term, "s", "")
			code(t, store.CodeCommitUnknown, err)
			c.Back()
			for _, r := range []*transfer.Transfer{got[0], taken} {
				_, err = through.Change(t.Context(), now, r.Ref(), func(r *transfer.Transfer) error { r.Owner = ""; return nil })
				if plan == pgtest.Before {
					require.ErrorIs(t, err, store.ErrFenced)
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
}

// TestCommitCutAndTaken: a write that can be run again is not, when the row was
// taken over before that.
func TestCommitCutAndTaken(t *testing.T) {
	through, beside, c, term := behindCutter(t, 5*time.Second)
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, Owner: "one", Term: term, DataSize: 100, PerBlock: 1}
	require.NoError(t, beside.Create(t.Context(), now, row))
	c.Next(pgtest.Before, 1, false)
	taken := false
	_, err := through.Change(t.Context(), now, row.Ref(), func(row *transfer.Transfer) error {
		if !taken {
			taken = true
			c.OnCut(func() error {
				_, err := beside.TakeOver(t.Context(), now, row.ID, "one", term, "s2", "")
				return err
			})
		}
		return nil
	}, someBlock(1))
	require.ErrorIs(t, err, store.ErrFenced)
	require.NoError(t, c.Failed())
	held, err := beside.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.Zero(t, held)
}
