package instance

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/needs"
	"pabal/transfer"
)

// TestOrderOfSyncsAndAnswers traces the system calls of a server that
// receives one file of one block and places it, and holds their order against
// design D2: nothing positive leaves before what it promises is on disk.
func TestOrderOfSyncsAndAnswers(t *testing.T) {
	strace := needs.Tool(t, "strace")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := ln.Addr().String()
	require.NoError(t, ln.Close())
	dirs := map[string]string{}
	for _, role := range []string{"institution", "centre"} {
		dirs[role] = t.TempDir()
		for _, d := range []string{"scan", "work", "receive", "result"} {
			require.NoError(t, os.Mkdir(filepath.Join(dirs[role], d), 0o750))
		}
	}
	url := sqlite.url(t, dirs["centre"])
	text, err := json.Marshal(child{Dir: dirs["centre"], URL: url, Profile: "cms", Role: "centre", Address: address, Up: []string{"EB21"}})
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-yy", "-s", "96", "-o", out,
		"-e", "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,linkat,sync_file_range", os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	// The traced server is killed, and strace ends with it, its output whole.
	stop := func() {
		for _, pid := range childrenOf(cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-ended
	}
	t.Cleanup(stop)
	reachable(t, address)

	h := &host{t: t, on: sqlite, dir: dirs["institution"]}
	h.opt, err = sideOptions(h.dir, "cms", "institution", []file{rawForm("EB21")}, nil)
	require.NoError(t, err)
	h.opt.Institutions[0].Connect = address
	h.start()
	body := content(100_000)
	h.drop("EB21.CENTRE.JOB", body)
	h.await(transfer.Send, transfer.Sent, 1)
	r := &process{t: t, c: child{URL: url}}
	s := r.read()
	(&host{t: t, store: s}).await(transfer.Receive, transfer.Assembled, 1)
	require.NoError(t, s.Close())
	h.end()
	stop()

	calls := whole(strings.Split(string(mustRead(t, out)), "\n"))
	steps := []struct{ why, call string }{
		{"the block is written to the log", `pwrite64\(\d+<[^>]*pabal\.db-wal>`},
		{"and synced", `f(data)?sync\(\d+<[^>]*pabal\.db-wal>`},
		{"before its check is answered with nothing missing", `write\(\d+<TCP:\[[^\]]*\]>, "\d{4}FTE123456780300RCEB21\d{4}000` + `0001025000`},
		{"'received' is written", `pwrite64\(\d+<[^>]*pabal\.db-wal>`},
		{"and synced", `f(data)?sync\(\d+<[^>]*pabal\.db-wal>`},
		{"before the end is answered", `write\(\d+<TCP:\[[^\]]*\]>, "0077FTE123456780610RCEB21\d{4}000\d{10}003`},
		{"the file is built beside its place", `write\(\d+<[^>]*receive/\.pabal/[^>]*>`},
		{"and synced", `fsync\(\d+<[^>]*receive/\.pabal/[0-9a-z]{13}>`},
		{"with its directory", `fsync\(\d+<[^>]*receive/\.pabal>`},
		{"'placing' is written", `pwrite64\(\d+<[^>]*pabal\.db-wal>`},
		{"and synced", `f(data)?sync\(\d+<[^>]*pabal\.db-wal>`},
		{"the file is placed without replacing", `renameat2\(.*receive/\.pabal/.*receive/EB21\..*RENAME_NOREPLACE`},
		{"both directories are synced", `fsync\(\d+<[^>]*receive(/\.pabal)?>`},
		{"both directories are synced", `fsync\(\d+<[^>]*receive(/\.pabal)?>`},
		{"'assembled' is written", `pwrite64\(\d+<[^>]*pabal\.db-wal>`},
		{"and synced", `f(data)?sync\(\d+<[^>]*pabal\.db-wal>`},
	}
	at := first(t, calls, 0, `write\(\d+<TCP:\[[^\]]*\]>, "0052FTE123456780640R`, "the announcement is answered")
	for n, step := range steps {
		found := first(t, calls, at+1, step.call, step.why)
		at = found
		// An answer must be the first of its kind: none may have left earlier.
		if strings.HasPrefix(step.call, `write\(\d+<TCP`) {
			require.Equal(t, found, first(t, calls, 0, step.call, step.why), "step %d: %s", n, step.why)
		}
	}
}

// whole joins calls that strace split in two because another thread came
// between. A sync counts when it has returned, anything else when it began.
func whole(lines []string) []string {
	begun := map[string]int{}
	for n, line := range lines {
		pid, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		if head, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			begun[pid], lines[n] = n, head
			continue
		}
		if _, tail, ok := strings.Cut(call, "resumed>"); ok && strings.HasPrefix(call, "<... ") {
			start := begun[pid]
			joined := lines[start] + tail
			if strings.Contains(joined, "sync(") {
				lines[start], lines[n] = "", joined
			} else {
				lines[start], lines[n] = joined, ""
			}
		}
	}
	return lines
}

// first is the index of the first call from start on that matches.
func first(t *testing.T, calls []string, start int, pattern, why string) int {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for n := start; n < len(calls); n++ {
		if re.MatchString(calls[n]) {
			return n
		}
	}
	t.Fatalf("no call after line %d for: %s\n%s\n\n%s", start, why, pattern, strings.Join(calls[max(0, start-3):min(len(calls), start+40)], "\n"))
	return -1
}

// childrenOf lists the direct children of a process.
func childrenOf(pid int) (out []int) {
	id := strconv.Itoa(pid)
	text, err := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
	if err != nil {
		return nil
	}
	for _, f := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// reachable waits until somebody listens.
func reachable(t *testing.T, address string) {
	t.Helper()
	deadline := time.Now().Add(hang)
	for time.Now().Before(deadline) {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = c.Close()
			return
		}
		pause := time.NewTimer(20 * time.Millisecond)
		<-pause.C
	}
	t.Fatal("nobody listens on " + address)
}
