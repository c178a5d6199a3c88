package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// BenchmarkFinishedRows says what asking for work and listing cost with
// PABAL_ROWS finished transfers in the tables (make rows), as a multiple of
// what they cost with none: for each question the medians of many runs on one
// database, before and after it is filled. What is open is the same both times.
func BenchmarkFinishedRows(b *testing.B) {
	count := 20_000
	if text := os.Getenv("PABAL_ROWS"); text != "" {
		var err error
		count, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	engines(b, func(b *testing.B, url string) {
		s, _ := benchStore(b, url)
		now := time.Now()
		made := 0
		open := func(f func(*transfer.Transfer)) {
			made++
			t := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored, Institution: "A", Job: "J", FileID: "B", Place: "seoul",
				WireName: "B" + strconv.Itoa(made), BaseDate: "20260320", Name: "n" + strconv.Itoa(made), DataSize: benchData, PerBlock: benchPerBlock}
			f(t)
			require.NoError(b, s.Create(b.Context(), now, t))
		}
		for range 20 {
			open(func(t *transfer.Transfer) { t.WorkPath = "/w/" + t.WireName })
			open(func(t *transfer.Transfer) { t.Direction, t.Status = transfer.Receive, transfer.Receiving })
			open(func(t *transfer.Transfer) { t.Direction, t.Status = transfer.Receive, transfer.Received })
		}
		var done transfer.Transfer
		open(func(t *transfer.Transfer) { t.Status, t.EndedAt, t.BackedUpAt = transfer.Sent, now, now; done = *t })
		asks := questions(s, now)
		before := make([]time.Duration, len(asks))
		for n, q := range asks {
			before[n] = median(b, q.ask)
		}
		fill(b, s.URL(), done.WireName, count)
		var table strings.Builder
		for n, q := range asks {
			after := median(b, q.ask)
			fmt.Fprintf(&table, "| %s | %v | %v | %.2f |\n", q.name, before[n].Round(time.Microsecond), after.Round(time.Microsecond), float64(after)/float64(before[n]))
		}
		b.Logf("finished rows: %d\n| | with none | with these | times |\n|--|--|--|--|\n%s", count, table.String())
	})
}

type question struct {
	name string
	ask  func(context.Context) error
}

// questions are those that stages, sessions and lists ask all the time. None
// changes anything.
func questions(s *store.Store, now time.Time) []question {
	claim := func(f func(*store.ClaimQuery)) func(context.Context) error {
		q := store.ClaimQuery{Owner: "one", Term: 1, Limit: 1}
		f(&q)
		return func(ctx context.Context) error { _, err := s.Claimable(ctx, now, q); return err }
	}
	list := func(f store.Filter) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.List(ctx, f); return err }
	}
	same := store.Identity{Institution: "A", Direction: transfer.Send, WireName: "B1", BaseDate: "20260320"}
	half := store.Identity{Institution: "A", Direction: transfer.Receive, WireName: "B2"}
	return []question{
		{"claim: to store", claim(func(q *store.ClaimQuery) { q.Statuses, q.Place = []transfer.Status{transfer.Storing}, "seoul" })},
		{"claim: to send", claim(func(q *store.ClaimQuery) {
			q.Statuses, q.Institution, q.Direction = []transfer.Status{transfer.Stored, transfer.Waiting}, "A", transfer.Send
		})},
		{"claim: to send, nothing there", claim(func(q *store.ClaimQuery) {
			q.Statuses, q.Institution, q.Direction = []transfer.Status{transfer.Stored, transfer.Waiting}, "B", transfer.Send
		})},
		{"claim: to ask about", claim(func(q *store.ClaimQuery) {
			q.Statuses, q.Institution, q.Direction, q.Asked = []transfer.Status{transfer.Sent, transfer.Failed, transfer.Held, transfer.Unknown}, "A", transfer.Send, true
		})},
		{"claim: to assemble", claim(func(q *store.ClaimQuery) {
			q.Statuses, q.Place, q.Direction = []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing}, "seoul", transfer.Receive
		})},
		{"same identity", func(ctx context.Context) error { _, err := s.FindSame(ctx, same); return err }},
		{"half files of a name", func(ctx context.Context) error { _, err := s.FindPartial(ctx, half); return err }},
		{"not backed up", func(ctx context.Context) error { _, err := s.NotBackedUp(ctx, "seoul", 256); return err }},
		{"work files", func(ctx context.Context) error { _, err := s.WorkFiles(ctx, "seoul"); return err }},
		{"files due beside", func(ctx context.Context) error { _, err := s.Due(ctx, "seoul", 100); return err }},
		{"orphans", func(ctx context.Context) error { _, err := s.Orphans(ctx); return err }},
		{"half files to expire", list(store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Receiving}, Place: "seoul"})},
		{"waiting for a caller", list(store.Filter{Institution: "A", Direction: transfer.Send, WireName: "B1",
			Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}, Limit: 512})},
		{"list: open of an institution", list(store.Filter{Institution: "A", Statuses: []transfer.Status{transfer.Stored, transfer.Waiting, transfer.Receiving}, Limit: 50})},
		{"list: the newest", list(store.Filter{Limit: 20, NewestFirst: true})},
		{"list: the newest that were sent", list(store.Filter{Statuses: []transfer.Status{transfer.Sent}, Limit: 1, NewestFirst: true})},
	}
}

// median of many runs, after some for warming up.
func median(b *testing.B, f func(context.Context) error) time.Duration {
	b.Helper()
	const runs, warm = 301, 100
	taken := make([]time.Duration, 0, runs)
	for n := range runs + warm {
		began := time.Now()
		require.NoError(b, f(b.Context()))
		if n >= warm {
			taken = append(taken, time.Since(began))
		}
	}
	slices.Sort(taken)
	return taken[runs/2]
}

// fill copies a finished transfer: a thousand files of a day, day after day
// before it, with the planner's statistics afterwards where they are kept.
func fill(b *testing.B, url, wireName string, count int) {
	driver, address := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, address = "sqlite", path
	}
	db, err := sql.Open(driver, address)
	require.NoError(b, err)
	defer db.Close()
	rows, err := db.Query(`SELECT * FROM transfers WHERE wire_name = $1`, wireName)
	require.NoError(b, err)
	columns, err := rows.Columns()
	require.NoError(b, err)
	require.NoError(b, errors.Join(rows.Err(), rows.Close()))
	values := make([]string, len(columns))
	for n, c := range columns {
		switch c {
		case "id":
			values[n] = "CAST(1000000000000 + i AS TEXT)"
		case "wire_name", "name":
			values[n] = "'B' || CAST(i % 1000 AS TEXT)"
		case "base_date":
			values[n] = "CAST(20000101 + i / 1000 AS TEXT)"
		case "created_at", "updated_at", "ended_at", "backed_up_at":
			values[n] = "t." + c + " - 1000000 * CAST(i AS BIGINT)"
		case "direction":
			values[n] = "CASE WHEN i % 2 = 0 THEN 'send' ELSE 'receive' END"
		case "status":
			values[n] = "CASE WHEN i % 2 = 0 THEN 'sent' ELSE 'assembled' END"
		default:
			values[n] = "t." + c
		}
	}
	_, err = db.Exec(`INSERT INTO transfers (`+strings.Join(columns, ", ")+`)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST($1 AS INTEGER))
		SELECT `+strings.Join(values, ", ")+` FROM transfers t, n WHERE t.wire_name = $2`, count, wireName)
	require.NoError(b, err)
	if driver == "pgx" { // what autovacuum does by itself after a while
		_, err = db.Exec(`VACUUM ANALYZE transfers`)
		require.NoError(b, err)
	}
}
