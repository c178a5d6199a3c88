package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/simulator/load"
)

// Under every profile that comes with the program, both ways, nothing is lost:
// small numbers, for what is looked for is a profile that does not fit.
func TestLoadEveryProfile(t *testing.T) {
	for _, name := range protocol.Embedded() {
		for _, way := range []string{"give", "fetch"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				args := []string{"simulate", name, "--load", "--institutions", "3", "--files", "2", "--sessions", "2", "--size", "5000", "--json"}
				if way == "fetch" {
					args = append(args, "--receive")
				}
				r := loaded(t, args...)
				require.Equal(t, []any{name, way, 3, 6, 0, 6, 0}, []any{r.Profile, r.Way, r.Institutions, r.Files, r.Failed, r.Compared, r.Lost})
				require.Empty(t, r.Errors)
				require.Equal(t, 3, r.Sessions, "each calls once")
				require.Positive(t, r.PerSecond)
				require.LessOrEqual(t, r.Median, r.Most)
				require.Positive(t, r.Median)
			})
		}
	}
}

// loaded is the figures of a load that went well.
func loaded(t *testing.T, args ...string) (r struct {
	loadResult
	Median float64 `json:"median_seconds"`
	Most   float64 `json:"most_seconds"`
}) {
	t.Helper()
	code, stdout, stderr := start(t, args...)
	require.Zero(t, code, "%s%s", stdout, stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r))
	return r
}

// What is shown while it goes on, and at the end.
func TestLoadShows(t *testing.T) {
	args := []string{"simulate", "edi", "--load", "--institutions", "5", "--files", "4", "--size", "1000", "--receive", "--lang", "en"}
	code, stdout, stderr := start(t, args...)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "5 institutions, 20 files in ")
	require.Contains(t, stdout, "20 files compared at both ends, 0 lost or different")
	require.Regexp(t, `per file: median \S+, 95 % \S+, 99 % \S+, most \S+`, stdout)
	require.Contains(t, stderr, "20/20  files are stored, to be fetched")
	require.Contains(t, stderr, "10/20  files\n")
	_, stdout, _ = start(t, append(args, "--json")...)
	require.Contains(t, stdout, `"event":"progress"`)
}

// More than codes and names have room for is said before anything begins, and
// what there is room for is used.
func TestLoadNames(t *testing.T) {
	for _, test := range []struct {
		profile            string
		codes, files       int
		code, file, files2 string
	}{
		{"cms", 90_000_000, 10_000_000, "10000002", "L0000003", "L+${SEQ:7}"},
		{"kca", 900, 10_000_000, "102", "L0000003", "L+${SEQ:7}"},
		{"shinhan", 90, 10_000_000, "12", "L0000003", "L+${SEQ:7}"},
		{"dpt", 90_000_000, 1000, "10000002", "L003", "L+${SEQ:3}"},
		{"edi", 90_000_000, 100, "10000002", "L03", "L+${SEQ:2}"},
	} {
		p, err := protocol.Load(test.profile)
		require.NoError(t, err)
		n, err := load.For(p)
		require.NoError(t, err)
		require.Equal(t, []any{test.codes, test.files, test.code, test.file, test.files2},
			[]any{n.MostCodes(), n.MostFiles(), n.Code(2), n.File(3), n.Script()}, test.profile)
	}
	for flag, value := range map[string]string{"--institutions": "91", "--files": "10001", "--sessions": "0"} {
		code, _, stderr := start(t, "simulate", "shinhan", "--load", flag, value, "--lang", "en")
		require.Equal(t, 2, code, stderr)
		require.Contains(t, stderr, flag+" "+value)
	}
	code, _, stderr := start(t, "simulate", "edi", "--load", "--files", "101", "--lang", "en")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--files 101 is more than the codes and names of the profile edi have room for: 100 at most")
}

// A server that loses what it has confirmed, or has something else, is found.
func TestLoadCompares(t *testing.T) {
	p, err := protocol.Load("cms")
	require.NoError(t, err)
	names, err := load.For(p)
	require.NoError(t, err)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, fetch := range []bool{false, true} {
		o := load.Options{Names: names, Fetch: fetch, Dir: filepath.Join(dir, strconv.FormatBool(fetch)), Institutions: 2, Files: 2, Bytes: 500, Sessions: 2, Calls: 1}
		server, err := loadServer(t.Context(), p, filepath.Join(dir, "site"+strconv.FormatBool(fetch)), &o, func(int, int) {})
		require.NoError(t, err)
		r, err := load.Run(t.Context(), o)
		require.NoError(t, err)
		compared, lost, err := server.compareLoad(t.Context(), o, r)
		require.NoError(t, err)
		require.Equal(t, []int{4, 0}, []int{compared, lost})
		r.Passed[1].SHA256 = "otherwise"
		_, lost, err = server.compareLoad(t.Context(), o, r)
		require.NoError(t, err)
		require.Positive(t, lost)
		require.NoError(t, server.close())
	}
}
