package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStatusSaysWhoIsWaitedFor: while the instance that looks into the scan
// directory does not run, status says that nobody does, and where.
func TestStatusSaysWhoIsWaitedFor(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	_, config := yard(t, centreSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"))
	s := serve(t, config, "instance_A")
	_, out, _ := start(t, "status", "-c", config)
	require.NotContains(t, out, "waiting for place")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, s.cmd.Wait())
	code, out, errs := start(t, "status", "-c", config)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "waiting for place one: nobody looks into the scan directory until instance_A runs")
	_, out, _ = start(t, "status", "-c", config, "--json")
	require.Contains(t, out, `"waiting":[{"stage":"scan","place":"one","instances":["instance_A"],"transfers":0`)
}
