package store_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// TestPlansAtAnyMoment: PostgreSQL takes the index that is meant for a question
// whatever its statistics have met: nothing yet, no open row, nothing but open
// rows. A plan is kept as long as its connection, so those that were made while the
// table was empty are asked again beside finished rows.
func TestPlansAtAnyMoment(t *testing.T) {
	s := openPostgres(t)
	f := newFull(t, s)
	for _, table := range []string{"transfers", "events", "instances", "sessions", "meta"} {
		f.must(`ALTER TABLE ` + table + ` SET (autovacuum_enabled = off)`) // it would come at a moment of its own
	}
	f.makeOpen()
	questions := f.questions()
	var said [][]store.Said
	for _, q := range questions {
		said = append(said, f.said(q))
	}
	var moments []moment
	ask := func(name string, plans *keptPlans) {
		moments = append(moments, f.ask(name, plans, questions, said))
	}

	early := newKept(f)
	f.without("TRUE", func() { early.make(said) })
	f.makeFinished(12_000)
	ask("planned before there was anything", early)
	ask("never analyzed", nil)

	early = newKept(f)
	f.without("TRUE", func() {
		f.must(`VACUUM ANALYZE transfers`) // it has no pages then
		early.make(said)
	})
	ask("planned while it was analyzed and empty", early)
	ask("analyzed while it was empty", nil)
	f.without("claimable = 1", func() { f.must(`ANALYZE`) })
	ask("analyzed without an open row", nil)
	f.without("claimable = 0", func() { f.must(`ANALYZE`) })
	ask("analyzed with nothing but open rows", nil)
	f.must(`VACUUM ANALYZE`)
	ask("analyzed as it is", nil)

	// What is not vacuumed has more pages for the same rows, but not thousands.
	asItIs := moments[len(moments)-1]
	for _, m := range moments {
		for n, q := range questions {
			a, most := m.answers[n], asItIs.answers[n].pages*2+400
			if others := othersThan(q.indexes, a.plan); others != "" || a.pages > most {
				t.Errorf("%s, %s: %d pages, where %d are enough, by %q and not by %s alone:\n%s", m.name, q.name, a.pages, most, others, q.indexes, a.plan)
			}
		}
	}
}

// TestNoStatistics: what was gathered before the migration that ends it is gone
// after it, and nothing is gathered any more.
func TestNoStatistics(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{URL: running.postgres.URL(t), Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	s.MigrateTo(t, 17)
	db := raw(t, s)
	_, err = db.Exec(`INSERT INTO transfers SELECT (jsonb_populate_record(NULL::transfers, fields)).* FROM
		(SELECT jsonb_object_agg(column_name, CASE WHEN column_name = 'id' THEN 'x' || n ELSE '1' END) AS fields
		FROM information_schema.columns, generate_series(1, 100) AS n WHERE table_name = 'transfers' GROUP BY n) AS rows`)
	require.NoError(t, err)
	gathered := func() (names []string) {
		t.Helper()
		_, err := db.Exec(`ANALYZE transfers`)
		require.NoError(t, err)
		rows, err := db.Query(`SELECT attname FROM pg_stats WHERE tablename = 'transfers' AND attname IN
			('claimable', 'due', 'ask', 'place', 'work_path', 'backed_up_at', 'released_at', 'purged_at')`)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name))
			names = append(names, name)
		}
		require.NoError(t, rows.Err())
		return names
	}
	require.Len(t, gathered(), 8)
	require.NoError(t, s.Migrate(t.Context()))
	require.Empty(t, gathered())
}

type answer struct {
	plan  string
	pages int
}

type moment struct {
	name    string
	answers []answer
}

// ask puts all questions, by plans that were made before or by new ones.
func (f *full) ask(name string, plans *keptPlans, questions []question, said [][]store.Said) moment {
	f.Helper()
	if plans == nil {
		plans = newKept(f)
		plans.make(said)
	}
	m := moment{name: name, answers: make([]answer, len(questions))}
	for n := range questions {
		a := &m.answers[n]
		for each := range said[n] {
			plan := plans.run(n, each, said[n][each])
			a.plan += said[n][each].Text + "\n" + plan
			a.pages += buffers(plan)
		}
	}
	plans.close()
	return m
}

// keptPlans are the prepared statements of a connection.
type keptPlans struct {
	*full
	conn *sql.Conn
}

func newKept(f *full) *keptPlans {
	db, err := sql.Open("pgx", f.store.URL())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	conn, err := db.Conn(f.Context())
	require.NoError(f, err)
	k := &keptPlans{f, conn}
	for name, value := range f.store.SessionSettings() {
		k.exec("SET " + name + " = '" + value + "'")
	}
	return k
}

func (k *keptPlans) close() { require.NoError(k, k.conn.Close()) }

func (k *keptPlans) exec(text string) {
	k.Helper()
	_, err := k.conn.ExecContext(k.Context(), text)
	require.NoError(k, err, text)
}

func (k *keptPlans) make(said [][]store.Said) {
	k.Helper()
	for n := range said {
		for each, s := range said[n] {
			k.exec(fmt.Sprintf("PREPARE q%d_%d AS %s", n, each, s.Text))
			lines(k, k.conn, fmt.Sprintf("EXPLAIN EXECUTE q%d_%d %s", n, each, literals(k, s))) // and plan it now
		}
	}
}

func (k *keptPlans) run(n, each int, s store.Said) string {
	k.Helper()
	k.exec("BEGIN")
	defer k.exec("ROLLBACK")
	return lines(k, k.conn, fmt.Sprintf("EXPLAIN (ANALYZE, BUFFERS) EXECUTE q%d_%d %s", n, each, literals(k, s)))
}

func (f *full) must(text string) {
	f.Helper()
	_, err := f.raw.Exec(text)
	require.NoError(f, err, text)
}

// without does something while some transfers are not there.
func (f *full) without(which string, do func()) {
	f.Helper()
	f.must(`CREATE TABLE aside AS SELECT * FROM transfers WHERE ` + which)
	f.must(`DELETE FROM transfers WHERE ` + which)
	do()
	f.must(`INSERT INTO transfers SELECT * FROM aside`)
	f.must(`DROP TABLE aside`)
}

// indexOf finds by what a plan of either engine looks at transfers.
var indexOf = regexp.MustCompile(`(?m)(?:using|Bitmap Index Scan on|INDEX) (?:transfers_(\w+)|(sqlite_autoindex_transfers_1))|(Seq Scan on transfers|SCAN (?:transfers|t)$)`)

// othersThan tells by what else a plan looks at transfers than by some indexes.
func othersThan(indexes, plan string) string {
	var others []string
	for _, found := range indexOf.FindAllStringSubmatch(plan, -1) {
		name := found[1] + found[3]
		if found[2] != "" {
			name = "pkey"
		}
		if !slices.Contains(strings.Fields(indexes), name) && !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	return strings.Join(others, ", ")
}
