package pgtest

import (
	"fmt"
	"strings"
	"testing"
)

// A new database costs the server three hundred files, more than most tests do
// with theirs. So a test's database goes on to a later test if nothing tells it
// from a new one: nobody is connected, the rows are those of the template again,
// and the schema is the template's, down to the transaction that wrote each line
// of its description. One whose test failed, or that has grown, is left alone.

// grown is how many bytes a database may take to be used again: an empty one has
// eight million, and what was deleted from a larger one is still in the way.
const grown = 24 << 20

const (
	// tablesText are the tables and the sequences of ours.
	tablesText = `SELECT c.relkind || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid >= 16384 AND n.nspname <> 'pg_toast' AND c.relkind IN ('r', 'S') ORDER BY 1`

	// shapeText tells what the database is, apart from rows: all that is described
	// above the numbers of what every database has, and its own settings.
	shapeText = `SELECT md5(string_agg(x, ',' ORDER BY x)) || (pg_database_size(current_database()) < %d) FROM (
		SELECT 'c ' || oid || ' ' || xmin FROM pg_class WHERE oid >= 16384
		UNION ALL SELECT 'a ' || attrelid || ' ' || attnum || ' ' || xmin FROM pg_attribute WHERE attrelid >= 16384
		UNION ALL SELECT 'd ' || oid || ' ' || xmin FROM pg_attrdef
		UNION ALL SELECT 'i ' || indexrelid || ' ' || xmin FROM pg_index WHERE indexrelid >= 16384
		UNION ALL SELECT 'k ' || oid || ' ' || xmin FROM pg_constraint WHERE oid >= 16384
		UNION ALL SELECT 'g ' || oid || ' ' || xmin FROM pg_trigger
		UNION ALL SELECT 'p ' || oid || ' ' || xmin FROM pg_proc WHERE oid >= 16384
		UNION ALL SELECT 'r ' || oid || ' ' || xmin FROM pg_rewrite WHERE oid >= 16384
		UNION ALL SELECT 't ' || oid || ' ' || xmin FROM pg_type WHERE oid >= 16384
		UNION ALL SELECT 'n ' || oid || ' ' || xmin FROM pg_namespace
		UNION ALL SELECT 'x ' || oid || ' ' || xmin FROM pg_extension
		UNION ALL SELECT 'l ' || oid || ' ' || xmin FROM pg_default_acl
		UNION ALL SELECT 's ' || r.setrole || array_to_string(r.setconfig, ' ') FROM pg_db_role_setting r, pg_database d
			WHERE d.oid = r.setdatabase AND d.datname = current_database()
		UNION ALL SELECT 'b ' || coalesce(datacl::text, '') || datdba || ' ' || datconnlimit FROM pg_database WHERE datname = current_database()
	) AS described(x)`

	// aloneText waits until whoever has closed a connection is really gone.
	aloneText = `DO $$ BEGIN
		FOR tries IN 1..200 LOOP
			PERFORM pg_stat_clear_snapshot();
			IF NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend') THEN
				RETURN;
			END IF;
			PERFORM pg_sleep(0.01);
		END LOOP;
		RAISE EXCEPTION 'somebody is connected';
	END $$;`
)

// describe takes down what the template is like.
func (s *Server) describe(t testing.TB) error {
	tables, err := s.psql(t, s.template, tablesText)
	if err != nil {
		return err
	}
	var clear strings.Builder
	clear.WriteString(aloneText + "SET session_replication_role = replica;") // the order of references does not count
	for line := range strings.FieldsSeq(tables) {
		kind, table := line[0], line[1:]
		ask := "SELECT json_agg(x) FROM %s x"
		if kind == 'S' {
			ask = "SELECT last_value || ', ' || is_called FROM %s"
		}
		rows, err := s.psql(t, s.template, fmt.Sprintf(ask, table))
		if err != nil {
			return err
		}
		if kind == 'S' {
			fmt.Fprintf(&clear, "SELECT FROM setval('%s', %s);", table, rows)
			continue
		}
		fmt.Fprintf(&clear, "DELETE FROM %s;", table)
		if rows != "" {
			fmt.Fprintf(&clear, "INSERT INTO %[1]s OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::%[1]s, $rows$%[2]s$rows$);", table, rows)
		}
	}
	s.clear = clear.String() + fmt.Sprintf(shapeText, grown)
	s.shape, err = s.psql(t, s.template, fmt.Sprintf(shapeText, grown))
	return err
}

// lent is a database that a test has done with, or "".
func (s *Server) lent() (address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.spare); n > 0 {
		address, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	return address
}

// takeBack keeps a database for another test if it is as a new one. That it is
// not, or that the server is gone, is nobody's mistake.
func (s *Server) takeBack(t testing.TB, address string) {
	if t.Failed() {
		return
	}
	shape, err := s.psql(t, address, s.clear)
	if err != nil || shape != s.shape {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = append(s.spare, address)
}
