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

// BenchmarkFinishedRows says what asking for work and listing cost beside
// PABAL_ROWS finished transfers (make rows), as a multiple of what they cost
// beside none. Two databases have the same open transfers, and each question is
// put to both in turns, so that what else the machine does meets both alike:
// a round takes the shortest of some times for each, and the median of the
// rounds' ratios counts. Pages depend on nothing but the plans.
func BenchmarkFinishedRows(b *testing.B) {
	count := 20_000
	if text := os.Getenv("PABAL_ROWS"); text != "" {
		var err error
		count, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	engines(b, func(b *testing.B, _ string) {
		var both [2]*full
		for n := range both {
			url := "sqlite:" + b.TempDir() + "/pabal.db"
			if strings.HasSuffix(b.Name(), "postgres") {
				url = running.postgres.URL(b)
			}
			s, _ := benchStore(b, url)
			both[n] = newFull(b, s)
			if n == 1 {
				both[n].fill(count)
			}
			both[n].open()
		}
		none, these := both[0], both[1]
		var table strings.Builder
		over := 0
		asks := these.questions()
		for n, q := range none.questions() {
			p := pair(b, q.ask, asks[n].ask)
			mark := ""
			if p.times > 1.2 {
				mark, over = " **over**", over+1
			}
			fmt.Fprintf(&table, "| %s | %d | %d | %v | %v | %.2f | %.2f–%.2f |%s\n", q.name, none.pages(q), these.pages(asks[n]),
				p.none.Round(time.Microsecond), p.these.Round(time.Microsecond), p.times, p.low, p.high, mark)
			if p.times > 1.2 || os.Getenv("PABAL_PLANS") != "" {
				b.Logf("%s, with none:\n%s\nwith these:\n%s", q.name, none.plans(q), these.plans(asks[n]))
			}
		}
		b.Logf("finished transfers: %d\n| question | pages, none | pages, these | time, none | time, these | times | quartiles |\n|--|--|--|--|--|--|--|\n%sover 1.20: %d", count, table.String(), over)
	})
}

// paired is what two ways took that did the same in turns.
type paired struct {
	none, these      time.Duration // medians of the rounds' shortest
	times, low, high float64       // median and quartiles of the rounds' ratios
}

func pair(b *testing.B, none, these func(context.Context) error) paired {
	b.Helper()
	const most, warm, budget = 12, 60, 10 * time.Second
	rounds, each := 61, most
	asked := [2]func(context.Context) error{none, these}
	began := time.Now()
	for n := range warm { // statements are prepared, and PostgreSQL has chosen its plans
		for _, ask := range asked {
			require.NoError(b, ask(b.Context()))
		}
		if took := time.Since(began); took > budget/10 { // one that is far too slow
			affordable := int(budget / (took / time.Duration(n+1)))
			each = min(most, max(1, affordable/rounds))
			rounds = min(rounds, max(3, affordable/each))
			break
		}
	}
	var shortest [2][]time.Duration
	ratios := make([]float64, 0, rounds)
	for round := range rounds {
		best := [2]time.Duration{time.Hour, time.Hour}
		for n := range 2 * each {
			which := (n + n/2 + round) % 2 // who comes first changes
			began := time.Now()
			err := asked[which](b.Context())
			best[which] = min(best[which], time.Since(began))
			require.NoError(b, err)
		}
		for n := range best {
			shortest[n] = append(shortest[n], best[n])
		}
		ratios = append(ratios, float64(best[1])/float64(best[0]))
	}
	slices.Sort(shortest[0])
	slices.Sort(shortest[1])
	slices.Sort(ratios)
	return paired{shortest[0][rounds/2], shortest[1][rounds/2], ratios[rounds/2], ratios[rounds/4], ratios[rounds*3/4]}
}

// full is a database with finished and open transfers.
type full struct {
	testing.TB
	store *store.Store
	raw   *sql.DB
	now   time.Time
	term  int64
	made  int
	done  *transfer.Transfer // which finished ones are copies of
	count int                // of those
}

func newFull(t testing.TB, s *store.Store) *full {
	f := &full{TB: t, store: s, raw: raw(t, s), now: time.Now()}
	var err error
	f.term, err = s.Begin(t.Context(), f.now, "one", "seoul", 1)
	require.NoError(t, err)
	f.done = f.create(func(t *transfer.Transfer) { t.Status, t.EndedAt, t.BackedUpAt = transfer.Sent, f.now, f.now })
	f.create(func(t *transfer.Transfer) { t.Status, t.Owner, t.Term = transfer.Sending, "one", f.term })
	return f
}

func (f *full) postgres() bool { return strings.HasPrefix(f.store.URL(), "postgres") }

func (f *full) create(change func(*transfer.Transfer)) *transfer.Transfer {
	f.Helper()
	f.made++
	t := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored, Institution: "A", Job: "J", FileID: "B", Place: "seoul",
		WireName: "B" + strconv.Itoa(f.made), BaseDate: "20260320", Name: "n" + strconv.Itoa(f.made), DataSize: benchData, PerBlock: benchPerBlock}
	change(t)
	require.NoError(f, f.store.Create(f.Context(), f.now, t))
	return t
}

// open makes transfers that are under way, of two counterparties.
func (f *full) open() {
	f.Helper()
	f.makeOpen()
	if f.postgres() { // what autovacuum does by itself after a while
		f.must(`VACUUM ANALYZE transfers`)
	}
}

func (f *full) makeOpen() {
	f.Helper()
	for range 20 {
		f.create(func(t *transfer.Transfer) { t.WorkPath = "/w/" + t.WireName })
		f.create(func(t *transfer.Transfer) { t.Direction, t.Status = transfer.Receive, transfer.Receiving })
		f.create(func(t *transfer.Transfer) {
			t.Direction, t.Status, t.SessionID = transfer.Receive, transfer.Received, "brought"
		})
	}
	f.create(func(t *transfer.Transfer) { t.Status, t.Ask = transfer.Unknown, "inquire" })
	for range 20 { // and some that have just ended, so that lists have the same rows beside any number of old ones
		f.create(func(t *transfer.Transfer) { t.Status, t.EndedAt, t.BackedUpAt = transfer.Sent, f.now, f.now })
		f.create(func(t *transfer.Transfer) {
			t.Institution, t.Status, t.EndedAt, t.BackedUpAt = "C", transfer.Failed, f.now, f.now
		})
		f.create(func(t *transfer.Transfer) {
			t.Direction, t.Status, t.EndedAt = transfer.Receive, transfer.Assembled, f.now
		})
	}
}

// fill adds finished transfers, a thousand of a day, day after day before the
// others, each with an event.
func (f *full) fill(count int) {
	f.Helper()
	f.makeFinished(count)
	if f.postgres() {
		f.must(`VACUUM ANALYZE transfers`)
		f.must(`VACUUM ANALYZE events`)
	}
}

func (f *full) makeFinished(count int) {
	f.Helper()
	rows, err := f.raw.Query(`SELECT * FROM transfers WHERE id = $1`, f.done.ID)
	require.NoError(f, err)
	columns, err := rows.Columns()
	require.NoError(f, err)
	require.NoError(f, errors.Join(rows.Err(), rows.Close()))
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
			values[n] = "CASE WHEN i % 1000 = 1 THEN 'failed' WHEN i % 2 = 0 THEN 'sent' ELSE 'assembled' END"
		case "institution":
			values[n] = "CASE WHEN i % 10 < 6 THEN 'A' ELSE 'C' END"
		case "session_id":
			values[n] = "'s' || CAST(i / 20 AS TEXT)"
		default:
			values[n] = "t." + c
		}
	}
	const numbers = ` WITH RECURSIVE n (i) AS (SELECT CAST($1 AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i < CAST($2 AS INTEGER)) `
	_, err = f.raw.Exec(`INSERT INTO transfers (`+strings.Join(columns, ", ")+`)`+numbers+
		`SELECT `+strings.Join(values, ", ")+` FROM transfers t, n WHERE t.id = $3`, f.count+1, f.count+count, f.done.ID)
	require.NoError(f, err)
	_, err = f.raw.Exec(`INSERT INTO events (at, transfer_id, session_id, kind, from_status, to_status, code, detail, processed_at)`+numbers+
		`SELECT i, CAST(1000000000000 + i AS TEXT), 's' || CAST(i / 20 AS TEXT), 'status', 'ending', 'sent', '', '', 1 FROM n`, f.count+1, f.count+count)
	require.NoError(f, err)
	f.count += count
}

type question struct {
	name    string
	indexes string // of transfers, by which it is answered, and by no others
	ask     func(context.Context) error
}

// questions are those that stages, sessions and lists ask all the time. What
// they change they change back.
func (f *full) questions() []question {
	s, now := f.store, f.now
	claim := func(change func(*store.ClaimQuery)) func(context.Context) error {
		q := store.ClaimQuery{Owner: "one", Term: f.term, Limit: 1}
		change(&q)
		return func(ctx context.Context) error { _, err := s.Claimable(ctx, now, q); return err }
	}
	list := func(q store.Filter) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.List(ctx, q); return err }
	}
	toSend := []transfer.Status{transfer.Stored, transfer.Waiting}
	same := store.Identity{Institution: "A", Direction: transfer.Send, WireName: "B1", BaseDate: "20260320"}
	half := store.Identity{Institution: "A", Direction: transfer.Receive, WireName: "B2"}
	today := store.Identity{Institution: "A", Direction: transfer.Receive, WireName: "B2", BaseDate: "20260320", Or: []string{"20260319"}}
	var batch []*transfer.Transfer
	for n := range 8 {
		batch = append(batch, &transfer.Transfer{ID: strconv.Itoa(n), Institution: "A", Direction: transfer.Send, WireName: "B" + strconv.Itoa(n), BaseDate: "20260320"})
	}
	brought := &transfer.Transfer{ID: "0", Institution: "A", Direction: transfer.Receive, SessionID: "brought", CreatedAt: now}
	return []question{
		{"claim: to store", "claimable", claim(func(q *store.ClaimQuery) { q.Statuses, q.Place = []transfer.Status{transfer.Storing}, "seoul" })},
		{"claim: to send", "ready", claim(func(q *store.ClaimQuery) { q.Statuses, q.Institution, q.Direction = toSend, "A", transfer.Send })},
		{"claim: to send, nothing there", "ready", claim(func(q *store.ClaimQuery) { q.Statuses, q.Institution, q.Direction = toSend, "B", transfer.Send })},
		{"claim: to ask about", "asked", claim(func(q *store.ClaimQuery) {
			q.Statuses, q.Institution, q.Direction, q.Asked = []transfer.Status{transfer.Sent, transfer.Failed, transfer.Held, transfer.Unknown}, "A", transfer.Send, true
		})},
		{"claim: to assemble", "claimable", claim(func(q *store.ClaimQuery) {
			q.Statuses, q.Place, q.Direction = []transfer.Status{transfer.Received, transfer.Waiting, transfer.Placing}, "seoul", transfer.Receive
		})},
		{"claim: one taken and given back", "ready pkey", func(ctx context.Context) error {
			got, err := s.Claim(ctx, now, store.ClaimQuery{Owner: "one", Term: f.term, Statuses: toSend, Institution: "A", Direction: transfer.Send, To: transfer.Sending, Limit: 1})
			if err == nil && len(got) != 1 {
				err = errors.New("nothing to claim")
			}
			if err != nil {
				return err
			}
			_, err = s.Change(ctx, now, got[0].Ref(), func(t *transfer.Transfer) error {
				t.Status, t.Owner = transfer.Waiting, ""
				return nil
			})
			return err
		}},
		{"same identity", "identity", func(ctx context.Context) error { _, err := s.FindSame(ctx, same); return err }},
		{"known name", "identity open", func(ctx context.Context) error { _, err := s.Known(ctx, today); return err }},
		{"namesakes of a batch", "identity", func(ctx context.Context) error { _, err := s.Namesakes(ctx, batch); return err }},
		{"half files of a name", "open", func(ctx context.Context) error { _, err := s.FindPartial(ctx, half); return err }},
		{"not backed up", "not_backed_up", func(ctx context.Context) error { _, err := s.NotBackedUp(ctx, "seoul", 256); return err }},
		{"work files", "not_backed_up", func(ctx context.Context) error { _, err := s.WorkFiles(ctx, "seoul"); return err }},
		{"files due beside", "due", func(ctx context.Context) error { _, err := s.Due(ctx, "seoul", 100); return err }},
		{"orphans", "owned", func(ctx context.Context) error { _, err := s.Orphans(ctx); return err }},
		{"in hand", "owned", func(ctx context.Context) error { _, err := s.Owned(ctx, "one", f.term); return err }},
		{"half files to expire", "claimable", list(store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Receiving}})},
		{"waiting for a caller", "open", list(store.Filter{Institution: "A", Direction: transfer.Send, WireName: "B4", Statuses: toSend, Limit: 512})},
		{"later files of a session", "pkey", func(ctx context.Context) error { _, err := s.WentOn(ctx, brought); return err }},
		{"received of one full name", "identity", list(store.Filter{Institution: "A", Direction: transfer.Receive, WireName: "B7", Name: "n7"})},
		{"counts of a day", "claimable ended", func(ctx context.Context) error { _, err := s.Counts(ctx, now.Add(-time.Second)); return err }},
		{"list: the newest", "created", list(store.Filter{Limit: 20, NewestFirst: true})},
		{"list: since", "created", list(store.Filter{Since: now.Add(-time.Second), Limit: 20, NewestFirst: true})},
		{"list: open of an institution", "ready", list(store.Filter{Institution: "A", Statuses: []transfer.Status{transfer.Stored, transfer.Waiting, transfer.Receiving}, Limit: 50})},
		{"list: the newest that were sent", "claimable ended pkey", list(store.Filter{Statuses: []transfer.Status{transfer.Sent}, Limit: 1, NewestFirst: true})},
		{"list: failed and waiting", "claimable ended pkey", list(store.Filter{Statuses: []transfer.Status{transfer.Failed, transfer.Waiting}, Limit: 10, NewestFirst: true})},
		{"list: refused, of which there are none", "claimable ended pkey", list(store.Filter{Statuses: []transfer.Status{transfer.Refused}, Limit: 20, NewestFirst: true})},
		{"list: failed of an institution", "ready ended_of pkey", list(store.Filter{Institution: "C", Statuses: []transfer.Status{transfer.Failed}, Limit: 10, NewestFirst: true})},
		{"list: sent of an institution since", "ready ended_of pkey", list(store.Filter{Institution: "A", Direction: transfer.Send, Statuses: []transfer.Status{transfer.Sent}, Since: now.Add(-time.Second), Limit: 20, NewestFirst: true})},
		{"list: the newest of an institution", "ready ended_of pkey", list(store.Filter{Institution: "A", Limit: 20, NewestFirst: true})},
		{"list: of an institution without any", "ready ended_of pkey", list(store.Filter{Institution: "B", Limit: 20, NewestFirst: true})},
		{"list: of a wire name", "identity", list(store.Filter{WireName: "nowhere", Limit: 6, NewestFirst: true})},
	}
}
