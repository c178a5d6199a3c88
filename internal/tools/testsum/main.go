// Command testsum runs go test and reports it for people: a line per package
// as it ends, the output of what failed, what did not run and why, and a
// closing line that counts. Its exit code is 1 if anything failed, and in CI
// also if a test did not run because a tool was missing.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("testsum", flag.ContinueOnError)
	flags.SetOutput(stderr)
	deps := flags.String("deps", "", "list of the tools that tests need, see scripts/deps.txt")
	summary := flags.String("summary", "", "file that gets the closing line")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	tools, err := readTools(*deps)
	if err != nil {
		fmt.Fprintln(stderr, "testsum:", err)
		return 2
	}

	start := time.Now()
	r := newReport(stdout)
	failed := false
	if err := goTest(flags.Args(), r, stderr); err != nil {
		failed = true
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			fmt.Fprintln(stderr, "testsum:", err)
			return 2
		}
	}
	r.finish()
	r.printFailures()
	notRun := r.printSkips(tools)

	fmt.Fprintf(stdout, "\n%d packages in %s\n", r.packages, time.Since(start).Round(100*time.Millisecond))
	if notRun > 0 {
		fmt.Fprint(stdout, loud(notRun, os.Getenv("CI") == "true"))
		failed = failed || os.Getenv("CI") == "true"
	}
	if failed && r.failed == 0 && notRun == 0 {
		// go test itself did not come to an end that it could name.
		fmt.Fprintln(stdout, "go test failed without naming a test")
		r.failed++
	}
	line := r.closing()
	fmt.Fprintln(stdout, line)
	if *summary != "" {
		if err := os.WriteFile(*summary, []byte(line+"\n"), 0o644); err != nil {
			fmt.Fprintln(stderr, "testsum:", err)
			return 2
		}
	}
	if failed || r.failed > 0 {
		return 1
	}
	return 0
}

// goTest runs go test -json with args and feeds r as the events come.
func goTest(args []string, r *report, stderr io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		in := bufio.NewReader(out)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	alive := time.NewTicker(quiet)
	defer alive.Stop()
	for {
		select {
		case line, more := <-lines:
			if !more {
				return cmd.Wait()
			}
			if r.line(line) {
				alive.Reset(quiet)
			}
		case now := <-alive.C:
			r.printRunning(now)
		}
	}
}

// quiet is how long nothing may be printed before we say what is running.
const quiet = 30 * time.Second

// loud is what nobody should overlook.
func loud(notRun int, ci bool) string {
	var b strings.Builder
	bar := strings.Repeat("!", 72)
	word := "tests"
	if notRun == 1 {
		word = "test"
	}
	fmt.Fprintf(&b, "\n%s\n%d %s DID NOT RUN because a system tool is missing (named above).\n", bar, notRun, word)
	fmt.Fprintf(&b, "To get them: make deps as root, or install what it names; then make test.\n")
	if ci {
		fmt.Fprintf(&b, "In CI that is a failure.\n")
	}
	fmt.Fprintf(&b, "%s\n\n", bar)
	return b.String()
}
