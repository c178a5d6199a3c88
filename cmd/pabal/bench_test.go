package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// TestBench runs every measurement with tiny files. How long anything takes is
// no matter; that every figure is there, is.
func TestBench(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := pabal(t, "bench", "--json", "--dir", dir, "--big", "900000", "--small", "6", "--small-size", "2KiB",
		"--sessions", "2", "--runs", "1", "--profile", filepath.Join(dir, "cpu.pprof"))
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	require.NoError(t, cmd.Run(), "%s", progress.String())

	in := json.NewDecoder(&out)
	in.DisallowUnknownFields()
	var r benchReport
	require.NoError(t, in.Decode(&r))
	require.False(t, in.More(), "one object")
	require.Equal(t, benchSettings{BigBytes: 900000, SmallFiles: 6, SmallBytes: 2048, Sessions: 2, Runs: 1}, r.Settings)
	require.NotEmpty(t, r.Machine.CPU)
	require.Positive(t, r.Machine.Cores)
	require.NotEmpty(t, r.Machine.Go)

	var seen []string
	for _, c := range r.Cases {
		seen = append(seen, c.Part+" "+c.Way)
		files, least := 1, int64(899_000)
		if c.Part == partSmall {
			files, least = 6, 6*1900
		}
		require.Equal(t, files, c.Files)
		require.Greater(t, c.Bytes, least)
		require.Positive(t, c.OfFloor, seen)
		require.Equal(t, "cms", c.Profile)
		require.Equal(t, &benchSpread{1, 1, 1}, c.OfFirst)
		for _, s := range []*benchSpread{c.MB, c.PerSec, c.CPU, c.Peak} {
			requireSpread(t, s)
		}
	}
	require.Equal(t, []string{"big floor", "big unsynced", "big sqlite", "small floor", "small unsynced", "small sqlite"}, seen)
	require.InDelta(t, 1, r.Cases[0].OfFloor, 0.0001)
	require.Len(t, r.Codec, 1)
	require.Equal(t, "cms", r.Codec[0].Profile)
	requireSpread(t, r.Codec[0].Encode)
	requireSpread(t, r.Codec[0].Decode)

	require.Len(t, r.Syncs, 1)
	require.Equal(t, "sqlite", r.Syncs[0].Way)
	require.Equal(t, "cms", r.Syncs[0].Profile)
	if _, err := exec.LookPath("strace"); err != nil {
		require.Contains(t, r.Syncs[0].LeftOut, "strace")
	} else {
		require.Empty(t, r.Syncs[0].LeftOut)
		for _, s := range []*syncsTaken{r.Syncs[0].Alone, r.Syncs[0].Busy} {
			require.Equal(t, syncsFiles, s.Files)
			require.GreaterOrEqual(t, s.PerFile, 1.0, "the file itself")
			sum := 0.0
			for place, n := range s.By {
				require.NotContains(t, place, "?", "a sync of something that is not ours")
				sum += n
			}
			require.InDelta(t, s.PerFile, sum, 0.001)
			require.Positive(t, s.By["far/receive/"], "%v", s.By)
		}
	}
	require.Len(t, r.Others, 2)

	require.Empty(t, progress.String(), "a program reads, and nobody looks on")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "cpu-big-cms-sqlite.pprof"), filepath.Join(dir, "cpu-small-cms-sqlite.pprof")}, left,
		"nothing but the profiles is left")
}

func requireSpread(t *testing.T, s *benchSpread) {
	t.Helper()
	require.NotNil(t, s)
	require.Positive(t, s.Min)
	require.LessOrEqual(t, s.Min, s.Median)
	require.LessOrEqual(t, s.Median, s.Max)
}

func TestBenchRefusals(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--big", "12"}, "bench.size"},
		{[]string{"--small-size", "nonsense"}, "--small-size"},
		{[]string{"--runs", "0"}, "bench.number"},
		{[]string{"--store", "oracle"}, "sqlite, URL"},
		{[]string{"--only", "large"}, "big, small, syncs, codec"},
		{[]string{"--protocol", "cms", "--protocol", "kca,cms"}, "bench.twice"},
		{[]string{"--protocol", "edi", "--small", "500000"}, "468000"},
	} {
		code, out, errs := start(t, append([]string{"bench"}, tt.args...)...)
		require.Equal(t, exitUsage, code, tt.args)
		require.Contains(t, errs, tt.says)
		require.Empty(t, out)
	}
	// A store that cannot be opened is said by the measuring process.
	cmd := pabal(t, "bench", "--only", "big", "--big", "2KiB", "--runs", "1", "--store", "nonsense:x", "--dir", t.TempDir())
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "bench.step")
	require.Contains(t, string(said), "store.")
}

// TestBenchCarriesEveryProfile: with the floor and with stores, under every
// profile that comes with the program, more files than one day's names of the
// shortest.
func TestBenchCarriesEveryProfile(t *testing.T) {
	source, warm := benchFiles{filepath.Join(t.TempDir(), "source"), 12, 2048, 2595}, benchFiles{filepath.Join(t.TempDir(), "warm"), 1, 2048, 0}
	for _, f := range []benchFiles{source, warm} {
		require.NoError(t, f.make(t.Context()))
	}
	a, err := newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	require.NoError(t, err)
	for _, name := range protocol.Embedded() {
		for _, way := range []string{wayFloor, "sqlite"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				taken, err := a.runJob(t.Context(), benchJob{
					Protocol: name, Day: time.Now(), Way: way, Store: way != wayFloor, Dir: t.TempDir(), Source: source.dir, Warm: warm.dir,
					Sessions: 2, Limit: 5 * time.Minute,
				})
				require.NoError(t, err)
				require.Equal(t, source.files, taken.Files)
			})
		}
	}
}

// TestBenchCompares: each profile with its own floor by speed, and with the first
// one in the same way by CPU seconds, turn by turn: a turn in which both were
// disturbed says what the others say, and the median what most do.
func TestBenchCompares(t *testing.T) {
	step := func(profile, way string, seconds float64, cpu ...float64) *benchStep {
		s := &benchStep{part: partBig, profile: profile, way: benchWay{name: way, label: way}}
		for _, c := range cpu {
			s.taken = append(s.taken, benchTaken{Files: 1, Bytes: 1e9, Seconds: seconds, CPU: c})
		}
		return s
	}
	steps := []*benchStep{
		step("cms", wayFloor, 1, 1, 1, 1), step("cms", "sqlite", 10, 20, 50, 20),
		step("edi", wayFloor, 2, 1.5, 1.5, 2), step("edi", "sqlite", 8, 22, 60, 21),
	}
	var r benchReport
	r.fill(steps)
	var got []string
	for _, c := range r.Cases {
		got = append(got, fmt.Sprintf("%s %s %.2f %.2f %.2f–%.2f", c.Profile, c.Way, c.OfFloor, c.OfFirst.Median, c.OfFirst.Min, c.OfFirst.Max))
	}
	require.Equal(t, []string{
		"cms floor 1.00 1.00 1.00–1.00", "cms sqlite 0.10 1.00 1.00–1.00",
		"edi floor 1.00 1.50 1.50–2.00", "edi sqlite 0.25 1.10 1.05–1.20",
	}, got)

	show := func(steps []*benchStep) string {
		var out, errs bytes.Buffer
		a, err := newApp(strings.NewReader(""), &out, &errs)
		require.NoError(t, err)
		var r benchReport
		r.fill(steps)
		require.NoError(t, a.showPart(r, partBig))
		return out.String()
	}
	require.Contains(t, show(steps), "1.05–1.20")
	require.NotContains(t, show(steps[:2]), "1.00–1.00", "with itself nothing is compared")
}

func TestBenchSpread(t *testing.T) {
	same := func(v float64) float64 { return v }
	require.Equal(t, &benchSpread{1, 2, 9}, spread([]float64{9, 1, 2}, same))
	require.Equal(t, &benchSpread{1, 3, 9}, spread([]float64{9, 2, 1, 4}, same))
	require.Nil(t, spread(nil, same))
}

// TestReadSyncs: lines as strace writes them.
func TestReadSyncs(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "far", "receive", ".pabal"), 0o750))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "near", "backup", "20260320"), 0o750))
	trace := strings.ReplaceAll(`10 fsync(7<D/near/pabal.db-wal>) = 0
10 fsync(9<D/mark-begin>) = 0
11 fdatasync(7<D/near/pabal.db-wal>) = 0
11 fsync(8<D/far/receive/.pabal/01ABC> <unfinished ...>
12 fsync(7<D/near/pabal.db-wal>) = 0
11 <... fsync resumed>) = 0
11 fsync(8<D/far/receive/.pabal>) = 0
11 fsync(8<D/far/receive>) = 0
12 fsync(8<D/near/backup/20260320>) = 0
12 +++ exited with 0 +++
10 fsync(9<D/mark-end>) = 0
10 fsync(7<D/near/pabal.db>) = 0
`, "D", dir)
	by, err := readSyncs(bufio.NewScanner(strings.NewReader(trace)), dir)
	require.NoError(t, err)
	require.Equal(t, map[string]int{
		"near/pabal.db-wal": 2, "far/receive/.pabal/*": 1, "far/receive/.pabal/": 1, "far/receive/": 1, "near/backup/": 1,
	}, by)

	_, err = readSyncs(bufio.NewScanner(strings.NewReader("")), dir)
	require.ErrorIs(t, err, errNoMarks)
}

func TestParseTicks(t *testing.T) {
	require.Equal(t, cpuTicks{busy: 1 + 2 + 4 + 32 + 64 + 128, total: 255},
		parseTicks("cpu  1 2 4 8 16 32 64 128 256 512\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	require.Zero(t, parseTicks(""))
}

func TestMountOf(t *testing.T) {
	mounts := "rootfs / rootfs rw 0 0\n/dev/sda1 / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/sdb /data xfs rw 0 0\n"
	for dir, want := range map[string]string{"/tmp/x": "tmpfs tmpfs", "/tmpfs": "/dev/sda1 ext4", "/data": "/dev/sdb xfs"} {
		device, kind := mountOf(dir, mounts)
		require.Equal(t, want, fmt.Sprint(device, " ", kind), dir)
	}
}
