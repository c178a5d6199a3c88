package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"pabal/config"
	"pabal/control"
	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
)

func testApp(t *testing.T, lang string) (a *app, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	a, err := newApp(strings.NewReader(""), stdout, stderr)
	require.NoError(t, err)
	a.lang = lang
	return a, stdout, stderr
}

func TestErrorsSayWhatToDo(t *testing.T) {
	err := fault.New(store.CodeMissing, "/db").Because(errors.New("stat /db: no such file"))
	a, out, errs := testApp(t, "en")
	require.Equal(t, exitFailed, a.finish(t.Context(), err))
	require.Empty(t, out.String())
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	require.Len(t, lines, 3)
	require.Regexp(t, `^pabal: .*/db.* \[store\.missing\]$`, lines[0])
	require.Equal(t, "  cause: stat /db: no such file", lines[1])
	require.Regexp(t, "^→ ", lines[2])

	a, _, errs = testApp(t, "ko")
	a.json = true
	require.Equal(t, exitUsage, a.finish(t.Context(), usageError{err}))
	var got struct{ Error failure }
	require.NoError(t, json.Unmarshal(errs.Bytes(), &got))
	require.Equal(t, "store.missing", got.Error.Code)
	require.Equal(t, "/db", got.Error.Subject)
	require.Equal(t, "stat /db: no such file", got.Error.Cause)
	require.Regexp(t, `\p{Hangul}`, got.Error.Sentence)
	require.Regexp(t, `\p{Hangul}`, got.Error.Next)
}

func TestExitCodes(t *testing.T) {
	a, _, _ := testApp(t, "en")
	require.Equal(t, exitOK, a.finish(t.Context(), nil))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.Equal(t, exitInterrupted, a.finish(stopped, context.Canceled))
	require.Equal(t, exitFailed, a.finish(t.Context(), context.Canceled), "a cancellation of our own is a failure")
	require.Equal(t, exitFailed, a.finish(t.Context(), errors.New("odd")))
}

// What people find without the program has both languages and the code.
func TestExplainHasBothLanguages(t *testing.T) {
	cat, err := catalog.Load()
	require.NoError(t, err)
	text := explain(cat)(fault.New("name.unknown_file_id", "NOPE.A.B", "file_id", "NOPE"))
	require.Contains(t, text, "[name.unknown_file_id]")
	require.Regexp(t, `\p{Hangul}`, text)
	require.Contains(t, text, "→ ")
	require.Equal(t, 2, strings.Count(text, "→"))
}

func TestColumnsAlignWithWideLetters(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, writeTable(&b, "", []string{"이름", "상태", "비고"}, [][]string{{"EB21", "송신완료", ""}, {"가나다라", "sent", "x"}}))
	require.Equal(t, ""+
		"이름      상태      비고\n"+
		"EB21      송신완료\n"+
		"가나다라  sent      x\n", b.String())
}

func TestRanges(t *testing.T) {
	for want, numbers := range map[string][]int{
		"037, 058": {37, 58}, "001-003": {1, 2, 3}, "001, 003-004, 100": {1, 3, 4, 100}, "": nil,
	} {
		require.Equal(t, want, control.Ranges(numbers))
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 9999: "9,999", 10240: "10.0 KiB", 64 << 20: "64.0 MiB", 3 << 30: "3.00 GiB", -1234: "-1,234"} {
		require.Equal(t, want, bytesText(n))
	}
	require.Equal(t, "1,234,567", count(1234567))
	for text, want := range map[string]int64{"0": 0, "150": 150, "1KiB": 1024, "64MiB": 64 << 20, "1 GiB": 1 << 30, "2TiB": 2 << 40} {
		n, err := parseSize("--size", text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "1MB", "99999999999TiB"} {
		_, err := parseSize("--size", text)
		require.Equal(t, codeFlagValue, fault.CodeOf(err), text)
	}
}

func TestSince(t *testing.T) {
	zone := time.FixedZone("KST", 9*3600)
	now := time.Date(2026, 3, 20, 13, 30, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"2h":               now.Add(-2 * time.Hour),
		"today":            time.Date(2026, 3, 20, 0, 0, 0, 0, zone),
		"09:00":            time.Date(2026, 3, 20, 9, 0, 0, 0, zone),
		"2026-03-19":       time.Date(2026, 3, 19, 0, 0, 0, 0, zone),
		"20260319":         time.Date(2026, 3, 19, 0, 0, 0, 0, zone),
		"2026-03-19 08:15": time.Date(2026, 3, 19, 8, 15, 0, 0, zone),
	} {
		at, err := since(text, now)
		require.NoError(t, err, text)
		require.True(t, want.Equal(at), "%s: %s", text, at)
	}
	for _, text := range []string{"yesterday", "-2h", "25:00", "2026-13-01"} {
		_, err := since(text, now)
		require.Equal(t, codeFlagValue, fault.CodeOf(err), text)
	}
	require.Equal(t, "13:30:00", clock(now, now))
	require.Equal(t, "03-19 13:30:00", clock(now.AddDate(0, 0, -1), now))
}

// Every command and flag has its texts, and the table in docs/operations.md
// has every command.
func TestEveryCommandIsExplained(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	require.NoError(t, err)
	for _, lang := range []string{"en", "ko"} {
		a, _, _ := testApp(t, lang)
		var walk func(*cobra.Command)
		walk = func(cmd *cobra.Command) {
			if cmd.Hidden || cmd.Name() == "completion" {
				return
			}
			for _, text := range []string{cmd.Short, cmd.Long} {
				require.NotEmpty(t, text, cmd.CommandPath())
				require.NotRegexp(t, `^ui\.`, text, cmd.CommandPath())
				require.Equal(t, lang == "ko", regexp.MustCompile(`\p{Hangul}`).MatchString(text), "%s: %s", cmd.CommandPath(), text)
			}
			require.NotContains(t, cmd.LocalFlags().FlagUsages(), "ui.flag", cmd.CommandPath())
			if len(cmd.Commands()) == 0 {
				require.Contains(t, string(doc), "| `"+cmd.CommandPath()+"` |")
			}
			for _, sub := range cmd.Commands() {
				walk(sub)
			}
		}
		walk(newRoot(a, []string{"--lang", lang}))
	}
}

// TestCausesInKorean: what the operating system says has words in front, where
// it is one of the usual ones.
func TestCausesInKorean(t *testing.T) {
	refused := fault.New(store.CodeMissing, "/db").Because(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
	for lang, want := range map[string]string{
		"en": "  cause: dial tcp: connection refused\n",
		"ko": "  원인: 연결 거부(해당 포트에서 대기 중인 프로그램 없음) (dial tcp: connection refused)\n",
	} {
		a, _, errs := testApp(t, lang)
		a.report(refused)
		require.Contains(t, errs.String(), want)
	}
	a, _, errs := testApp(t, "ko")
	_, err := config.ReadFile(filepath.Join(t.TempDir(), "none.yaml"))
	a.report(err)
	require.Contains(t, errs.String(), "읽을 수 없습니다: 파일 또는 디렉토리가 없음.")
}
