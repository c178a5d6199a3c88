package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/config"
	"pabal/internal/catalog"
)

// whole is correct; each case below breaks it in one place.
const whole = `environment: test
host: bat01
database: { url: "sqlite:pabal.db" }
system:
  SCAN_DIRECTORY_NAME: data/scan
  WORK_DIRECTORY_NAME: data/work
  RECEIVE_DIRECTORY_NAME: data/receive
instances:
  - id: one
    listen: [ { address: "127.0.0.1:9100", profile: edi } ]
institutions:
  - code: KFTC
    profile: cms
    side: institution
    wire_code: "12345678"
    connect: "127.0.0.1:9001"
    receive_windows:
      - { from: "03:00", to: "06:00", every: 10m, days: [mon] }
jobs:
  - { code: CMS, institution: KFTC }
files:
  - id: EB21
    institution: KFTC
    job: CMS
    direction: send
    record: { length: 150 }
    checks:
      trailer: { count_at: { offset: 27, length: 8 } }
`

type broken struct {
	name     string
	old, new string // what is replaced in whole; "" = appended
	want     string // line:column: path: sentence next step, one per line
}

func TestBrokenConfigurations(t *testing.T) {
	sentences, err := catalog.Load()
	require.NoError(t, err)
	for _, tc := range slices.Concat(brokenForm, brokenMeaning) {
		t.Run(tc.name, func(t *testing.T) {
			text := whole + tc.new
			if tc.old != "" {
				require.Equal(t, 1, strings.Count(whole, tc.old), "%q in the correct file", tc.old)
				text = strings.Replace(whole, tc.old, tc.new, 1)
			}
			require.Equal(t, strings.TrimSpace(tc.want), problems(t, sentences, text))
		})
	}
}

func problems(t *testing.T, sentences *catalog.Catalog, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pabal.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	_, err := config.Load(path, func(string) (string, bool) { return "", false })
	var p config.Problems
	require.ErrorAs(t, err, &p)
	out := p.Render(func(err error) (string, string) { return sentences.Sentence(catalog.EN, err) })
	require.NotContains(t, out, "?:", "every placeholder has its value")
	return strings.ReplaceAll(strings.ReplaceAll(out, path+":", ""), filepath.Dir(path), "DIR")
}

func TestAllProblemsAreReportedInTheOrderOfTheFile(t *testing.T) {
	sentences, err := catalog.Load()
	require.NoError(t, err)
	text := strings.NewReplacer("host: bat01\n", "", "side: institution", "side: left", "job: CMS\n", "job: CMX\n", "length: 150", "length: x").Replace(whole)
	var lines []string
	for line := range strings.SplitSeq(problems(t, sentences, text), "\n") {
		lines = append(lines, strings.SplitN(line, ": ", 3)[0]+" "+strings.SplitN(line, ": ", 3)[1])
	}
	require.Equal(t, []string{"1:1 host", "13:11 institutions[0].side", "23:10 files[0].job", "25:23 files[0].record.length"}, lines)
}

func TestUnreadableFile(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), os.LookupEnv)
	var p config.Problems
	require.ErrorAs(t, err, &p)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, config.CodeCannotRead, p[0].Err.Code)
}
