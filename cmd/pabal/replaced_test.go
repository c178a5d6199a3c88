package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// TestServerWhoseDatabaseIsTakenAway: the server ends by itself, within a part
// of its lease although nothing is under way, and says what to do. Started
// again it finds the copy to be older, or the new one to be another, and holds
// everything.
func TestServerWhoseDatabaseIsTakenAway(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	const one = "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"
	for _, test := range []struct {
		name string
		take func(path string) error
		why  string
	}{
		{"renamed over", func(path string) error { return os.Rename(path+".copy", path) }, "older"},
		{"removed", os.Remove, "other_database"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, config := yard(t, centreSide("sqlite:pabal.db", one))
			short(t, config)
			path := filepath.Join(dir, "pabal.db")
			s := serve(t, config, "instance_A")
			db, err := sql.Open("sqlite", "file:"+path)
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), "VACUUM INTO '"+path+".copy'")
			require.NoError(t, err)
			require.NoError(t, db.Close())
			require.NoError(t, os.Chmod(path+".copy", 0o600))
			require.NoError(t, s.cmd.Process.Kill())
			_ = s.cmd.Wait()
			s = serve(t, config, "instance_A") // in a later term than the copy knows of

			require.NoError(t, test.take(path))
			require.Error(t, s.cmd.Wait())
			require.Equal(t, exitFailed, s.cmd.ProcessState.ExitCode(), "%s", s.log)
			require.Contains(t, s.log.String(), "store.replaced")
			require.Contains(t, s.log.String(), "Make sure that the right file is there")
			require.NoFileExists(t, path+"-wal")
			require.FileExists(t, path+"-wal.lost")

			s = serve(t, config, "instance_A")
			// What it says in its log comes by another pipe than that it is ready.
			eventually(t, "quarantine", func() bool {
				return strings.Contains(s.log.String(), "quarantine") && strings.Contains(s.log.String(), test.why)
			})
		})
	}
}
