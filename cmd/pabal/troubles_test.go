package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
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

// TestFilesNotTakenAreTold: a file that a counterparty announced and that was
// refused has no transfer; status, session list and session show tell of it.
func TestFilesNotTakenAreTold(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir, config := yard(t, memberSide("sqlite:pabal.db", "\ninstances: [ { id: instance_A } ]\nrouters: [ { id: fileScanRouter, kind: instance, instance: instance_A } ]\n", "", "127.0.0.1:1"))
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db"), Server: true})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	now := time.Now()
	require.NoError(t, s.OpenSession(t.Context(), now, &transfer.Session{ID: "s1", Institution: "KFTC", Profile: "cms", Instance: "instance_A", ClosedAt: now}))
	require.NoError(t, s.Event(t.Context(), now.Add(time.Hour*48), transfer.Event{SessionID: "s1", Kind: store.EventRefused, // of today at midnight, too
		Code: "instance.other_size", Detail: `{"subject":"EB211120","size":"9","held":"8","other":"06abcdefgh123"}`}))
	require.NoError(t, s.Close())
	say := func(args ...string) string {
		_, out, errs := start(t, append(args, "-c", config)...)
		require.Empty(t, errs)
		return out
	}
	require.Regexp(t, `(?s)were not taken .*KFTC  EB211120, session s1\n  .*EB211120.*\[instance.other_size\]\n  → \S`, say("status"))
	require.Contains(t, say("status", "--lang", "ko"), "EB211120, 세션 s1")
	require.Contains(t, say("status", "--json"), `"not_taken":[{"institution":"KFTC","session":"s1","at":`)
	require.Contains(t, say("session", "list", "--failed"), "ended, files not taken: 1")
	require.Contains(t, say("session", "list", "--failed", "--json"), `"wire_name":"EB211120"`)
	require.Regexp(t, `announced EB211120, and it was not taken:\n.*\[instance.other_size\]\n→ \S`, say("session", "show", "s1"))
}
