package store_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sqlitedriver "modernc.org/sqlite"

	"pabal/store"
)

// TestFinishedRows: no question that is asked all the time looks at more pages
// because more transfers are finished, or by another index than the one that is meant for it. Pages are counted by the engines, so
// neither the load of the machine nor its speed matters.
func TestFinishedRows(t *testing.T) {
	const few, more = 4000, 24000
	bothEngines(t, func(t *testing.T, s *store.Store) {
		f := newFull(t, s)
		f.fill(few)
		f.open()
		before := map[string]int{}
		for _, q := range f.questions() {
			before[q.name] = f.pages(q)
		}
		f.fill(more)
		for _, q := range f.questions() {
			after := f.pages(q)
			if others := othersThan(q.indexes, f.plans(q)); others != "" {
				t.Errorf("%s is not answered by %s alone, but by %s:\n%s", q.name, q.indexes, others, f.plans(q))
			}
			// A deeper tree is one page more for each way down.
			if after > before[q.name]*6/5+8 {
				t.Errorf("%s looks at %d pages beside %d finished transfers, and at %d beside %d:\n%s",
					q.name, before[q.name], few, after, few+more, f.plans(q))
			}
		}
	})
}

// pages is how many pages the statements of a question look at, cached or not.
// On PostgreSQL it is the plan that the store has: one for all values.
func (f *full) pages(q question) int {
	f.Helper()
	sum := 0
	for _, said := range f.said(q) {
		if f.postgres() {
			sum += buffers(f.kept(said))
		} else {
			sum += f.sqlitePages(said)
		}
	}
	return sum
}

// plans are how the statements of a question are answered.
func (f *full) plans(q question) string {
	var all strings.Builder
	for _, said := range f.said(q) {
		fmt.Fprintf(&all, "%s %v\n", said.Text, said.Args)
		if f.postgres() {
			all.WriteString(f.kept(said))
		} else {
			all.WriteString(f.explain("EXPLAIN QUERY PLAN ", said))
		}
	}
	return all.String()
}

func (f *full) said(q question) []store.Said {
	f.Helper()
	return f.store.Overhear(f, func() { require.NoError(f, q.ask(f.Context())) })
}

// inside runs something in a transaction that leaves nothing behind.
func (f *full) inside(do func(*sql.Conn)) {
	f.Helper()
	conn, err := f.raw.Conn(f.Context())
	require.NoError(f, err)
	defer conn.Close()
	_, err = conn.ExecContext(f.Context(), "BEGIN")
	require.NoError(f, err)
	do(conn)
	_, err = conn.ExecContext(f.Context(), "ROLLBACK")
	require.NoError(f, err)
}

func (f *full) explain(how string, said store.Said) (plan string) {
	f.Helper()
	f.inside(func(conn *sql.Conn) { plan = lines(f, conn, how+said.Text, said.Args...) })
	return plan
}

// kept is the plan of a prepared statement, made without knowing the values.
func (f *full) kept(said store.Said) (plan string) {
	f.Helper()
	f.inside(func(conn *sql.Conn) {
		for name, value := range f.store.SessionSettings() {
			_, err := conn.ExecContext(f.Context(), "SET LOCAL "+name+" = '"+value+"'")
			require.NoError(f, err, name)
		}
		_, err := conn.ExecContext(f.Context(), "PREPARE asked AS "+said.Text)
		require.NoError(f, err, said.Text)
		plan = lines(f, conn, "EXPLAIN (ANALYZE, BUFFERS) EXECUTE asked "+literals(f, said))
		_, err = conn.ExecContext(f.Context(), "DEALLOCATE asked")
		require.NoError(f, err)
	})
	return plan
}

// literals are the values of a statement as an EXECUTE has them.
func literals(t testing.TB, said store.Said) string {
	t.Helper()
	values := make([]string, len(said.Args))
	for n, arg := range said.Args {
		switch arg := arg.(type) {
		case int64:
			values[n] = strconv.FormatInt(arg, 10)
		case string:
			values[n] = "'" + strings.ReplaceAll(arg, "'", "''") + "'"
		default:
			require.Fail(t, "a value of another type", "%T in %s", arg, said.Text)
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "(" + strings.Join(values, ", ") + ")"
}

// lines are the last column of what a query returns.
func lines(t testing.TB, conn *sql.Conn, text string, args ...any) string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), text, args...)
	require.NoError(t, err, text)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var all strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for n := range values {
			values[n] = new(any)
		}
		require.NoError(t, rows.Scan(values...))
		fmt.Fprintln(&all, *values[len(values)-1].(*any))
	}
	require.NoError(t, rows.Err(), text)
	return all.String()
}

var buffersOf = regexp.MustCompile(`(?m)^ *Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)

// buffers are the pages of a plan: its first line about them is about all of it.
func buffers(plan string) int {
	plan, _, _ = strings.Cut(plan, "Planning:")
	found := buffersOf.FindStringSubmatch(plan)
	if found == nil {
		return 0
	}
	hit, _ := strconv.Atoi(found[1])
	read, _ := strconv.Atoi(found[2])
	return hit + read
}

func (f *full) sqlitePages(said store.Said) (pages int) {
	f.Helper()
	f.inside(func(conn *sql.Conn) {
		count := func() (n int) {
			require.NoError(f, conn.Raw(func(c any) error {
				for _, op := range []sqlitedriver.DBStatusOp{sqlitedriver.DBStatusCacheHit, sqlitedriver.DBStatusCacheMiss} {
					cur, _, err := c.(sqlitedriver.DBStatus).Status(op, true)
					if err != nil {
						return err
					}
					n += cur
				}
				return nil
			}))
			return n
		}
		lines(f, conn, "SELECT count(*) FROM meta") // the schema is read by the first
		count()
		lines(f, conn, said.Text, said.Args...)
		pages = count()
	})
	return pages
}
