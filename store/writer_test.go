package store

import (
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/transfer"
)

func openServer(t *testing.T) *Store {
	s, err := Open(t.Context(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "pabal.db"), Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// stepped is a writer without its loop, so that a test says what is a group.
func stepped(t *testing.T, waiting int) *writer {
	s := openServer(t)
	db, err := sql.Open("sqlite", sqliteURL(s.engine.(*sqlite).path, time.Second, 1024, false))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	k, err := openKnock(s.engine.(*sqlite).path, false)
	require.NoError(t, err)
	w := &writer{db: db, knock: k, jobs: make(chan *job, waiting), stop: make(chan struct{})}
	t.Cleanup(func() {
		w.drop()
		require.NoError(t, errors.Join(k.close(), db.Close()))
	})
	return w
}

// group lets writes wait, in order, runs them as one group and returns what
// became of each.
func group(t *testing.T, w *writer, writes ...func(*tx) error) []error {
	answers := make([]chan error, len(writes))
	for i, f := range writes {
		answers[i] = make(chan error, 1)
		go func() { answers[i] <- w.write(t.Context(), 0, f) }()
		for len(w.jobs) <= i {
			runtime.Gosched()
		}
	}
	w.group(<-w.jobs)
	errs := make([]error, len(writes))
	for i := range writes {
		errs[i] = <-answers[i]
	}
	return errs
}

func set(name string, err error) func(*tx) error {
	return func(t *tx) error {
		if _, e := t.exec(`INSERT INTO meta (name, value) VALUES ($1, '')`, name); e != nil {
			return e
		}
		return err
	}
}

func stored(t *testing.T, w *writer) []string {
	var all []string
	rows, err := w.conn.QueryContext(t.Context(), `SELECT name FROM meta WHERE name NOT IN ('identity', 'config_active') ORDER BY name`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		all = append(all, name)
	}
	require.NoError(t, rows.Err())
	return all
}

func TestGroupIsolation(t *testing.T) {
	refuse := errors.New("refuse")
	w := stepped(t, 10)
	errs := group(t, w, set("a", nil), set("b", refuse), set("c", nil), set("a", nil), set("d", nil))
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], refuse)
	require.NoError(t, errs[2])
	require.Error(t, errs[3], "a is there already")
	require.NoError(t, errs[4])
	require.Equal(t, []string{"a", "c", "d"}, stored(t, w))
	require.Empty(t, w.jobs, "all were one group")
}

func TestGroupFirstFails(t *testing.T) {
	refuse := errors.New("refuse")
	w := stepped(t, 10)
	answers := make(chan error, 2)
	go func() { answers <- w.write(t.Context(), 0, set("a", refuse)) }()
	w.group(<-w.jobs)
	require.ErrorIs(t, <-answers, refuse)
	require.Empty(t, stored(t, w))
	require.Equal(t, []error{nil}, group(t, w, set("b", nil)))
	require.Equal(t, []string{"b"}, stored(t, w))
}

// TestGroupRunsAgain: one that fails after it has written has the others run once
// more, each with its events, and what was only looked at costs nothing.
func TestGroupRunsAgain(t *testing.T) {
	refuse := errors.New("refuse")
	w := stepped(t, 10)
	runs := map[string]int{}
	count := func(name string, f func(*tx) error) func(*tx) error {
		return func(t *tx) error { runs[name]++; return f(t) }
	}
	noted := func(name string) func(*tx) error {
		return func(t *tx) error {
			t.written = nil
			if err := set(name, nil)(t); err != nil {
				return err
			}
			if err := t.event(time.Now(), transfer.Event{TransferID: name, Kind: name}); err != nil {
				return err
			}
			return t.putEvents()
		}
	}
	looks := func(t *tx) error {
		var n int
		if _, err := t.scan([]any{&n}, `SELECT count(*) FROM meta`); err != nil {
			return err
		}
		return refuse
	}
	errs := group(t, w, count("a", noted("a")), count("looks", looks), count("b", noted("b")),
		count("fails", set("c", refuse)), count("d", noted("d")))
	require.Equal(t, []error{nil, refuse, nil, refuse, nil}, errs)
	require.Equal(t, []string{"a", "b", "d"}, stored(t, w))
	require.Equal(t, map[string]int{"a": 2, "looks": 1, "b": 2, "fails": 1, "d": 1}, runs)
	var events []string
	rows, err := w.conn.QueryContext(t.Context(), `SELECT kind FROM events ORDER BY id`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var kind string
		require.NoError(t, rows.Scan(&kind))
		events = append(events, kind)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"a", "b", "d"}, events, "each once, in their order")
}

// TestGroupCommitFails: when the commit fails nobody is told that it is done.
func TestGroupCommitFails(t *testing.T) {
	w := stepped(t, 10)
	// A foreign key that is checked at the end makes COMMIT itself fail.
	deferred := func(t *tx) error {
		if _, err := t.exec(`PRAGMA defer_foreign_keys = ON`); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO blocks (transfer_id, number, byte_offset, length, checksum, lengths, stored_at, payload)
			VALUES ('none', 1, 0, 0, 0, '', 0, '')`)
		return err
	}
	errs := group(t, w, set("a", nil), deferred, set("c", nil))
	for _, err := range errs {
		require.Error(t, err)
	}
	require.Equal(t, []error{nil}, group(t, w, set("d", nil)), "the next group is well")
	require.Equal(t, []string{"d"}, stored(t, w))
}

// TestDiskFull fills a database whose size is limited: the writes that do not
// fit are told so, and it works again when there is room.
func TestDiskFull(t *testing.T) {
	s := openServer(t)
	limit := func(pages int) {
		require.NoError(t, s.write(t.Context(), 0, func(tx *tx) error {
			var n int
			_, err := tx.scan([]any{&n}, "PRAGMA max_page_count = "+map[int]string{100: "100", 10000: "10000"}[pages])
			return err
		}))
	}
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, DataSize: 50000, PerBlock: 8}
	require.NoError(t, s.Create(t.Context(), time.Now(), row))
	put := func(number int64) error {
		b := transfer.Block{Number: number, Offset: (number - 1) * 400000, Payload: make([]byte, 400000)}
		for seq := 1; seq <= 8; seq++ {
			b.Lengths = append(b.Lengths, 50000)
			b.Held.Add(seq)
		}
		_, err := s.PutBlocks(t.Context(), time.Now(), row.Ref(), []transfer.Block{b}, nil)
		return err
	}
	limit(100)
	n := int64(0)
	var err error
	for err == nil {
		n++
		require.Less(t, n, int64(10))
		err = put(n)
	}
	require.Equal(t, CodeDiskFull, fault.CodeOf(err), "%v", err)
	require.True(t, Away(err))
	held, err := s.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, (n-1)*400000, held, "what was confirmed is there, and nothing of what was not")
	limit(10000)
	require.NoError(t, put(n))
}

// TestPlans: claiming, listing what is open and finding orphans look only at
// rows that are not finished, however many finished ones there are.
func TestPlans(t *testing.T) {
	s := openServer(t)
	plan := func(text string, args ...any) string {
		rows, err := s.engine.readers().direct(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
		require.NoError(t, err)
		defer rows.Close()
		var steps []string
		for rows.Next() {
			var a, b, c any
			var step string
			require.NoError(t, rows.Scan(&a, &b, &c, &step))
			steps = append(steps, step)
		}
		require.NoError(t, rows.Err())
		return strings.Join(steps, "; ")
	}
	for _, q := range []ClaimQuery{
		{Owner: "one", Term: 3, Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending, Limit: 5},
		{Owner: "one", Term: 3, Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}, Direction: transfer.Send, Institution: "A", Limit: 5},
		{Owner: "one", Term: 3, Statuses: []transfer.Status{transfer.Assembled}, Place: "seoul", Limit: 5},
	} {
		w := q.where(time.Now())
		w.equal("status", string(q.Statuses[0]))
		index := "INDEX transfers_claimable "
		if q.Institution != "" {
			index = "INDEX transfers_ready (institution=? AND status=? AND direction=?)"
		}
		claim := plan(w.query("SELECT "+transferList+" FROM transfers", "created_at, id", q.Limit), w.args...)
		require.Contains(t, claim, index)
		require.NotContains(t, claim, "TEMP B-TREE", "the oldest comes first")
	}
	var w where
	w.add(openInHand + " AND owner = " + w.arg("one") + " AND term < " + w.arg(5))
	require.Contains(t, plan(w.query("SELECT "+transferList+" FROM transfers", "created_at, id", 0), w.args...), "INDEX transfers_owned ")
	w = where{}
	w.add("place = " + w.arg("seoul"))
	w.add("backed_up_at = 0 AND work_path <> ''")
	require.Contains(t, plan(w.query("SELECT "+transferList+" FROM transfers", "created_at, id", 9), w.args...), "INDEX transfers_not_backed_up ")
	w = where{}
	w.add("place = " + w.arg("seoul"))
	w.add("due = 1")
	require.Contains(t, plan(w.query("SELECT "+transferList+" FROM transfers", "created_at, id", 9), w.args...), "INDEX transfers_due ")
	require.Contains(t, plan(`SELECT id FROM transfers WHERE `+purgeRule+` AND released_at = 0 AND ended_at < $1 ORDER BY ended_at LIMIT 64`, 5), "INDEX transfers_purge ")
	id := Identity{Institution: "A", Direction: transfer.Receive, WireName: "B"}
	half := id.halves(nil)
	require.Contains(t, plan(half.query("SELECT "+transferList+" FROM transfers", "created_at DESC, id DESC", 0), half.args...), "INDEX transfers_open (wire_name=? AND institution=? AND direction=?)")
	q := ClaimQuery{Owner: "one", Term: 3, Direction: transfer.Send, Institution: "A", Asked: true}
	asked := q.where(time.Now())
	asked.equal("status", "sent")
	require.Contains(t, plan(asked.query("SELECT 1 FROM transfers", "created_at, id", 1), asked.args...), "INDEX transfers_asked ")
	newest := plan(where{terms: []string{byTime}}.newest(20))
	require.Contains(t, newest, "INDEX transfers_created")
	require.NotContains(t, newest, "TEMP B-TREE", "no sorting of all there is")
	require.Contains(t, plan(readWhole+readOrder, "x", 0, 100000), "INDEX blocks_by_offset (transfer_id=? AND byte_offset>? AND byte_offset<?)")
}

func (w where) newest(limit int) string {
	return w.query("SELECT "+transferList+" FROM transfers", "created_at DESC, id DESC", limit)
}
