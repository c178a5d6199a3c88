package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

func testCreate(t *testing.T, open Open) {
	s := open(t)
	row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Storing, SessionID: "s1"}
	require.NoError(t, s.Create(t.Context(), start, row))
	require.Len(t, row.ID, 13)
	require.Equal(t, start, row.CreatedAt)
	require.Equal(t, start, row.UpdatedAt)
	require.Equal(t, row, read(t, s, row.ID))

	all := events(t, s, row.ID)
	require.Len(t, all, 1)
	require.NotZero(t, all[0].ID)
	all[0].ID = 0
	require.Equal(t, &transfer.Event{At: start, TransferID: row.ID, SessionID: "s1", Kind: store.EventStatus,
		From: "", To: transfer.Storing}, all[0])

	_, err := s.Transfer(t.Context(), "0000000000000")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testCreateWithID(t *testing.T, open Open) {
	s := open(t)
	id := store.NewID(start)
	row := create(t, s, transfer.Send, transfer.Storing, func(row *transfer.Transfer) { row.ID = id })
	require.Equal(t, id, row.ID)
	again := &transfer.Transfer{ID: id, Direction: transfer.Send, Status: transfer.Storing, Name: "other"}
	require.ErrorIs(t, s.Create(t.Context(), start, again), store.ErrExists)
	require.Equal(t, row, read(t, s, id))
	require.Len(t, events(t, s, id), 1, "a create that failed must not leave an event")

	// All ids of one millisecond: the 16 random bits must collide at times.
	seen := map[string]bool{}
	for range 400 {
		row := create(t, s, transfer.Send, transfer.Storing)
		require.False(t, seen[row.ID])
		seen[row.ID] = true
	}
}

// testEveryField fills each field of a transfer with a value of its own, so
// that none can be forgotten or exchanged with another.
func testEveryField(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Storing)
	want, err := s.Change(t.Context(), start, row.Ref(), func(row *transfer.Transfer) error {
		v := reflect.ValueOf(row).Elem()
		for i := range v.NumField() {
			name, field := v.Type().Field(i).Name, v.Field(i)
			if slices.Contains([]string{"ID", "Direction", "Status", "Owner", "Term", "Attempt", "CreatedAt", "UpdatedAt"}, name) {
				continue
			}
			switch x := field.Addr().Interface().(type) {
			case *string:
				*x = "파일 " + name
			case *transfer.Ask:
				*x = transfer.AskRecall
			case *transfer.Status:
				*x = transfer.Sending
			case *transfer.Repeat:
				*x = transfer.RepeatOther
			case *int64:
				*x = int64(1)<<40 + int64(i)
			case *int:
				*x = 1000 + i
			case *bool:
				*x = true
			case *time.Time:
				*x = start.Add(time.Duration(i) * time.Hour)
			default:
				return fmt.Errorf("%s is a %T", name, x)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "파일 WireName", want.WireName)
	require.Equal(t, want, read(t, s, row.ID))
	s = reopen(t, s)
	require.Equal(t, want, read(t, s, row.ID))
}

func testFind(t *testing.T, open Open) {
	s := open(t)
	with := func(id string) func(*transfer.Transfer) { return func(row *transfer.Transfer) { row.ID = id } }
	create(t, s, transfer.Send, transfer.Storing, with("01aaaaaaaaaaa"))
	create(t, s, transfer.Send, transfer.Storing, with("01aaaaabbbbbb"))
	for typed, want := range map[string]string{
		"01aaaaaaaaaaa": "01aaaaaaaaaaa", "01aaaaaa": "01aaaaaaaaaaa", "01AAAAAB": "01aaaaabbbbbb", "oIaaaaab": "01aaaaabbbbbb",
	} {
		row, err := s.Find(t.Context(), typed)
		require.NoError(t, err, typed)
		require.Equal(t, want, row.ID)
	}
	_, err := s.Find(t.Context(), "01aaaaa")
	requireCode(t, store.CodeAmbiguous, err)
	require.Contains(t, err.Error(), "01aaaaabbbbbb")
	for _, typed := range []string{"01aaab", "", "%", "01aaaaaaaaaaaa"} {
		_, err = s.Find(t.Context(), typed)
		requireCode(t, store.CodeNotFound, err)
	}
}

func testList(t *testing.T, open Open) {
	s := open(t)
	var ids []string
	for i, status := range []transfer.Status{transfer.Storing, transfer.Stored, transfer.Sent, transfer.Waiting} {
		row := create(t, s, transfer.Send, status, func(row *transfer.Transfer) {
			row.CreatedAt = start.Add(time.Duration(i) * time.Minute)
			row.Name = fmt.Sprint("file ", i)
			row.Institution = []string{"A", "B"}[i%2]
		})
		ids = append(ids, row.ID)
	}
	received := create(t, s, transfer.Receive, transfer.Receiving, func(row *transfer.Transfer) {
		row.CreatedAt, row.Place, row.SessionID = start.Add(time.Hour), "seoul", "s9"
	})
	ids = append(ids, received.ID)
	for _, test := range []struct {
		name string
		f    store.Filter
		want []int
	}{
		{"all", store.Filter{}, []int{0, 1, 2, 3, 4}},
		{"newest first", store.Filter{NewestFirst: true, Limit: 2}, []int{4, 3}},
		{"open", store.Filter{Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}}, []int{1, 3}},
		{"final", store.Filter{Statuses: []transfer.Status{transfer.Sent, transfer.Waiting}}, []int{2, 3}},
		{"direction", store.Filter{Direction: transfer.Receive}, []int{4}},
		{"institution", store.Filter{Institution: "B"}, []int{1, 3}},
		{"name", store.Filter{Name: "file 2"}, []int{2}},
		{"name that is SQL", store.Filter{Name: "' OR 1=1 --"}, nil},
		{"place", store.Filter{Place: "seoul"}, []int{4}},
		{"session", store.Filter{SessionID: "s9"}, []int{4}},
		{"ids", store.Filter{IDs: []string{ids[3], ids[0]}}, []int{0, 3}},
		{"times", store.Filter{Since: start.Add(time.Minute), Until: start.Add(3 * time.Minute)}, []int{1, 2}},
		{"wire name", store.Filter{WireName: "EB210320", Job: "CMS", FileID: "EB21", BaseDate: "20260320", Institution: "A"}, []int{0, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rows, err := s.List(t.Context(), test.f)
			require.NoError(t, err)
			var got []int
			for _, row := range rows {
				got = append(got, slices.Index(ids, row.ID))
			}
			require.Equal(t, test.want, got)
		})
	}
}

func testFindSame(t *testing.T, open Open) {
	s, term := begin(t, open)
	same := func(days int, status transfer.Status) *transfer.Transfer {
		return held(t, s, term, transfer.Receive, status, func(row *transfer.Transfer) {
			row.CreatedAt = start.AddDate(0, 0, days)
			row.BaseDate = row.CreatedAt.Format("20060102")
		})
	}
	monday, tuesday := same(0, transfer.Receiving), same(1, transfer.Receiving)
	again := same(1, transfer.Assembled)
	create(t, s, transfer.Send, transfer.Stored)
	held(t, s, term, transfer.Receive, transfer.Receiving, func(row *transfer.Transfer) { row.Institution = "other" })

	id := store.Identity{Institution: "0990001", Direction: transfer.Receive, WireName: "EB210320"}
	rows, err := s.FindSame(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, monday.ID, rows[2].ID, "newest first")

	rows, err = s.FindReceived(t.Context(), "0990001", "EB210320", "20260321", "")
	require.NoError(t, err)
	require.Len(t, rows, 2)

	_, err = s.PutBlocks(t.Context(), start, tuesday.Ref(), []transfer.Block{block(tuesday, 1, random(250))}, nil)
	require.NoError(t, err)
	partial, err := s.FindPartial(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, partial, 2, "an assembled one is not partial")
	require.Equal(t, tuesday.ID, partial[0].Transfer.ID)
	require.EqualValues(t, 250, partial[0].Held)
	require.Zero(t, partial[1].Held)
	require.NotEqual(t, again.ID, partial[0].Transfer.ID)
}

func testLegalMoves(t *testing.T, open Open) {
	s, term := begin(t, open)
	for _, d := range []transfer.Direction{transfer.Send, transfer.Receive} {
		for _, from := range transfer.Statuses() {
			for _, next := range transfer.Moves(d, from) {
				row := held(t, s, term, d, from)
				out, err := s.Change(t.Context(), start.Add(time.Second), row.Ref(), func(row *transfer.Transfer) error {
					row.Status, row.SessionID, row.ErrorCode, row.ErrorDetail = next, "s1", "a.b", `{"x":"1"}`
					return nil
				})
				require.NoError(t, err, "%s: %s → %s", d, from, next)
				require.Equal(t, next, out.Status)
				require.Equal(t, out, read(t, s, row.ID))
				all := events(t, s, row.ID)
				require.Len(t, all, 2)
				all[1].ID = 0
				require.Equal(t, &transfer.Event{At: start.Add(time.Second), TransferID: row.ID, SessionID: "s1",
					Kind: store.EventStatus, From: from, To: next, Code: "a.b", Detail: `{"x":"1"}`}, all[1])
			}
		}
	}
}

func testIllegalMoves(t *testing.T, open Open) {
	s, term := begin(t, open)
	n := 0
	for _, d := range []transfer.Direction{transfer.Send, transfer.Receive} {
		for _, from := range transfer.Statuses() {
			row := held(t, s, term, d, from)
			for _, next := range append(transfer.Statuses(), "nonsense") {
				if transfer.CanMove(d, from, next) {
					continue
				}
				n++
				_, err := s.Change(t.Context(), start.Add(time.Second), row.Ref(), to(next), block(row, 1, []byte("x")))
				requireCode(t, store.CodeIllegalMove, err)
				_, err = s.Command(t.Context(), start, transfer.Command{Name: "test", TransferID: row.ID}, to(next))
				requireCode(t, store.CodeIllegalMove, err)
			}
			require.Equal(t, row, read(t, s, row.ID), "nothing may be written")
			require.Len(t, events(t, s, row.ID), 1)
			infos, err := s.BlockInfos(t.Context(), row.ID)
			require.NoError(t, err)
			require.Empty(t, infos)
		}
	}
	require.Greater(t, n, 400)
	commands, err := s.Commands(t.Context(), store.CommandFilter{})
	require.NoError(t, err)
	require.Empty(t, commands)
}

func testChangeFails(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Storing)
	because := errors.New("because")
	out, err := s.Change(t.Context(), start.Add(time.Hour), row.Ref(), func(row *transfer.Transfer) error {
		row.Status = transfer.Stored
		return because
	}, block(row, 1, []byte("payload")))
	require.ErrorIs(t, err, because)
	require.Nil(t, out)
	require.Equal(t, row, read(t, s, row.ID))

	_, err = s.Change(t.Context(), start, transfer.Ref{ID: "0000000000000"}, to(transfer.Stored))
	requireCode(t, store.CodeNotFound, err)
}

func testForbidden(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Storing)
	for name, f := range map[string]func(*transfer.Transfer){
		"id":        func(row *transfer.Transfer) { row.ID = strings.Repeat("z", 13) },
		"direction": func(row *transfer.Transfer) { row.Direction = transfer.Receive },
		"term":      func(row *transfer.Transfer) { row.Term++ },
		"attempt":   func(row *transfer.Transfer) { row.Attempt++ },
		"owner":     func(row *transfer.Transfer) { row.Owner = "two" },
		"created":   func(row *transfer.Transfer) { row.CreatedAt = start.Add(1e9) },
	} {
		_, err := s.Change(t.Context(), start, row.Ref(), func(row *transfer.Transfer) error { f(row); return nil })
		requireCode(t, store.CodeForbidden, err)
		require.Equal(t, row, read(t, s, row.ID), name)
	}
}

func testChangeEvents(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := held(t, s, term, transfer.Send, transfer.Sending)
	also := store.Also{Events: []transfer.Event{{Kind: "round", Detail: `{"missing":2}`}, {Kind: "resend", At: start.Add(-time.Second)}}}
	out, err := s.ChangeAlso(t.Context(), start, row.Ref(), nil, also)
	require.NoError(t, err)
	require.Equal(t, row, out)
	all := events(t, s, row.ID)
	require.Len(t, all, 3)
	require.Equal(t, "round", all[1].Kind)
	require.Equal(t, start, all[1].At)
	require.Equal(t, start.Add(-time.Second), all[2].At)

	require.NoError(t, s.Event(t.Context(), start, transfer.Event{SessionID: "s7", Kind: "note"}))
	bySession, err := s.Events(t.Context(), store.EventFilter{SessionID: "s7", Kind: "note"})
	require.NoError(t, err)
	require.Len(t, bySession, 1)
	newest, err := s.Events(t.Context(), store.EventFilter{NewestFirst: true, Limit: 1, AfterID: all[0].ID})
	require.NoError(t, err)
	require.Equal(t, bySession, newest)
}
