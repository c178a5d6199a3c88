package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Time       time.Time
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// test is one test or subtest and what it printed.
type test struct {
	pkg, name string
	action    string // run, pass, fail, skip
	started   time.Time
	parent    bool // has subtests
	output    strings.Builder
}

type report struct {
	out      io.Writer
	tests    map[string]*test // by package and name
	order    []*test
	output   map[string]*strings.Builder // of a package, outside its tests, or of its build
	broken   []string                    // packages that failed without a failing test
	packages int

	passed, failed, skipped int
}

func newReport(out io.Writer) *report {
	return &report{out: out, tests: map[string]*test{}, output: map[string]*strings.Builder{}}
}

// line takes one line of go test -json and reports whether it printed
// something. What is not JSON is shown as it is.
func (r *report) line(line string) bool {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(r.out, line)
		return true
	}
	switch {
	case e.Action == "build-output":
		// The import path of a test's build is "pkg [pkg.test]".
		pkg, _, _ := strings.Cut(e.ImportPath, " ")
		r.packageOutput(pkg).WriteString(e.Output)
	case e.Test == "":
		return r.packageEvent(e)
	default:
		r.testEvent(e)
	}
	return false
}

func (r *report) packageOutput(pkg string) *strings.Builder {
	b := r.output[pkg]
	if b == nil {
		b = &strings.Builder{}
		r.output[pkg] = b
	}
	return b
}

func (r *report) packageEvent(e event) bool {
	switch e.Action {
	case "output":
		r.packageOutput(e.Package).WriteString(e.Output)
	case "pass", "fail":
		r.packages++
		mark := "ok  "
		if e.Action == "fail" {
			mark = "FAIL"
			if !r.named(e.Package) {
				r.broken = append(r.broken, e.Package)
			}
		}
		cached := ""
		if b := r.output[e.Package]; b != nil && strings.Contains(b.String(), "(cached)") {
			cached = " (cached)"
		}
		fmt.Fprintf(r.out, "%s  %-32s %7.1fs%s\n", mark, e.Package, e.Elapsed, cached)
		return true
	}
	return false
}

// printRunning says what has not ended yet, in the order of starting; nothing while
// go test is still compiling.
func (r *report) printRunning(now time.Time) {
	for _, t := range r.order {
		if t.action == "run" && !t.parent {
			fmt.Fprintf(r.out, "...   %-32s %7.0fs in %s\n", t.pkg, now.Sub(t.started).Seconds(), t.name)
		}
	}
}

// named reports that a failing test of the package says why it failed.
func (r *report) named(pkg string) bool {
	return slices.ContainsFunc(r.order, func(t *test) bool { return t.pkg == pkg && t.action == "fail" })
}

func (r *report) testEvent(e event) {
	key := e.Package + "\x00" + e.Test
	t := r.tests[key]
	if t == nil {
		t = &test{pkg: e.Package, name: e.Test, started: e.Time}
		r.tests[key] = t
		r.order = append(r.order, t)
		if i := strings.LastIndex(e.Test, "/"); i >= 0 {
			if p := r.tests[e.Package+"\x00"+e.Test[:i]]; p != nil {
				p.parent = true
			}
		}
	}
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "run", "pass", "fail", "skip":
		t.action = e.Action
	case "pause":
		t.action = "wait" // in t.Parallel, until its turn comes
	case "cont":
		t.action, t.started = "run", e.Time
	}
}

// finish counts. A test that only holds subtests is not counted beside them,
// unless it failed by itself. One that never ended (a panic, a time-out, an
// exit) has failed.
func (r *report) finish() {
	for _, t := range r.order {
		if t.action == "run" || t.action == "wait" {
			t.action = "fail"
		}
	}
	for _, t := range r.order {
		switch {
		case t.parent && (t.action != "fail" || r.childFailed(t)):
		case t.action == "pass":
			r.passed++
		case t.action == "skip":
			r.skipped++
		case t.action == "fail":
			r.failed++
		}
	}
	r.broken = slices.DeleteFunc(r.broken, r.named)
	r.failed += len(r.broken)
}

func (r *report) childFailed(parent *test) bool {
	return slices.ContainsFunc(r.order, func(t *test) bool {
		return t.action == "fail" && t.pkg == parent.pkg && strings.HasPrefix(t.name, parent.name+"/")
	})
}

// maxOutput bounds what one failed test prints: the end says what went wrong,
// the start what it was doing.
const maxOutput = 16 << 10

func (r *report) printFailures() {
	for _, t := range r.order {
		if t.action != "fail" || t.parent && r.childFailed(t) {
			continue
		}
		fmt.Fprintf(r.out, "\n--- %s %s\n%s", t.pkg, t.name, clip(t.output.String()))
	}
	for _, pkg := range r.broken {
		fmt.Fprintf(r.out, "\n--- %s\n%s", pkg, clip(r.packageOutput(pkg).String()))
	}
}

func clip(s string) string {
	if len(s) <= maxOutput {
		return s
	}
	return s[:maxOutput/2] + fmt.Sprintf("\n… %d bytes left out …\n", len(s)-maxOutput) + s[len(s)-maxOutput/2:]
}

// printSkips lists what did not run, with its reason, and returns how many
// were for want of a tool.
func (r *report) printSkips(tools []string) int {
	notRun := 0
	head := "\nskipped:\n"
	for _, t := range r.order {
		if t.action != "skip" || t.parent {
			continue
		}
		why := t.reason()
		fmt.Fprintf(r.out, "%s  %s %s: %s\n", head, t.pkg, t.name, why)
		head = ""
		if missingTool(why, tools) {
			notRun++
		}
	}
	return notRun
}

// said is a line that t.Log or t.Skip printed.
var said = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

// reason is the last thing that a skipped test said.
func (t *test) reason() string {
	why := "no reason given"
	for line := range strings.Lines(t.output.String()) {
		if m := said.FindStringSubmatch(line); m != nil {
			why = strings.TrimSpace(m[1])
		}
	}
	return why
}

// closing is the line that counts, in the one form that tools read.
func (r *report) closing() string {
	line := fmt.Sprintf("%d passed, %d failed", r.passed, r.failed)
	if r.skipped > 0 {
		line += fmt.Sprintf(", %d skipped", r.skipped)
	}
	return line
}
