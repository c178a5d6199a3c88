package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

func none(string) (string, bool) { return "", false }

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pabal.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestExampleLoads(t *testing.T) {
	var both []*Config
	dir := t.TempDir()
	for _, lang := range []string{"en", "ko"} {
		path := filepath.Join(dir, "pabal.yaml")
		require.NoError(t, os.WriteFile(path, []byte(Example(lang)), 0o600))
		c, err := Load(path, none)
		require.NoError(t, err)
		both = append(both, c)

		// What is commented out must be right too.
		open := regexp.MustCompile(`(?m)^( *)# ([a-z_]+: )`).ReplaceAllString(Example(lang), "$1$2")
		require.NotEqual(t, Example(lang), open)
		_, err = Load(write(t, open), func(string) (string, bool) { return "123ABC", true })
		require.NoError(t, err)
	}
	for _, c := range both {
		c.index = index{}
	}
	require.Equal(t, both[0], both[1], "the languages differ in comments only")

	c := both[0]
	require.Equal(t, "Asia/Seoul", c.Location().String())
	require.Equal(t, "sqlite:"+filepath.Join(dir, "pabal.db"), c.Database.URL)
	require.Equal(t, filepath.Join(dir, "data/scan"), c.System.Scan)
	require.Equal(t, []Router{{ID: "fileScanRouter", Kind: KindInstance, Instance: "instance_BAT_01"}}, c.Routers)
	k := c.Institutions[0]
	require.Equal(t, "instance_BAT_01", k.Instance, "the only one is the default")
	require.Equal(t, Window{From: 180, To: 360, Every: 10 * time.Minute, Days: []string{"mon", "tue", "wed", "thu", "fri"}}, k.Windows[0])
	require.Equal(t, Closed{From: 23*60 + 45, To: 15, For: "send"}, k.Closed[0])
	var files []string
	for _, f := range c.Files {
		files = append(files, fmt.Sprintf("%s %s %s %s %d %s", f.Institution, f.Job, f.ID, f.Direction, f.Record.Length, f.WireName))
	}
	require.Equal(t, []string{ // protocols §5.5, §5.6
		"KFTC CMS EB21 send 150 ${FILE_ID:4}+${MMdd:4}",
		"KFTC CMS EB13 send 120 ${FILE_ID:4}+${MMdd:4}",
		"KFTC CMS EB22 receive 150 ${FILE_ID:4}+${MMdd:4}",
		"KFTC CMS EB11 receive 120 ${FILE_ID:4}+${MMdd:4}",
		"KFTC CMS EB14 receive 120 ${FILE_ID:4}+${MMdd:4}",
		"KSNET CARD C02 receive 874 ",
	}, files)
}

// least is the shortest configuration with something in every list.
const least = `environment: test
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
    wire_code: 0012
    connect: "127.0.0.1:9001"
jobs:
  - { code: CMS, institution: KFTC }
files:
  - id: EB21
    institution: KFTC
    job: CMS
    direction: send
    record: { length: 150 }
`

func TestDefaults(t *testing.T) {
	c, err := Load(write(t, least), none)
	require.NoError(t, err)
	require.Equal(t, "Asia/Seoul", c.Zone)
	require.Equal(t, Log{"info", "auto"}, c.Log)
	require.Equal(t, Scan{2 * time.Second, 2 * time.Second}, c.Scan)
	require.Equal(t, []Router{{ScanRouter, KindInstance, "one"}}, c.Routers)
	require.Equal(t, 64, c.Instances[0].Sessions)
	k := c.Institutions[0]
	require.Equal(t, "0012", k.WireCode, "leading zeros stay without quotes")
	require.Equal(t, Sessions{1, 1}, k.Sessions)
	require.Equal(t, Retry{30 * time.Second, 10 * time.Minute, 0}, k.Retry)
	require.Equal(t, Timeouts{5 * time.Second, 10 * time.Second, time.Minute}, k.Timeouts)
	require.Nil(t, k.TLS)
	require.Equal(t, Limits{Between: Phase{Bytes: 16 << 20, Mistakes: 100}, File: Phase{Time: 24 * time.Hour, Mistakes: 100}}, k.Limits)
	require.Equal(t, Door{Handshake: 10 * time.Second, Opening: Phase{time.Minute, 64 << 10, 20}}, c.Instances[0].Limits)
	require.Equal(t, 10, k.Rounds)
	require.Equal(t, 4*time.Hour, k.ResumeAge)
	require.Nil(t, k.Expect)
	f := c.Files[0]
	require.Equal(t, Record{Length: 150, Form: "fixed", LineEnd: "none"}, f.Record)
	require.Equal(t, [3]string{"refuse", "wait", ""}, [3]string{f.Empty, f.Existing, f.Packing})
}

func TestLocateAndReport(t *testing.T) {
	path := write(t, least)
	c, err := Load(path, none)
	require.NoError(t, err)
	for where, want := range map[string][2]int{
		"files[0].id":             {20, 9},
		"files[0].record.length":  {24, 23},
		"files[0].record":         {24, 5},
		"files[0]":                {20, 5},
		"files[0].wire_name":      {20, 5}, // not written: what surrounds it
		"files[0].custom.parse":   {20, 5},
		"files[7].id":             {19, 1},
		"institutions[0].connect": {16, 14},
		"nothing":                 {1, 1},
	} {
		file, line, column := c.Locate(where)
		require.Equal(t, path, file)
		require.Equal(t, want, [2]int{line, column}, where)
	}
	require.NoError(t, c.Report(nil))
	err = c.Report([]fault.Problem{
		{Path: "files[0].record.length", Err: fault.New("x.b", "150")},
		{Path: "jobs[0].code", Err: fault.New("x.a", "CMS")},
	})
	require.EqualError(t, err, path+":18:13: jobs[0].code: x.a CMS\n"+path+":24:23: files[0].record.length: x.b 150")
	require.ErrorIs(t, err, fault.New("x.b", ""))
	var p Problems
	require.ErrorAs(t, err, &p)
	require.Equal(t, path+":18:13: jobs[0].code: said more\n"+path+":24:23: files[0].record.length: said more",
		p.Render(func(error) (string, string) { return "said", "more" }))
}

func TestSecretsResolve(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"pw": "from file\r\n", "empty": "\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"PW": "from env\n", "EMPTY": ""}[name]
		return v, ok
	}
	load := func(value string) (*Config, error) {
		text := strings.Replace(least, "    connect:", "    sender: { name: n, password: "+value+" }\n    connect:", 1)
		path := filepath.Join(dir, "pabal.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return Load(path, env)
	}
	for value, want := range map[string]string{
		`"${env:PW}"`: "from env", `"${file:` + dir + `/pw}"`: "from file", `"${file:pw}"`: "from file",
		``: "",
	} {
		c, err := load(value)
		require.NoError(t, err, value)
		require.Equal(t, want, c.Institutions[0].Sender.Password.Reveal(), value)
	}
	for value, want := range map[string]fault.Code{
		`"${env:NONE}"`: CodeSecretEnv, `"${env:EMPTY}"`: CodeSecretEnv, `"${file:none}"`: CodeSecretFile, `"${file:empty}"`: CodeSecretFile,
		`"x${env:PW}"`: CodeSecretForm, `"${env:PW}x"`: CodeSecretForm, `"${vault:PW}"`: CodeSecretForm, `"${PW}"`: CodeSecretForm,
		`"${env:}"`: CodeSecretForm, `"${env:PW}${env:PW}"`: CodeSecretForm, `[topsecret]`: CodeWantText,
		`topsecret`: CodeSecretLiteral, `123456`: CodeSecretLiteral, `"p$w{}"`: CodeSecretLiteral,
	} {
		_, err := load(value)
		require.Equal(t, want, fault.CodeOf(err), "%s: %v", value, err)
		require.Contains(t, err.Error(), "pabal.yaml:16:", value)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestSecretsAreNotLookedUpForOperators(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pabal.yaml")
	load := func(value string) (*Config, error) {
		text := strings.Replace(least, "    connect:", "    sender: { name: n, password: "+value+" }\n    options: { transfer_password: "+value+" }\n    connect:", 1)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return Load(path, nil)
	}
	for _, value := range []string{`"${env:NONE}"`, `"${file:none}"`} {
		c, err := load(value)
		require.NoError(t, err, value)
		require.Empty(t, c.Institutions[0].Sender.Password.Reveal())
		require.Empty(t, c.Institutions[0].Options["transfer_password"].Reveal())
	}
	_, err := load(`"${vault:PW}"`)
	require.Equal(t, CodeSecretForm, fault.CodeOf(err), "the form is checked all the same")
}

func TestSecretsNeverPrint(t *testing.T) {
	const hidden = "tops3cret"
	s := NewSecret(hidden)
	in := Institution{Code: "KFTC", Sender: Credentials{Name: "n", Password: s}, Expect: &Credentials{Password: s}}
	c := &Config{Institutions: []Institution{in}}
	for _, value := range []any{s, &s, in, &in, c, *c, in.Sender, []Secret{s}, map[string]Secret{"k": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10v", "%T"} {
			out := fmt.Sprintf(verb, value)
			require.NotContains(t, out, hidden, verb)
			require.NotContains(t, strings.ToLower(out), fmt.Sprintf("%x", hidden), verb)
		}
		j, err := json.Marshal(value)
		require.NoError(t, err)
		require.NotContains(t, string(j), hidden)
		y, err := yaml.Marshal(value)
		require.NoError(t, err)
		require.NotContains(t, string(y), hidden)
		var text, js strings.Builder
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", value)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", value)
		require.NotContains(t, text.String()+js.String(), hidden)
		require.NotContains(t, errors.Join(fmt.Errorf("%w %v", os.ErrClosed, value)).Error(), hidden)
	}
	require.Equal(t, "***", fmt.Sprint(s))
	require.Equal(t, hidden, s.Reveal())
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "4096": 4096, "64KiB": 64 << 10, "64 MiB": 64 << 20, "2GiB": 2 << 30} {
		got, f := parseSize(text)
		require.Nil(t, f, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "-1", "64MB", "1.5MiB", "MiB", "9999999999GiB", "x"} {
		_, f := parseSize(text)
		require.NotNil(t, f, text)
	}
}
