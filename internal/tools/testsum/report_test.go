package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stream is shortened from what go test -json prints: one package with a test
// of each outcome, one that does not build, one whose process died in a test,
// one without tests.
const stream = `
{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0}
{"Action":"run","Package":"m/a","Test":"TestTable"}
{"Action":"run","Package":"m/a","Test":"TestTable/one"}
{"Action":"pass","Package":"m/a","Test":"TestTable/one","Elapsed":0}
{"Action":"run","Package":"m/a","Test":"TestTable/two"}
{"Action":"output","Package":"m/a","Test":"TestTable/two","Output":"    a_test.go:9: two is wrong\n"}
{"Action":"fail","Package":"m/a","Test":"TestTable/two","Elapsed":0}
{"Action":"fail","Package":"m/a","Test":"TestTable","Elapsed":0}
{"Action":"run","Package":"m/a","Test":"TestTrace"}
{"Action":"output","Package":"m/a","Test":"TestTrace","Output":"=== RUN   TestTrace\n"}
{"Action":"output","Package":"m/a","Test":"TestTrace","Output":"    a_test.go:20: needs strace: make deps installs it\n"}
{"Action":"output","Package":"m/a","Test":"TestTrace","Output":"--- SKIP: TestTrace (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestTrace","Elapsed":0}
{"Action":"run","Package":"m/a","Test":"TestMode"}
{"Action":"output","Package":"m/a","Test":"TestMode","Output":"    a_test.go:30: root may read everything\n"}
{"Action":"skip","Package":"m/a","Test":"TestMode","Elapsed":0}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a","Elapsed":0.2}
{"ImportPath":"m/b [m/b.test]","Action":"build-output","Output":"b/b.go:3:1: undefined: x\n"}
{"ImportPath":"m/b [m/b.test]","Action":"build-fail"}
{"Action":"start","Package":"m/b"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b [build failed]\n"}
{"Action":"fail","Package":"m/b","Elapsed":0,"FailedBuild":"m/b [m/b.test]"}
{"Action":"run","Package":"m/c","Test":"TestDies"}
{"Action":"output","Package":"m/c","Test":"TestDies","Output":"panic: oh\n"}
{"Action":"fail","Package":"m/c","Elapsed":0.1}
{"Action":"skip","Package":"m/d","Elapsed":0}
`

func TestReport(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	for line := range strings.Lines(strings.TrimSpace(stream)) {
		r.line(line)
	}
	r.finish()
	require.Equal(t, "2 passed, 3 failed, 2 skipped", r.closing(),
		"good, one; two, build of b, TestDies; two skips. Table and d are not counted")
	require.Contains(t, out.String(), "FAIL  m/a")

	out.Reset()
	r.printFailures()
	require.Contains(t, out.String(), "m/a TestTable/two\n    a_test.go:9: two is wrong")
	require.Contains(t, out.String(), "b/b.go:3:1: undefined: x")
	require.Contains(t, out.String(), "m/c TestDies\npanic: oh")
	require.NotContains(t, out.String(), "TestTable\n")

	out.Reset()
	require.Equal(t, 1, r.printSkips(nil), "only a missing tool is a test that did not run")
	require.Contains(t, out.String(), "m/a TestTrace: needs strace: make deps installs it")
	require.Contains(t, out.String(), "m/a TestMode: root may read everything")
}

func TestMissingTool(t *testing.T) {
	list := filepath.Join(t.TempDir(), "deps.txt")
	require.NoError(t, os.WriteFile(list, []byte("# comment\npostgresql | psql | store | always\nlibc6-dev | /usr/include/stdlib.h | race | ci\n"), 0o600))
	tools, err := readTools(list)
	require.NoError(t, err)
	require.Equal(t, []string{"postgresql", "psql", "libc6-dev", "stdlib.h"}, tools)

	require.True(t, missingTool("needs anything: see there", nil))
	require.True(t, missingTool("no psql.", tools))
	require.False(t, missingTool("psqlite is something else", tools))
	require.False(t, missingTool("root may read everything", tools))
}

func TestListOfThisRepositoryIsReadable(t *testing.T) {
	tools, err := readTools("../../../scripts/deps.txt")
	require.NoError(t, err)
	require.Contains(t, tools, "strace")
}

func TestClosingLineWithoutSkips(t *testing.T) {
	r := newReport(&strings.Builder{})
	r.line(`{"Action":"run","Package":"m","Test":"TestA"}`)
	r.line(`{"Action":"pass","Package":"m","Test":"TestA"}`)
	r.finish()
	require.Equal(t, "1 passed, 0 failed", r.closing())
}

func TestWhatIsRunningIsNamed(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	require.False(t, r.line(`{"Time":"2026-03-20T03:00:00Z","Action":"run","Package":"m","Test":"TestSlow"}`))
	r.line(`{"Time":"2026-03-20T03:00:00Z","Action":"run","Package":"m","Test":"TestDone"}`)
	r.line(`{"Time":"2026-03-20T03:00:01Z","Action":"pass","Package":"m","Test":"TestDone"}`)
	r.line(`{"Time":"2026-03-20T03:00:01Z","Action":"run","Package":"m","Test":"TestParallel"}`)
	r.line(`{"Time":"2026-03-20T03:00:01Z","Action":"pause","Package":"m","Test":"TestParallel"}`)
	r.printRunning(time.Date(2026, 3, 20, 3, 0, 40, 0, time.UTC))
	require.Regexp(t, `^\.\.\.   m +40s in TestSlow\n$`, out.String())

	r.line(`{"Time":"2026-03-20T03:00:42Z","Action":"cont","Package":"m","Test":"TestParallel"}`)
	out.Reset()
	r.printRunning(time.Date(2026, 3, 20, 3, 0, 45, 0, time.UTC))
	require.Regexp(t, `3s in TestParallel`, out.String())

	r.finish()
	require.Equal(t, "1 passed, 2 failed", r.closing(), "what never ended has failed")
}
