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

// oneBlock traces the system calls of a server that receives one file of one
// block and places it.
func oneBlock(t *testing.T, on engine, ahead bool) (calls []string) {
	t.Helper()
	strace := needs.Tool(t, "strace")
	address, err := running.addresses.Free()
	require.NoError(t, err)
	dirs := map[string]string{}
	for _, role := range []string{"institution", "centre"} {
		dirs[role] = t.TempDir()
		for _, d := range []string{"scan", "work", "receive", "result"} {
			require.NoError(t, os.Mkdir(filepath.Join(dirs[role], d), 0o750))
		}
	}
	url := on.url(t, dirs["centre"])
	text, err := json.Marshal(child{Dir: dirs["centre"], URL: url, Profile: "cms", Role: "centre", Address: address, Up: []string{"EB21"}, Files: on.inFiles(), Ahead: ahead})
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

	h := &host{t: t, on: on, dir: dirs["institution"]}
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

	return whole(strings.Split(string(mustRead(t, out)), "\n"))
}

// step is a system call that must come, and why.
type step struct{ why, call string }

// What the two keepers have in common. An answer is a write to the line.
const (
	answer      = `write\(\d+<TCP:\[[^\]]*\]>, "`
	blockHeld   = answer + `\d{4}FTE123456780300RCEB21\d{4}000` + `0001025000`
	endHeld     = answer + `0077FTE123456780610RCEB21\d{4}000\d{10}003`
	rowsWritten = `pwrite64\(\d+<[^>]*pabal\.db-wal>`
	rowsSynced  = `f(data)?sync\(\d+<[^>]*pabal\.db-wal>`
	placedOnce  = `renameat2\(.*receive/\.pabal/.*receive/EB21\..*RENAME_NOREPLACE`
	dirSynced   = `fsync\(\d+<[^>]*receive(/\.pabal)?>`
)

// TestOrderOfSyncsAndAnswers holds the order of system calls against design
// D2: nothing positive leaves before what it promises is on disk.
func TestOrderOfSyncsAndAnswers(t *testing.T) {
	t.Parallel()
	inOrder(t, oneBlock(t, sqlite, false), []step{
		{"the block is written to the log", rowsWritten},
		{"and synced", rowsSynced},
		{"before its check is answered with nothing missing", blockHeld},
		{"'received' is written", rowsWritten},
		{"and synced", rowsSynced},
		{"before the end is answered", endHeld},
		{"the file is built beside its place", `write\(\d+<[^>]*receive/\.pabal/[^>]*>`},
		{"and synced", `fsync\(\d+<[^>]*receive/\.pabal/[0-9a-z]{13}>`},
		{"with its directory", `fsync\(\d+<[^>]*receive/\.pabal>`},
		{"'placing' is written", rowsWritten},
		{"and synced", rowsSynced},
		{"the file is placed without replacing", placedOnce},
		{"both directories are synced", dirSynced},
		{"both directories are synced", dirSynced},
		{"'assembled' is written", rowsWritten},
		{"and synced", rowsSynced},
	})
}

// TestOrderOfSyncsAhead is the same for a file that is built while it comes: that
// is nobody's until "received" is on disk, and is synced before it gets a name.
func TestOrderOfSyncsAhead(t *testing.T) {
	t.Parallel()
	calls := oneBlock(t, sqlite, true)
	const built = `receive/\.pabal/[0-9a-z]{13}`
	inOrder(t, calls, []step{
		{"the block is written to the log", rowsWritten},
		{"and synced", rowsSynced},
		{"before its check is answered with nothing missing", blockHeld},
		{"'received' is written", rowsWritten},
		{"and synced", rowsSynced},
		{"before the end is answered", endHeld},
		{"the file that stands ready is synced", `fsync\(\d+<[^>]*` + built + `\.ahead>`},
		{"before it gets the name of one that is built", `rename(at2?)?\(.*` + built + `\.ahead", .*` + built + `"`},
		{"that with its directory", `fsync\(\d+<[^>]*receive/\.pabal>`},
		{"'placing' is written", rowsWritten},
		{"and synced", rowsSynced},
		{"the file is placed without replacing", placedOnce},
		{"both directories are synced", dirSynced},
		{"both directories are synced", dirSynced},
		{"'assembled' is written", rowsWritten},
		{"and synced", rowsSynced},
	})
	first(t, calls, 0, `write\(\d+<[^>]*`+built+`\.ahead>`, "the file is written while it comes")
	for _, call := range calls {
		require.NotRegexp(t, `write(64|v)?\(\d+<[^>]*`+built+`>`, call, "content is written once")
	}
}

// TestOrderOfSyncsInFiles is the same with content in files (design D3): the
// block is on disk where it stands, and the name of its file, before the row
// that says so; and the file is not written a second time.
func TestOrderOfSyncsInFiles(t *testing.T) {
	t.Parallel()
	const (
		content = `pwrite64\(\d+<[^>]*receive/\.pabal/[0-9a-z]{13}>`
		name    = `fsync\(\d+<[^>]*receive/\.pabal>`
	)
	calls := oneBlock(t, sqliteFiles, false)
	inOrder(t, calls, []step{
		{"the block is written to its file", content},
		{"and synced", `fdatasync\(\d+<[^>]*receive/\.pabal/[0-9a-z]{13}>`},
		{"before its row is written", rowsWritten},
		{"and synced", rowsSynced},
		{"before its check is answered with nothing missing", blockHeld},
		{"'received' is written", rowsWritten},
		{"and synced", rowsSynced},
		{"before the end is answered", endHeld},
		{"'placing' is written", rowsWritten},
		{"and synced", rowsSynced},
		{"the file is placed without replacing", placedOnce},
		{"both directories are synced", dirSynced},
		{"both directories are synced", dirSynced},
		{"'assembled' is written", rowsWritten},
		{"and synced", rowsSynced},
	})
	// The name may be synced beside the content.
	named := first(t, calls, 0, name, "the name is synced")
	held := first(t, calls, 0, blockHeld, "the check is answered")
	row := -1
	for n, call := range calls[:held] {
		if regexp.MustCompile(rowsSynced).MatchString(call) {
			row = n
		}
	}
	require.Less(t, named, row, "the name is durable before the row of the block")
	count := 0
	for _, call := range calls {
		if regexp.MustCompile(`write(64|v)?\(\d+<[^>]*receive/\.pabal/`).MatchString(call) {
			count++
		}
	}
	require.Equal(t, 1, count, "content is written once")
}

// inOrder finds the steps one after the other, after the announcement was
// answered.
func inOrder(t *testing.T, calls []string, steps []step) {
	t.Helper()
	at := first(t, calls, 0, `write\(\d+<TCP:\[[^\]]*\]>, "0052FTE123456780640R`, "the announcement is answered")
	for n, step := range steps {
		found := first(t, calls, at+1, step.call, step.why)
		if step.call != endHeld { // the file may be assembled before the answer has left
			at = found
		}
		// An answer must be the first of its kind: none may have left earlier.
		if strings.HasPrefix(step.call, answer) {
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
