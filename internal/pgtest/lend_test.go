package pgtest

import (
	"testing"
)

// TestPrepared: a database goes on to another test only as a new one is.
func TestPrepared(t *testing.T) {
	var s Server
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	prepare := func(address string) error {
		_, err := s.psql(t, address, `CREATE TABLE of (id int PRIMARY KEY REFERENCES of, n int GENERATED ALWAYS AS IDENTITY, body bytea, at timestamptz, said text);
			INSERT INTO of (id, body, at, said) VALUES (1, '\x00ff27', '2026-11-22 01:02:03.456789+09', E'it''s $1 \\ "x"'), (2, NULL, NULL, '')`)
		return err
	}
	const rows = `SELECT (SELECT string_agg(of::text, '; ' ORDER BY id) FROM of) || (SELECT last_value || ' ' || is_called FROM of_n_seq)`
	first, want, last := "", "", ""
	for _, test := range []struct {
		name, does string
		again      bool
	}{
		{"nothing", "SELECT 1", true},
		{"rows", `DELETE FROM of WHERE id = 1; UPDATE of SET body = 'x'; INSERT INTO of (id, body) VALUES (3, 'y')`, true},
		{"a column", "ALTER TABLE of ADD more int", false},
		{"a column that is gone again", "ALTER TABLE of ADD more int; ALTER TABLE of DROP more", false},
		{"an index", "CREATE INDEX more ON of (said)", false},
		{"a table", "CREATE TABLE more ()", false},
		{"a right", "REVOKE ALL ON of FROM PUBLIC; GRANT SELECT ON of TO PUBLIC", false},
		{"a setting", "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$", false},
		{"a function", "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'", false},
		{"an analysis", "ANALYZE", true}, // which changes no row of ours
		{"much", `INSERT INTO of (id, body) SELECT n, (SELECT string_agg(md5(n || ' ' || i), '') FROM generate_series(1, 100) i)::bytea
			FROM generate_series(3, 9000) n`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := s.Prepared(t, prepare)
			if want == "" {
				first, want = address, s.SQL(t, address, rows)
			}
			if got := s.SQL(t, address, rows); got != want {
				t.Errorf("it has %s instead of %s", got, want)
			}
			last = address
			s.SQL(t, address, test.does)
		})
		if again := len(s.spare) > 0; again != test.again {
			t.Errorf("after %s it is used again: %v", test.name, again)
		}
		if len(s.spare) > 0 && s.spare[0] != last {
			t.Errorf("another one is used again: %v", s.spare)
		}
	}
	if first == last {
		t.Error("the first was never left alone")
	}
}
