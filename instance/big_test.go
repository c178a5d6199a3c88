package instance

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// TestBigFiles carries a small and a large file each way between two server
// processes and holds their peak memory after the one against that after the
// other. PABAL_BIG is the size of the large one in MiB (make big: 1024) and has
// each way of each profile carried on each engine; without it the sizes are
// small enough for every run, and either engine has each way and each profile
// once.
func TestBigFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("short: big files")
	}
	program := plainProgram(t)
	inTurn(t, func(t *testing.T, on engine) { testBigFiles(t, on, program) })
}

func testBigFiles(t *testing.T, on engine, program string) {
	small, big := 32, 96 // what is as large as the file needs, up to a bound, is at its bound
	ways := map[engine][]string{sqlite: {"cms/up", "edi/down"}, postgres: {"cms/down", "edi/up"}}[on]
	if n, err := strconv.Atoi(os.Getenv("PABAL_BIG")); err == nil {
		small, big, ways = 64, n, []string{"cms/up", "cms/down", "edi/up", "edi/down"}
	}
	for _, name := range ways {
		t.Run(name, func(t *testing.T) {
			profile, way, _ := strings.Cut(name, "/")
			for try := 1; ; try++ {
				peaks := bigFiles(t, on, program, profile, way, []int{small, big})
				more := 0
				for role, before := range peaks[0] {
					after := peaks[1][role]
					t.Logf("%s: peak %d KiB for %d MiB, %d KiB for %d MiB", role, before, small, after, big)
					more = max(more, after-before)
				}
				// When the collector runs late on a busy machine, a peak says
				// nothing about the file; one that is due to the file comes
				// every time.
				if more < 8<<10 {
					return
				}
				require.Less(t, try, 3, "memory grows with the file: %d KiB more", more)
			}
		})
	}
}

// plainProgram is this test binary without the race detector, which has memory
// of its own for every byte and would hide what is measured.
func plainProgram(t *testing.T) string {
	t.Helper()
	if !raceDetector {
		return os.Args[0]
	}
	path := filepath.Join(t.TempDir(), "plain.test")
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// bigFiles carries files of so many MiB and one byte, one after the other, and
// returns the peak memory of each process in KiB after each.
func bigFiles(t *testing.T, on engine, program, profile, way string, mibs []int) (peaks []map[string]int) {
	t.Helper()
	address := free(t)
	id := map[string]string{"cms": "EB21", "edi": "C02"}[profile]
	sides := map[string]*process{}
	for _, role := range []string{"centre", "institution"} {
		dir, err := os.MkdirTemp(t.TempDir(), role)
		require.NoError(t, err)
		for _, d := range []string{"scan", "work", "receive", "result"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o750))
		}
		p := &process{t: t, program: program, c: child{Dir: dir, URL: on.url(t, dir), Files: on.inFiles(), Profile: profile, Role: role, Address: address}}
		if way == "up" {
			p.c.Up = []string{id}
		} else {
			p.c.Down = []string{id}
		}
		sides[role] = p
		p.start()
		t.Cleanup(p.kill)
	}
	from, to, code := sides["institution"], sides["centre"], "CENTRE"
	if way == "down" {
		from, to, code = to, from, "MEMBER"
	}
	reachable(t, address)
	s := to.read()
	for n, mib := range mibs {
		name := fmt.Sprintf("%s.%s.JOB.2026110%d", id, code, n+1)
		tmp := filepath.Join(from.c.Dir, "scan", "."+name)
		want := writeBig(t, tmp, int64(mib)<<20+1)
		start := time.Now()
		require.NoError(t, os.Rename(tmp, filepath.Join(from.c.Dir, "scan", name)))
		limit := start.Add(hang + time.Duration(mib/4)*time.Second)
		var got []*transfer.Transfer
		for pause := new(watching); len(got) <= n; {
			var err error
			got, err = s.List(t.Context(), store.Filter{Direction: transfer.Receive, Statuses: []transfer.Status{transfer.Assembled}})
			require.NoError(t, err)
			if time.Now().After(limit) {
				t.Fatalf("not arrived: %s", mustRead(t, filepath.Join(from.c.Dir, "log")))
			}
			pause.wait(nil)
		}
		t.Logf("%s %s %d MiB: %.1f s", profile, way, mib, time.Since(start).Seconds())
		require.Equal(t, want, got[n].FileDigest)
		require.Equal(t, want, digestOf(t, got[n].FinalPath))
		require.NoError(t, os.Remove(got[n].FinalPath))
		after := map[string]int{}
		for role, p := range sides {
			after[role] = peak(t, p.cmd.Process.Pid)
		}
		peaks = append(peaks, after)
	}
	require.NoError(t, s.Close())
	for _, p := range sides {
		p.kill()
		require.NoError(t, os.RemoveAll(p.c.Dir))
	}
	return peaks
}

// writeBig writes bytes that repeat only after a long time.
func writeBig(t *testing.T, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	h := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<20)
	piece := content(1<<20 - 17)
	for left := size; left > 0; left -= int64(len(piece)) {
		copy(piece, fmt.Sprint(left))
		piece = piece[:min(int64(len(piece)), left)]
		_, err := w.Write(piece)
		require.NoError(t, err)
	}
	require.NoError(t, w.Flush())
	return hex.EncodeToString(h.Sum(nil))
}

func digestOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

// peak is the most resident memory that a process has had, in KiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	text := string(mustRead(t, filepath.Join("/proc", strconv.Itoa(pid), "status")))
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(v)[0])
			require.NoError(t, err)
			return n
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
