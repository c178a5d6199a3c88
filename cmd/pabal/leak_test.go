package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
)

// What is planted, and must be found in nothing that the program writes beside
// the files themselves. Korean is looked for in both encodings.
const (
	plantedAccount  = "110555666777"
	plantedResident = "8503152765431"
	plantedPhone    = "01098765432"
	plantedName     = "홍길동"
	plantedNameKR   = "\xc8\xab\xb1\xe6\xb5\xbf"
	plantedPassword = "PwQzX7kL"
	plantedOther    = "WrOnGpW9"
)

// yardOf writes a configuration whose checks the planted files fail.
func leakYard(t *testing.T, key, ours, good string) (dir, config string) {
	t.Helper()
	dir, config = yard(t, fmt.Sprintf(`
database: { url: "sqlite:pabal.db", payload_keys: ["${file:payload.key}"] }
instances: [ { id: instance_A, listen: [ { address: %q, profile: cms } ] } ]
institutions:
  - { code: CENTRE, profile: cms, side: institution, wire_code: "12345678", connect: %q, sender: { name: kim, password: "${env:LEAK_PASSWORD}" },
      retry: { first: 50ms, max: 100ms }, receive_windows: [ { from: "00:00", to: "24:00", every: 1s } ] }
  - { code: MEMBER, profile: cms, side: centre, wire_code: "87654321", expect: { name: kim, password: "${env:LEAK_PASSWORD}" } }
jobs: [ { code: JOB, institution: CENTRE }, { code: JOB, institution: MEMBER } ]
files:
  - { id: EB21, institution: CENTRE, job: JOB, direction: send, result: true, wire_name: "${FILE_ID:4}+${MMdd:4}",
      record: { length: 80, fields: [ { name: kind, offset: 0, length: 1, type: code }, { name: account, offset: 1, length: 12, type: account, starts: R },
        { name: resident, offset: 13, length: 13, type: resident, starts: R }, { name: phone, offset: 26, length: 11, type: phone, starts: R },
        { name: holder, offset: 37, length: 6, type: name, starts: R } ] },
      checks: { charset: euc-kr, header: { starts: H, name_at: { offset: 1, length: 8 } }, trailer: { starts: T, count_at: { offset: 1, length: 8 } } } }
  - { id: EB23, institution: CENTRE, job: JOB, direction: send, result: true, record: { length: 80 },
      checks: { header: { starts: H, date_at: { offset: 1, format: yyyyMMdd } } } }
  - { id: EB24, institution: CENTRE, job: JOB, direction: send, record: { length: 80 },
      checks: { rules: [ { name: "account is ours", each: true, expr: 'field(record, 1, 12) == "x"' } ] } }
  - { id: EB25, institution: CENTRE, job: JOB, direction: send, record: { length: 80 },
      checks: { rules: [ { name: "number", each: true, expr: 'num(field(record, 1, 42)) > 0' } ] } }
  - { id: EB26, institution: CENTRE, job: JOB, direction: send, record: { length: 80 },
      checks: { trailer: { count_at: { offset: 1, length: 12 } } } }
  - { id: EB22, institution: CENTRE, job: JOB, direction: receive, record: { length: 80 } }
`, ours, good))
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("log: { format: text }"), []byte("log: { format: json, level: debug }"), 1)
	text = bytes.Replace(text, []byte("RECEIVE_DIRECTORY_NAME: receive }"), []byte("RECEIVE_DIRECTORY_NAME: receive, RESULT_DIRECTORY_NAME: result }"), 1)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "result"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "payload.key"), []byte(key), 0o600))
	return dir, config
}

// plantedFile has every planted value in each of its records.
func plantedFile(header, trailer string, records int) []byte {
	var b bytes.Buffer
	line := func(text string) { b.WriteString(text + strings.Repeat(" ", 80-len(text))) }
	if header != "" {
		line(header)
	}
	for range records {
		line("R" + plantedAccount + plantedResident + plantedPhone + plantedNameKR)
	}
	if trailer != "" {
		line(trailer)
	}
	return b.Bytes()
}

// background runs a command until the test ends and keeps all that it says.
func background(t *testing.T, env []string, args ...string) *lockedBuffer {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*hanging)
	said := &lockedBuffer{}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0], cmd.Stdout, cmd.Stderr = "pabal", said, said
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		cancel()
		if t.Failed() {
			t.Logf("%v:\n%s", args, said.String())
		}
	})
	return said
}

// TestNothingSecretIsWritten: a real server carries files with accounts, resident
// numbers, names and phones to a counterparty that loses telegrams and cuts the
// line, refuses files that fail each kind of check, and turns away a caller with a wrong
// password, all at debug level. Then everything that was written is searched:
// output, logs, .txt and result files, the database as it lies on disk, and what
// every command prints in both languages and as JSON.
func TestNothingSecretIsWritten(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))
	planted := map[string]string{
		"account": plantedAccount, "resident number": plantedResident, "phone": plantedPhone, "name": plantedName, "name in EUC-KR": plantedNameKR,
		"password": plantedPassword, "the other's password": plantedOther, "key": key, "key as it is": "0123456789abcdefghijklmnopqrstuv",
		"end of the account": "66777", "start of the account": "1105556", "resident number's second half": "2765431",
	}
	good, err := addresses.Free()
	require.NoError(t, err)
	ours, err := addresses.Free()
	require.NoError(t, err)
	dir, config := leakYard(t, key, ours, good)
	taken, give := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(give, "EB22"), plantedFile("H", "T", 30), 0o600))
	env := []string{"LEAK_PASSWORD=" + plantedPassword, "LEAK_OTHER=" + plantedOther}
	searched := map[string]*lockedBuffer{
		"simulate": background(t, env, "simulate", "cms", "--side", "centre", "--listen", good, "--take", taken, "--give", give, "--sender", "kim",
			"--password-env", "LEAK_PASSWORD", "--institution", "12345678", "--record", "80", "--faults", "lose=1:2;garbage=sent:9;cut=received:14"),
		"run": background(t, env, "run", "-c", config),
	}
	eventually(t, "the server", func() bool { return strings.Contains(searched["run"].String(), "is running") })
	searched["simulate with a wrong password"] = background(t, env, "simulate", "cms", "--side", "institution", "--connect", ours, "--give", give, "--every", "1s",
		"--sender", "kim", "--password-env", "LEAK_OTHER", "--institution", "87654321", "--record", "80")
	drop := func(name string, content []byte) {
		tmp := filepath.Join(dir, "scan", "."+name)
		require.NoError(t, os.WriteFile(tmp, content, 0o640))
		require.NoError(t, os.Rename(tmp, filepath.Join(dir, "scan", name)))
	}
	today := func(n int) (name, wire string) {
		day := time.Date(2026, 3, 1+n, 0, 0, 0, 0, time.UTC)
		return "EB21.CENTRE.JOB." + day.Format("20060102"), "EB21" + day.Format("0102")
	}
	name, wire := today(0)
	drop(name, plantedFile("H"+wire, "T00000090", 90))
	for n, content := range [][]byte{
		plantedFile("", "T00000003", 3),                          // no header
		plantedFile("H"+plantedAccount, "T00000003", 3),          // another name in it
		plantedFile("H"+wire, "T00000003", 3)[:200],              // cut in the middle of a record
		plantedFile("H"+"EB210305", "", 3),                       // no trailer
		plantedFile("H"+"EB210306", "T"+plantedAccount, 3),       // a count that is none
		plantedFile("HEB210307"+plantedAccount+"\xff", "T", 3),   // not EUC-KR, beside an account
		plantedFile("H"+plantedResident[:8], "T0000000388", 300), // a name that is a date of birth
	} {
		name, _ := today(n + 1)
		drop(name, content)
	}
	refused := 7
	for id, content := range map[string][]byte{
		"EB23": plantedFile("H"+plantedResident, "", 2), "EB24": plantedFile("", "", 2), "EB25": plantedFile("", "", 2), "EB26": plantedFile("", "", 2),
	} {
		drop(id+".CENTRE.JOB", content)
		refused++
	}
	drop("NOPE.CENTRE.JOB", plantedFile("", "", 3))
	refused++

	list := func() (byStatus map[string]int, ids []string) {
		code, out, errs := start(t, "transfer", "list", "-c", config, "--json")
		if code != exitOK {
			return nil, nil
		}
		byStatus = map[string]int{}
		for line := range strings.Lines(out) {
			var tr struct{ ID, Status string }
			require.NoError(t, json.Unmarshal([]byte(line), &tr), "%s%s", line, errs)
			byStatus[tr.Status]++
			ids = append(ids, tr.ID)
		}
		return byStatus, ids
	}
	tried := func() bool {
		return strings.Contains(searched["run"].String(), "MEMBER") || strings.Contains(searched["simulate with a wrong password"].String(), "efused")
	}
	eventually(t, "all files to be dealt with", func() bool {
		by, _ := list()
		return by["sent"] == 1 && by["refused"] == refused && by["assembled"] >= 1 && tried()
	})
	eventually(t, "the texts beside the refused files", func() bool {
		texts, err := filepath.Glob(filepath.Join(dir, "error", "*", "*.txt"))
		return err == nil && len(texts) == refused
	})

	// What people and programs are told.
	said := map[string]string{}
	ask := func(args ...string) {
		t.Setenv("LEAK_PASSWORD", plantedPassword)
		for _, more := range [][]string{{"--lang", "en"}, {"--lang", "ko"}, {"--json"}} {
			args := append(append([]string{}, args...), more...)
			_, out, errs := start(t, args...)
			said[strings.Join(args, " ")] = out + errs
		}
	}
	_, ids := list()
	require.NotEmpty(t, ids)
	for _, id := range ids {
		ask("transfer", "show", id, "-c", config)
		ask("transfer", "show", id, "-c", config, "--records", "1..5")
		ask("transfer", "show", id, "-c", config, "--records", "1..5", "--unmasked") // no reason: nothing
	}
	ask("transfer", "list", "-c", config)
	ask("check", "-c", config)
	ask("transfer", "cancel", ids[0], "-c", config, "--reason", "test")
	bad, err := os.ReadFile(config)
	require.NoError(t, err)
	for n, change := range [][2]string{
		{"${file:payload.key}", key[:20] + plantedPassword},                                    // a key that is none
		{"sender: { name: kim,", "sender: { nme: kim,"},                                        // a mistake beside a password
		{`connect: "` + good, `options: { gzip: ` + plantedPassword + ` }, connect: "` + good}, // a secret as an option
		{"sqlite:pabal.db", "postgres://u:" + plantedPassword + "@127.0.0.1:1/x"},
		{"profile: cms, side: institution, wire_code: \"12345678\", connect: \"" + good, "profile: edi, side: institution, wire_code: \"12345678\", connect: \"" + good},
	} {
		text := bytes.Replace(bad, []byte(change[0]), []byte(change[1]), 1)
		require.NotEqual(t, bad, text, change[0])
		broken := filepath.Join(dir, fmt.Sprintf("broken%d.yaml", n))
		require.NoError(t, os.WriteFile(broken, text, 0o600))
		ask("check", "-c", broken)
		ask("transfer", "list", "-c", broken)
		require.NoError(t, os.Remove(broken))
	}
	for what, b := range searched {
		said[what] = b.String()
	}
	masked := false
	for what, text := range said {
		masked = masked || strings.Contains(text, "R********6777850315*******010****5432홍*동")
		text = strings.ReplaceAll(text, "******6777", "")
		for kind, value := range planted {
			require.NotContains(t, text, value, "%s in: %s", kind, what)
		}
	}
	require.True(t, masked, "records were shown, by the types of their fields")

	// What lies on the disk: all but the files themselves and the key.
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		inside, _ := filepath.Rel(dir, path)
		top, _, _ := strings.Cut(inside, "/")
		content := top == "receive" || top == "backup" || top == "work" || top == "error" && !strings.HasSuffix(path, ".txt")
		if content || inside == "payload.key" || inside == "pabal.yaml" {
			return nil
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		require.NoError(t, err)
		for kind, value := range planted {
			require.False(t, bytes.Contains(b, []byte(value)), "%s in %s", kind, inside)
		}
		return nil
	}))

	// It is there for who asks with a reason, and that is on record.
	_, out, errs := start(t, "transfer", "show", ids[len(ids)-1], "-c", config, "--records", "2..2", "--unmasked", "--reason", "dispute 4711", "--lang", "en")
	require.Contains(t, out+errs, plantedAccount)
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(dir, "pabal.db"), ReadOnly: true})
	require.NoError(t, err)
	defer s.Close()
	commands, err := s.Commands(t.Context(), store.CommandFilter{Name: "show_records"})
	require.NoError(t, err)
	require.Len(t, commands, 1)
	require.Equal(t, "dispute 4711", commands[0].Reason)
}
