package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/transfer"
)

// TestThreeProcessesStart: three hosts that start at once on an empty database
// migrate it once, and all run.
func TestThreeProcessesStart(t *testing.T) {
	var postgres pgtest.Server
	t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
	url := postgres.URL(t)
	shared := centreSide(url, `
instances:
  - { id: instance_A, listen: [{ address: "127.0.0.1:0", profile: cms }] }
  - { id: instance_B, listen: [{ address: "127.0.0.1:0", profile: cms }] }
  - { id: instance_C, listen: [{ address: "127.0.0.1:0", profile: cms }] }
routers: [ { id: fileScanRouter, kind: instance, instance: instance_A } ]
`)
	var all []*served
	for _, id := range []string{"A", "B", "C"} {
		_, config := yard(t, shared)
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		own := strings.Replace(string(text), "host: one", "host: "+id, 1)
		require.NoError(t, os.WriteFile(config, []byte(own), 0o600))
		all = append(all, launch(t, config, "instance_"+id))
	}
	for _, s := range all {
		s.ready(t)
		require.NotEmpty(t, s.listen)
	}
	require.Equal(t, "t", postgres.SQL(t, url, "SELECT count(*) = count(DISTINCT version_id) FROM schema_versions"))
	st, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
	require.NoError(t, err)
	defer st.Close()
	have, want, err := st.SchemaVersions(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, have)
	running, err := st.Instances(t.Context())
	require.NoError(t, err)
	require.Len(t, running, 3)
	for _, in := range running {
		require.EqualValues(t, 1, in.Term)
	}
}

// TestRunWaitsForItsDatabase: a service that comes up before its database
// server says so and waits; told not to, it ends and says what to do. Nobody
// reads the password of the address.
func TestRunWaitsForItsDatabase(t *testing.T) {
	var postgres pgtest.Server
	t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
	c, url := postgres.Cutter(t, postgres.URL(t))
	url += "&password=geheim"
	c.Away()
	const one = "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"
	_, config := yard(t, strings.Replace(centreSide(url, one), "\" }", "\", wait: 0s }", 1))
	code, out, errs := start(t, "run", "-c", config)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "There is no connection to the database server")
	require.Contains(t, errs, "Check that the server runs")

	_, config = yard(t, centreSide(url, one))
	s := launch(t, config, "instance_A")
	eventually(t, "a line for each try", func() bool { return strings.Count(s.log.String(), "the database server is away, waiting for it") > 1 })
	// It answers again, and loses the answers to the first commits.
	const tries = 5
	c.NextWith(pgtest.Parameter("identity"), pgtest.Before, tries, false)
	s.ready(t)
	require.Equal(t, tries, c.Count(), "%s", s.log)
	_, checked, _ := start(t, "check", "-c", config)
	_, asJSON, _ := start(t, "check", "--json", "-c", config)
	_, listed, _ := start(t, "transfer", "list", "-c", config)
	require.NotContains(t, out+errs+checked+asJSON+listed+s.log.String(), "geheim")
	require.Contains(t, checked, pgtest.Database(t, url))
}

// TestDemoOnPostgres: the demonstration as it is, on a database server, which
// it then does not use a second time.
func TestDemoOnPostgres(t *testing.T) {
	var postgres pgtest.Server
	t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
	url := postgres.URL(t)
	dir := filepath.Join(t.TempDir(), "demo")
	said, err := pabal(t, "demo", "--once", "--json", "--store", url, "--dir", dir).CombinedOutput()
	require.NoError(t, err, string(said))
	_, err = os.Stat(filepath.Join(dir, "pabal.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
	st, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
	require.NoError(t, err)
	defer st.Close()
	sent, err := st.List(t.Context(), store.Filter{Statuses: []transfer.Status{transfer.Sent, transfer.Assembled}})
	require.NoError(t, err)
	require.Len(t, sent, 4, fmt.Sprint(sent))
	code, _, errs := start(t, "demo", "--once", "--store", url)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "demo.database_in_use")
}
