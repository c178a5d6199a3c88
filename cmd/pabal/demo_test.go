package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pabal is the program as a process of its own: this test binary under the name
// that TestMain knows.
func pabal(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*hanging)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "pabal"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

func TestDemoForPrograms(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "work space") // must not exist yet, and may have a blank
	cmd := pabal(t, "demo", "--once", "--json", "--dir", dir)
	var out, picture bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &picture
	require.NoError(t, cmd.Run(), "%s", picture.String())
	require.Empty(t, picture.String(), "a program reads, and nobody looks on")
	checkReport(t, dir, out.Bytes(), 1_000_000)
}

func TestDemoCrash(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	cmd := pabal(t, "demo", "--once", "--crash", "--lang", "ko", "--dir", dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), "%s", errs.String())
	require.Empty(t, errs.String())
	picture := out.String()
	for _, text := range []string{
		"결번 037, 058", "재송신 037, 058 (0310)",
		"kill -9 ", "전체 20 블록 중 10 블록까지 상대에 저장됨", "죽은 서버가 남긴 상태: 송신중",
		"송신중 → 재시도대기 → 송신중",
		"기수신 4,050,000 바이트: 블록 11 시퀀스 001 부터 이어 보냄", "두 번 나간 전문 없음",
	} {
		require.Contains(t, picture, text)
	}
	require.NotContains(t, picture, "\x1b", "no colours in a pipe")
	require.Less(t, strings.Index(picture, "037, 058"), strings.LastIndex(picture, "├── "), "the tree comes last")

	// What the account says is so: each sample is at its other end, once.
	sums := map[string]string{}
	for _, place := range []string{"data/receive", "counterparties/kftc/take", "counterparties/van/take"} {
		arrived, err := os.ReadDir(filepath.Join(dir, place))
		require.NoError(t, err)
		for _, e := range arrived {
			if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
				sum, _, err := fileSum(filepath.Join(dir, place, e.Name()))
				require.NoError(t, err)
				require.NotContains(t, sums, sum, "twice")
				sums[sum] = e.Name()
			}
		}
	}
	samples, err := os.ReadDir(filepath.Join(dir, "samples"))
	require.NoError(t, err)
	require.Len(t, samples, 4)
	for _, e := range samples {
		sum, size, err := fileSum(filepath.Join(dir, "samples", e.Name()))
		require.NoError(t, err)
		require.Contains(t, sums, sum, e.Name())
		require.Contains(t, picture, sum[:16])
		if strings.HasPrefix(e.Name(), "EB21") {
			require.Greater(t, size, int64(7_000_000))
		}
	}
	require.Len(t, sums, 4)
}

// checkReport reads the one object of --json and compares the files that it
// names.
func checkReport(t *testing.T, dir string, out []byte, big int64) {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(out))
	in.DisallowUnknownFields()
	var r struct {
		demoReport
		Environment string `json:"environment"`
	}
	require.NoError(t, in.Decode(&r), "%s", out)
	require.Equal(t, demoEnvironment, r.Environment)
	require.ErrorIs(t, in.Decode(new(any)), io.EOF, "one object and nothing else")
	for _, key := range []string{"files_sent", "files_received", "equal", "resent", "seconds", "files"} {
		require.Contains(t, string(out), `"`+key+`":`)
	}

	require.Equal(t, 2, r.FilesSent)
	require.Equal(t, 2, r.FilesReceived)
	require.True(t, r.Equal)
	require.EqualValues(t, 5, r.Resent)
	require.Positive(t, r.Seconds)
	require.Len(t, r.Files, 4)
	want := map[string]struct {
		profile, direction string
		least, resent      int64
	}{
		"EB21": {"cms", "send", big, 2}, "EB13": {"cms", "send", 300_000, 0},
		"EB22": {"cms", "receive", 300_000, 0}, "C02.": {"edi", "receive", 800_000, 3},
	}
	for _, f := range r.Files {
		w, ok := want[f.Name[:4]]
		require.True(t, ok, f.Name)
		delete(want, f.Name[:4])
		require.Equal(t, w.profile, f.Profile, f.Name)
		require.Equal(t, w.direction, f.Direction, f.Name)
		require.Equal(t, w.resent, f.Resent, f.Name)
		require.Greater(t, f.Bytes, w.least, f.Name)
		require.Equal(t, f.Blocks > 1, f.Bytes > 410_000, f.Name)
		require.NotEqual(t, f.Source, f.Arrived)
		for _, path := range []string{f.Source, f.Arrived} {
			require.True(t, strings.HasPrefix(path, dir+"/"), path)
			sum, size, err := fileSum(path)
			require.NoError(t, err)
			require.Equal(t, f.SHA256, sum, path)
			require.Equal(t, f.Bytes, size, path)
		}
	}
	require.Empty(t, want)
}

// TestDemoStaysUp drops files by the line that the demonstration prints, good
// and bad ones, and ends it as Ctrl-C does.
func TestDemoStaysUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := pabal(t, "demo", "--dir", dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	said := newWaiter(out)

	drop := said.line(t, "  cp YOURFILE ")
	for _, text := range []string{
		"block 2 [##################.#########.#####################]  98/100  missing 037, 058",
		"block 2 resent 037, 058 (0310)",
		"block 2 [##################################################] 100/100",
	} {
		require.Contains(t, strings.Join(said.heard, "\n"), text)
	}
	watch := said.line(t, " transfer list -c ")
	said.line(t, "Ctrl-C")
	mine := filepath.Join(t.TempDir(), "mine.bin")
	require.NoError(t, os.WriteFile(mine, bytes.Repeat([]byte("\x00\xff\n"), 300_000), 0o600))
	sum, _, err := fileSum(mine)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "data/scan/NONE.KFTC.CMS"), []byte("x"), 0o600))
	said.line(t, `No file registration is called "NONE"`)
	shell(t, strings.Replace(drop, "YOURFILE", mine, 1))
	said.line(t, "── FREE.KFTC.CMS")
	compared := said.line(t, "sha256 ")
	require.Contains(t, compared, sum[:16])
	require.Contains(t, compared, "equal")
	_, args, _ := strings.Cut(watch, " transfer ")
	code, list, errs := start(t, append([]string{"transfer"}, strings.Fields(args)...)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, list, "FREE.KFTC.CMS")

	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	said.rest()
	require.NoError(t, cmd.Wait(), "everything had arrived")
	log, err := os.ReadFile(filepath.Join(dir, "logs/server.log"))
	require.NoError(t, err)
	require.NotContains(t, string(log), `"level":"ERROR"`)
	// The lock of the one server is free again: another server may begin.
	code, _, errs = start(t, "migrate", "-c", filepath.Join(dir, "pabal.yaml"))
	require.Equal(t, exitOK, code, errs)
}

func TestDemoRefuses(t *testing.T) {
	used := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(used, "something"), nil, 0o600))
	code, out, errs := start(t, "demo", "--dir", used)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "demo.directory_in_use")
	require.Empty(t, out)

	code, _, errs = start(t, "demo", "--size", "10KiB")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "1MiB or more")
}

// waiter reads what a process says, line by line.
type waiter struct {
	lines chan string
	heard []string // those that were waited past
}

func newWaiter(r io.Reader) *waiter {
	w := &waiter{lines: make(chan string, 1000)}
	go func() {
		defer close(w.lines)
		in := bufio.NewScanner(r)
		for in.Scan() {
			w.lines <- in.Text()
		}
	}()
	return w
}

// line waits for a line with a text in it.
func (w *waiter) line(t *testing.T, text string) string {
	t.Helper()
	limit := time.After(hanging)
	for {
		select {
		case l, ok := <-w.lines:
			require.True(t, ok, "it ended without saying %q", text)
			w.heard = append(w.heard, l)
			if strings.Contains(l, text) {
				return l
			}
		case <-limit:
			require.Fail(t, "it does not say "+text)
		}
	}
}

func (w *waiter) rest() {
	for range w.lines {
	}
}

// shell runs a line as a user would paste it.
func shell(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, out)
	return string(out)
}
