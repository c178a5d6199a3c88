package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/instance"
	"pabal/internal/fault"
	"pabal/internal/pgtest"
)

const sharedDocument = `instances:
  - { id: instance_A, listen: [ { address: "127.0.0.1:0", profile: cms } ] }
  - { id: instance_B, listen: [ { address: "127.0.0.1:0", profile: cms } ] }
routers: [ { id: fileScanRouter, kind: instance, instance: instance_A } ]
institutions:
  - { code: MEMBER, profile: cms, side: centre, wire_code: "12345678", instance: instance_A, expect: { name: kim, password: "${env:MEMBER_PASSWORD}" } }
jobs: [ { code: JOB, institution: MEMBER } ]
files: [ { id: EB21, institution: MEMBER, job: JOB, direction: receive, record: { form: raw } } ]
`

// hostFile is the file of a host of several that share a database.
func hostFile(t *testing.T, dir, name, url, instance string) string {
	t.Helper()
	for _, d := range []string{"scan", "work", "receive", "profiles"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, d), 0o750))
	}
	path := filepath.Join(dir, name, "host.yaml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `environment: test
host: %s
database: { url: %q }
system: { SCAN_DIRECTORY_NAME: scan, WORK_DIRECTORY_NAME: work, RECEIVE_DIRECTORY_NAME: receive }
profiles: { directory: profiles }
runs: [ { instance: %s } ]
`, name, url, instance), 0o600))
	return path
}

// TestConfigurationOfTwoHosts: a version is used by both without a restart, or
// refused for both.
func TestConfigurationOfTwoHosts(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	t.Setenv("MEMBER_PASSWORD", "geheim99")
	var postgres pgtest.Server
	t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
	url, dir := postgres.URL(t), t.TempDir()
	one, two := hostFile(t, dir, "bat01", url, "instance_A"), hostFile(t, dir, "bat02", url, "instance_B")
	shared := filepath.Join(dir, "shared.yaml")
	document := func(old, text string) {
		require.Contains(t, sharedDocument, old)
		require.NoError(t, os.WriteFile(shared, []byte(strings.Replace(sharedDocument, old, text, 1)), 0o600))
	}
	patient := hanging.String() // the hosts may be slow, and are not silent for it
	apply := func(reason string, more ...string) (int, string, string) {
		return start(t, append([]string{"config", "apply", shared, "-c", one, "--reason", reason, "--json", "--wait", patient}, more...)...)
	}
	// inVain applies while the second host cannot answer. The first has as long as
	// it needs.
	inVain := func(reason string) {
		t.Helper()
		for wait := time.Second; ; wait *= 4 {
			code, _, errs := apply(reason, "--wait", wait.String())
			require.Equal(t, exitFailed, code)
			require.Contains(t, errs, `"refused":"-","silent":"`)
			if strings.Contains(errs, `"silent":"bat02"`) {
				return
			}
			require.Less(t, wait, hanging, errs)
		}
	}
	history := func() string {
		_, out, _ := start(t, "config", "history", "-c", two)
		return out
	}
	uses := func(host string, version int) {
		t.Helper()
		eventually(t, "use of a version", func() bool {
			for line := range strings.Lines(history()) {
				if strings.HasPrefix(line, host+" (process") && strings.HasSuffix(strings.TrimSpace(line), fmt.Sprintf("works by version %d", version)) {
					return true
				}
			}
			return false
		})
	}

	// A host's own file alone says what is missing.
	code, _, errs := start(t, "run", "-c", one)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, string(codeNoConfiguration))
	document("", "")
	code, out, errs := apply("the first")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `"version":1,"active":true,"answers":null`)

	a, b := serve(t, one, "instance_A"), serve(t, two, "instance_B")
	uses("bat01", 1)
	uses("bat02", 1)

	// Accepted by both: both use it, in the processes that run, and the
	// listeners that stay take callers at every moment.
	more, err := addresses.Free()
	require.NoError(t, err)
	document(`{ id: instance_B, listen: [ `, `{ id: instance_B, listen: [ { address: "`+more+`", profile: edi }, `)
	code, out, errs = apply("one more address")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `"host":"bat01","pid":`+fmt.Sprint(a.cmd.Process.Pid)+`,"accepted":true`)
	require.Contains(t, out, `"host":"bat02","pid":`+fmt.Sprint(b.cmd.Process.Pid)+`,"accepted":true`)
	require.NotContains(t, out, `"late"`, "both use it when the command is over")
	uses("bat01", 2)
	uses("bat02", 2)
	for _, address := range []string{a.listen, b.listen, more} {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}

	// Refused by one: a profile that only the first host has.
	cms, err := os.ReadFile(filepath.Join("..", "..", "protocol", "profiles", "cms.yaml"))
	require.NoError(t, err)
	own := strings.Replace(string(cms), "profile: cms\n", "profile: own\n", 1)
	require.NotEqual(t, string(cms), own)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bat01", "profiles", "own.yaml"), []byte(own), 0o600))
	document(`{ code: MEMBER, profile: cms,`, `{ code: MEMBER, profile: own,`)
	code, out, errs = apply("a profile of our own")
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, `{"host":"bat01","accepted":true},{"host":"bat02","accepted":false,"problems":[{"file":"`+shared+`","line":6,`)
	require.Contains(t, errs, `"refused":"bat02","silent":"-"`)
	require.NotContains(t, out+errs+a.log.String()+b.log.String(), "geheim99")
	uses("bat01", 2)
	uses("bat02", 2)
	_, out, _ = start(t, "config", "show", "-c", two)
	require.NotContains(t, out, "profile: own")

	// A host that does not answer is no host that agrees.
	document(`record: { form: raw }`, `record: { form: raw }, existing: number`)
	require.NoError(t, b.cmd.Process.Signal(syscall.SIGSTOP))
	inVain("in vain")
	require.NoError(t, b.cmd.Process.Signal(syscall.SIGCONT))

	// One that is killed says nothing more, and its row stays: a person says that
	// the host is gone, which is on record, and it is not waited for.
	require.NoError(t, b.cmd.Process.Kill())
	_ = b.cmd.Wait()
	inVain("in vain too")
	code, out, errs = apply("bat02 has burned", "--without", "bat02")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `"active":true,"answers":[{"host":"bat01"`)
	require.NotContains(t, out, "bat02")
	require.NotContains(t, history(), "bat02 (process")
	_, out, _ = start(t, "audit", "-c", one, "--command", "config apply", "--limit", "1", "--json")
	require.Contains(t, out, "bat02 has burned")
	// Back again it follows what is active, and is asked again.
	b = serve(t, two, "instance_B")
	eventually(t, "the host that is back", func() bool { return strings.Contains(history(), "bat02 (process") })
	document(`record: { form: raw }`, `record: { form: raw }, existing: wait`)
	code, out, errs = apply("with both")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `"host":"bat02","pid":`+fmt.Sprint(b.cmd.Process.Pid)+`,"accepted":true`)

	// Two at once: one is active, the other hears of it or comes after it.
	other := filepath.Join(dir, "other.yaml")
	require.NoError(t, os.WriteFile(other, []byte(strings.Replace(sharedDocument, "{ form: raw }", "{ form: raw }, existing: replace", 1)), 0o600))
	done := make(chan int, 1)
	go func() {
		code, _, _ := start(t, "config", "apply", other, "-c", two, "--reason", "b", "--json", "--wait", patient)
		done <- code
	}()
	code, _, errs = apply("a")
	codes := []int{code, <-done}
	require.Contains(t, codes, exitOK, errs)

	code, out, errs = start(t, "config", "rollback", "1", "-c", two, "--reason", "enough", "--json", "--wait", patient)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, `"active":true`)
	require.NotContains(t, out, `"late"`)
	_, out, _ = start(t, "config", "diff", "1", "-c", one)
	require.Contains(t, out, "are the same")
	_, err = net.Dial("tcp", more)
	require.Error(t, err, "the address of the other version is closed")

	// A host that comes later does not run by what cannot work there.
	three := hostFile(t, dir, "bat03", url, "instance_C")
	code, _, errs = start(t, "run", "-c", three)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "host.yaml:6:")
	require.Contains(t, errs, "config.no_instance")
}

// requireRecords looks at what a server has logged: JSON records and nothing
// else, among them those with these codes, each with a sentence and a next step.
func requireRecords(t *testing.T, log string, codes ...fault.Code) {
	t.Helper()
	found := map[fault.Code]bool{}
	for line := range strings.Lines(log) {
		var record struct {
			Time, Level, Msg, Sentence, Next, File string
			Code                                   fault.Code
			Line                                   int
		}
		require.NoError(t, json.Unmarshal([]byte(line), &record), "%s", line)
		require.NotEmpty(t, record.Time, "%s", line)
		require.NotEmpty(t, record.Msg, "%s", line)
		if slices.Contains(codes, record.Code) {
			found[record.Code] = true
			require.NotEmpty(t, record.Sentence, "%s", line)
			require.NotEmpty(t, record.Next, "%s", line)
			require.NotEmpty(t, record.File, "%s", line)
			require.Positive(t, record.Line, "%s", line)
		}
	}
	require.Len(t, found, len(codes), "%v", found)
}

// TestHangupReadsTheFileAgain: on one host the file is the document, and what
// needs a new process says so and changes nothing.
func TestHangupReadsTheFileAgain(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	t.Setenv("MEMBER_PASSWORD", "geheim99")
	dir := t.TempDir()
	path := hostFile(t, dir, "bat01", "sqlite:pabal.db", "instance_A")
	own, err := os.ReadFile(path)
	require.NoError(t, err)
	write := func(host, shared string) { require.NoError(t, os.WriteFile(path, []byte(host+shared), 0o600)) }
	write(string(own), sharedDocument)
	s := serve(t, path, "instance_A")
	logged := func(text string) {
		t.Helper()
		eventually(t, text, func() bool { return strings.Contains(s.log.String(), text) })
	}

	write(string(own), strings.Replace(sharedDocument, "{ form: raw }", "{ form: raw }, existing: number", 1))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	logged(`"msg":"configuration is used","environment":"test","config_version":2`)
	_, out, _ := start(t, "config", "history", "-c", path)
	require.Contains(t, out, "reload "+path)
	require.Contains(t, out, "works by version 2")
	_, audit, _ := start(t, "audit", "-c", path)
	for name, list := range map[string]string{"config history": out, "audit": audit} { // one name of a host everywhere
		require.Contains(t, list, "@bat01", name)
		require.NotRegexp(t, `@[^b]`, list, name)
	}

	write(strings.Replace(string(own), "RECEIVE_DIRECTORY_NAME: receive", "RECEIVE_DIRECTORY_NAME: profiles", 1), sharedDocument)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	logged(string(codeRestart))
	write(string(own), strings.Replace(sharedDocument, "side: centre", "side: both", 1))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	logged("config.not_one_of")
	logged(`"config":"` + path + `","code":"config","problems":1`) // the last record of it
	// What the server itself finds when the version is proposed.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // of a test
	write(string(own), strings.Replace(sharedDocument, `"127.0.0.1:0"`, `"`+taken.Addr().String()+`"`, 1))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	logged(`"config":"` + path + `","code":"command.version_refused"`)
	_, out, _ = start(t, "config", "history", "-c", path)
	require.Contains(t, out, "works by version 2")
	require.NotRegexp(t, `(?m)^3 +active`, out)
	requireRecords(t, s.log.String(), codeRestart, "config.not_one_of", instance.CodeListen)
	c, err := net.Dial("tcp", s.listen)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}
