package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/linetest"
	"pabal/internal/pgtest"
	"pabal/store"
	"pabal/transfer"
)

// hanging is when a test gives up.
const hanging = 4 * time.Minute

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.Now().Add(hanging)
	for pause := 10 * time.Millisecond; !f(); pause = min(pause*5/4, 200*time.Millisecond) { // each look costs what is looked at
		if time.Now().After(limit) {
			t.Fatal("waited in vain: " + what)
		}
		<-time.After(pause)
	}
}

// served is `pabal run` as a process of its own.
type served struct {
	cmd    *exec.Cmd
	out    io.Reader
	listen string
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// serve starts one instance and waits until it is ready.
func serve(t *testing.T, config, id string) *served {
	t.Helper()
	s := launch(t, config, id)
	s.ready(t)
	return s
}

// launch starts one instance.
func launch(t *testing.T, config, id string) *served {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*hanging)
	s := &served{cmd: exec.CommandContext(ctx, self, "run", "--json", "-c", config, "--instance", id), log: &lockedBuffer{}}
	s.cmd.Args[0], s.cmd.Stderr = "pabal", s.log
	s.cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGCONT)
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		cancel()
		if t.Failed() {
			t.Logf("%s:\n%s", id, s.log.String())
		}
	})
	s.out = out
	return s
}

// ready waits until it says that it is.
func (s *served) ready(t *testing.T) {
	t.Helper()
	var ready struct {
		Instances []struct{ Listen []string }
	}
	require.NoError(t, json.NewDecoder(s.out).Decode(&ready), "%s", s.log.String())
	if l := ready.Instances[0].Listen; len(l) > 0 {
		s.listen = l[0]
	}
}

// short makes the lease of a yard's host one that a test can wait for the end of.
func short(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, bytes.Replace(text, []byte("lease: 2m"), []byte("lease: 3s"), 1), 0o600))
}

// yard is the directory of one side with its configuration. A busy machine keeps
// its lease: an instance that begins again has another term.
func yard(t *testing.T, rest string) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"scan", "work", "receive"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o750))
	}
	config = filepath.Join(dir, "pabal.yaml")
	text := `
environment: test
host: one
lease: 2m
system: { SCAN_DIRECTORY_NAME: scan, WORK_DIRECTORY_NAME: work, RECEIVE_DIRECTORY_NAME: receive }
scan: { every: 50ms, settle: 0s }
log: { format: text }
` + rest
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("secret\n"), 0o600))
	return dir, config
}

const twoInstances = `
instances:
  - { id: instance_A, listen: [{ address: "127.0.0.1:0", profile: cms }] }
  - { id: instance_B, listen: [{ address: "127.0.0.1:0", profile: cms }] }
routers: [ { id: fileScanRouter, kind: instance, instance: instance_A } ]
`

func centreSide(database, instances string) string {
	return "database: { url: \"" + database + "\" }\n" + instances + `
institutions:
  - { code: MEMBER, profile: cms, side: centre, wire_code: "12345678", instance: instance_A, expect: { name: kim, password: "${file:password}" } }
jobs: [ { code: JOB, institution: MEMBER } ]
files: [ { id: EB21, institution: MEMBER, job: JOB, direction: receive, wire_name: "${FILE_ID:4}+${MMdd:4}", record: { form: raw } } ]
`
}

func memberSide(database, instances, standby, connect string) string {
	return "database: { url: \"" + database + "\" }\n" + instances + `
institutions:
  - code: CENTRE
    profile: cms
    side: institution
    wire_code: "12345678"
    instance: instance_A
    ` + standby + `
    connect: "` + connect + `"
    sender: { name: kim, password: "${file:password}" }
    retry: { first: 100ms, max: 500ms }
    timeouts: { reply: 4s }
jobs: [ { code: JOB, institution: CENTRE } ]
files: [ { id: EB21, institution: CENTRE, job: JOB, direction: send, wire_name: "${FILE_ID:4}+${MMdd:4}", record: { form: raw } } ]
`
}

// TestStoppedProcess: two processes on one database. The one that carries a
// file is stopped in the middle of it for longer than its lease; the other
// takes over. Continued, the first writes nothing that counts. Meanwhile the
// line of the old session is dead without a word, too.
func TestStoppedProcess(t *testing.T) {
	for _, cluster := range []string{"receives", "sends"} {
		t.Run(cluster, func(t *testing.T) {
			t.Parallel()
			stoppedProcess(t, cluster)
		})
	}
}

func stoppedProcess(t *testing.T, cluster string) {
	var postgres pgtest.Server
	t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
	url := postgres.URL(t)
	const one = "\ninstances: [ { id: instance_A, listen: [{ address: \"127.0.0.1:0\", profile: cms }] } ]\n"
	const half = 3 << 20
	var a, b *served
	var line *linetest.Line
	var sender, receiver, urlSent, urlCame string
	if cluster == "receives" {
		dir, config := yard(t, centreSide(url, twoInstances))
		short(t, config)
		a, b = serve(t, config, "instance_A"), serve(t, config, "instance_B")
		receiver, urlCame = dir, url
		line = linetest.New(t, a.listen, half)
		sender, config = yard(t, memberSide("sqlite:pabal.db", one, "", line.Address()))
		urlSent = "sqlite:" + filepath.Join(sender, "pabal.db")
		serve(t, config, "instance_A")
	} else {
		dir, config := yard(t, centreSide("sqlite:pabal.db", one))
		receiver, urlCame = dir, "sqlite:"+filepath.Join(dir, "pabal.db")
		line = linetest.New(t, serve(t, config, "instance_A").listen, half)
		sender, config = yard(t, memberSide(url, twoInstances, "standby: [instance_B]", line.Address()))
		short(t, config)
		urlSent = url
		a, b = serve(t, config, "instance_A"), serve(t, config, "instance_B")
	}
	defer line.Close()
	watch, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
	require.NoError(t, err)
	defer watch.Close()
	body := bytes.Repeat([]byte("0123456789abcdef"), 8<<16) // 8 MiB
	require.NoError(t, os.WriteFile(filepath.Join(sender, "scan", ".f"), body, 0o600))
	require.NoError(t, os.Rename(filepath.Join(sender, "scan", ".f"), filepath.Join(sender, "scan", "EB21.CENTRE.JOB")))

	select {
	case <-line.Held():
	case <-time.After(hanging):
		t.Fatal("nothing is on the line")
	}
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGSTOP))
	eventually(t, "the death of the first", func() bool { return strings.Contains(b.log.String(), "an instance is dead") })
	if cluster == "receives" {
		line.Target(b.listen)
	}
	final := func(url string, want transfer.Status) *transfer.Transfer {
		s, err := store.Open(t.Context(), store.Options{URL: url, ReadOnly: true})
		require.NoError(t, err)
		defer s.Close()
		var rows []*transfer.Transfer
		eventually(t, string(want), func() bool {
			rows, err = s.List(t.Context(), store.Filter{})
			require.NoError(t, err)
			return len(rows) == 1 && rows[0].Status == want && rows[0].Owner == ""
		})
		return rows[0]
	}
	final(urlSent, transfer.Sent)
	came := final(urlCame, transfer.Assembled)
	before := everything(t, watch)

	// The first goes on, and the bytes that were held on its line arrive.
	line.Heal()
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGCONT))
	eventually(t, "a new term of the first", func() bool { return strings.Contains(a.log.String(), "instance runs again") })
	require.Equal(t, before, everything(t, watch))
	got, err := os.ReadFile(came.FinalPath)
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, got))
	entries, err := os.ReadDir(filepath.Join(receiver, "receive"))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the file and .pabal")
	lines, err := watch.Lines(t.Context())
	require.NoError(t, err)
	for _, l := range lines {
		require.NotEqual(t, "instance_A", l.Owner)
	}
}

// everything is what is stored of every transfer.
func everything(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	var out []string
	for _, row := range rows {
		row.WorkPath, row.BackupPath, row.BackedUpAt, row.UpdatedAt = "", "", time.Time{}, time.Time{} // written beside its holder
		out = append(out, fmt.Sprintf("%+v", *row))
		infos, err := s.BlockInfos(t.Context(), row.ID)
		require.NoError(t, err)
		for _, b := range infos {
			out = append(out, fmt.Sprintf("%+v", b))
		}
	}
	return out
}
