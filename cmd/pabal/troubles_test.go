package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStatusNamesBackupsThatFail: the directory of backups cannot be made;
// status and show say so until it can, and then the backup is there.
func TestStatusNamesBackupsThatFail(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir, config := yard(t, memberSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A } ]\nrouters: [ { id: fileScanRouter, kind: instance, instance: instance_A } ]\n", "", "127.0.0.1:1"))
	serve(t, config, "instance_A")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "backup")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "backup"), nil, 0o600)) // a server does not start with it
	require.NoError(t, os.WriteFile(filepath.Join(dir, "scan", "EB21.CENTRE.JOB"), []byte("content"), 0o600))
	status := func(args ...string) string {
		_, out, _ := start(t, append([]string{"status", "-c", config}, args...)...)
		return out
	}
	eventually(t, "status to say so", func() bool { return strings.Contains(status(), "cannot be written") })
	require.Regexp(t, `(?s)Files that cannot be written:\n  backup of 1 transfers, since \S+ \(instance_A at one\): EB21.CENTRE.JOB \(\w+\)\n.*\[file.not_a_dir\]\n  → Put the cause right`, status())
	require.Contains(t, status("--lang", "ko"), "백업 1건")
	require.Contains(t, status("--json"), `"stage":"backup"`)
	_, out, _ := start(t, "transfer", "show", "EB21.CENTRE.JOB", "-c", config)
	require.Regexp(t, `backup, since 20\S+ \S+:\nThe backup of this file cannot be written. .*\[file.not_a_dir\]\n→ Put the cause right`, out)
	_, out, _ = start(t, "transfer", "show", "EB21.CENTRE.JOB", "-c", config, "--json")
	require.Contains(t, out, `"troubles":[{"stage":"backup"`)

	require.NoError(t, os.Remove(filepath.Join(dir, "backup")))
	eventually(t, "status to say nothing more", func() bool { return !strings.Contains(status(), "cannot be written") })
	_, out, _ = start(t, "transfer", "show", "EB21.CENTRE.JOB", "-c", config)
	require.Contains(t, out, filepath.Join(dir, "backup"))
}
