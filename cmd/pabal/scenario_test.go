package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/simulator/scenario"
)

const scenarios = "../../testdata/scenarios"

// Every scenario file is a test: it is played over TCP against a server of ours
// that is made for it, and comes out as it expects.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scenarios, "*.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 12)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scenario.Load(file, scenario.Options{Today: time.Now().In(koreaZone())})
			require.NoError(t, err)
			require.Equal(t, name, s.Name)
			require.NotEmpty(t, s.About["en"])
			require.NotEmpty(t, s.About["ko"])
			require.Empty(t, s.Address, "the server is made for it")
			dir, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			// Nothing is told of how fast this machine is, unless a file is about silence.
			s.Within = hanging
			for _, wait := range []*time.Duration{&s.Server.Reply, &s.Who.Reply, &s.Who.Idle, &s.Who.First} {
				if *wait >= 5*time.Second {
					*wait = time.Minute
				}
			}
			var a app
			out, err := a.playScenario(t.Context(), s, scenario.Run{Dir: dir}, "")
			require.NoError(t, err)
			require.NoError(t, errors.Join(out.Wrong...), "%+v", out)
		})
	}
}
