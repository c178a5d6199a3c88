package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pabal/internal/loopback"
	"pabal/internal/needs"
	"pabal/internal/secure/securetest"
)

// The scripts in testdata/script are what users type and what they see. The
// program in them is this test binary, started as a process of its own.

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "pabal" {
		needs.Memory()
	}
	testscript.Main(m, map[string]func(){"pabal": main})
}

// addresses are given away once, to whichever test asks.
var addresses loopback.Addresses

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("LANG", "C")
			e.Setenv("LC_ALL", "")
			e.Setenv("NO_COLOR", "1")
			e.Setenv("NL", "\n")
			// CMS wire names carry the business day.
			e.Setenv("MMDD", time.Now().In(time.FixedZone("KST", 9*3600)).Format("0102"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until":    until,
			"edit":     edit,
			"freeport": freePort,
			"certs":    certs,
			"code":     code,
			"sees":     sees,
			"holds":    holds,
			"equal":    equal,
			"hurry":    hurry,
			"nowhere":  nowhere,
			"id":       id,
		},
		RequireExplicitExec: true,
	})
}

// patience is how long until waits. It only guards against hanging: what it
// waits for takes well under a second on an idle machine.
const patience = 3 * time.Minute

// until PATTERN pabal ARG…: runs pabal with the arguments until a line of its
// output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN pabal ARG…")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	deadline := time.Now().Add(patience)
	for pause := 20 * time.Millisecond; ; pause = min(pause*5/4, 200*time.Millisecond) { // each look costs what is looked at
		var out, errs bytes.Buffer
		here := ts.MkAbs(".")
		run(context.Background(), inDirectory(here, args[2:]), strings.NewReader(""), &out, &errs)
		if pattern.Match(out.Bytes()) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q did not come, but:\n%s%s", args[0], &out, &errs)
		}
		<-time.After(pause)
	}
}

// inDirectory makes the paths after -c absolute: the script's directory is not
// the one of the test.
func inDirectory(dir string, args []string) []string {
	out := append([]string(nil), args...)
	for n := range out {
		if n > 0 && out[n-1] == "-c" && !filepath.IsAbs(out[n]) {
			out[n] = filepath.Join(dir, out[n])
		}
	}
	return out
}

// edit FILE OLD NEW: replaces a text that must be there.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}

// freeport NAME: sets NAME to an address of loopback that nobody listens on.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	address, err := addresses.Free()
	ts.Check(err)
	ts.Setenv(args[0], address)
}

// code N pabal ARG…: the exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N pabal ARG…")
	}
	want := args[0]
	var out, errs bytes.Buffer
	got := run(context.Background(), inDirectory(ts.MkAbs("."), args[2:]), strings.NewReader(""), &out, &errs)
	if want != string(rune('0'+got)) {
		ts.Fatalf("exit code %d, want %s\n%s%s", got, want, &out, &errs)
	}
}

// sees GLOB…: each pattern has a file.
func sees(ts *testscript.TestScript, neg bool, args []string) {
	limit := time.Now().Add(patience)
	for _, pattern := range args {
		found, err := filepath.Glob(ts.MkAbs(pattern))
		for ; len(found) == 0 && !neg && time.Now().Before(limit); found, err = filepath.Glob(ts.MkAbs(pattern)) {
			pause := time.NewTimer(20 * time.Millisecond) // a stage of its own writes it
			<-pause.C
		}
		ts.Check(err)
		if len(found) == 0 != neg {
			ts.Fatalf("%s: found %q", pattern, found)
		}
	}
}

// only is the one file that the pattern finds.
func only(ts *testscript.TestScript, pattern string) string {
	found, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s: found %q", pattern, found)
	}
	text, err := os.ReadFile(found[0])
	ts.Check(err)
	return string(text)
}

// holds GLOB PATTERN: the one file that GLOB finds contains the pattern.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: holds GLOB PATTERN")
	}
	text := only(ts, args[0])
	if regexp.MustCompile(args[1]).MatchString(text) == neg {
		ts.Fatalf("%s: %s", args[0], text)
	}
}

// nowhere TEXT GLOB…: none of the files, of which there are some, has the text.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: nowhere TEXT GLOB…")
	}
	for _, pattern := range args[1:] {
		found, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(found) == 0 {
			ts.Fatalf("%s finds nothing", pattern)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			ts.Check(err)
			if bytes.Contains(text, []byte(args[0])) {
				ts.Fatalf("%s has %s", path, args[0])
			}
		}
	}
}

// id NAME FILE PATTERN: sets NAME to what the group of the pattern finds.
func id(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: id NAME FILE PATTERN")
	}
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s is not in %s", args[2], args[1])
	}
	ts.Setenv(args[0], found[1])
}

// equal GLOB GLOB: both find one file, and these are equal.
func equal(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: equal GLOB GLOB")
	}
	if (only(ts, args[0]) == only(ts, args[1])) == neg {
		ts.Fatalf("%s and %s", args[0], args[1])
	}
}

// hurry COMMAND: two signals, one after the other, to pabal COMMAND in the
// background.
func hurry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hurry COMMAND")
	}
	for _, cmd := range ts.BackgroundCmds() {
		if len(cmd.Args) > 1 && cmd.Args[1] == args[0] && cmd.ProcessState == nil {
			ts.Check(cmd.Process.Signal(os.Interrupt))
			ts.Check(cmd.Process.Signal(syscall.SIGTERM))
			return
		}
	}
	ts.Fatalf("no pabal %s in the background", args[0])
}

// scriptT lets a script's commands use what tests share.
type scriptT struct{ *testscript.TestScript }

func (t scriptT) Errorf(format string, args ...any) { t.Fatalf(format, args...) }
func (t scriptT) FailNow()                          { t.Fatalf("failed") }
func (scriptT) Helper()                             {}

// certs DIR makes a CA (ca.pem), a server's certificate for this
// machine (us), a second one (us2), a caller's (van) and, of another CA, one
// more caller's (stranger).
func certs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: certs DIR")
	}
	t, dir := scriptT{ts}, ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o750))
	here := []net.IP{net.IPv4(127, 0, 0, 1)}
	ca := securetest.NewCA(t, dir, "ca")
	for _, name := range []string{"us", "us2"} {
		ca.Issue(t, securetest.Ask{Name: name, IP: here})
	}
	ca.Issue(t, securetest.Ask{Name: "van", Client: true})
	securetest.NewCA(t, dir, "ca-other").Issue(t, securetest.Ask{Name: "stranger", Client: true})
}
