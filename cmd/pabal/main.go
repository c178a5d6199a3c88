// Command pabal carries batch files between a financial institution's business
// systems and its counterparties.
//
// This package is the only one that sees every other one: it reads the
// configuration, builds what the command needs and connects the parts. A
// subcommand lives in the file of its name.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

// version is set by the linker (see the Makefile); "dev" is a plain go build.
var version = "dev"

func main() {
	ctx, stop := withSignals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program without the process around it, so that a test can
// start it. The result is the exit code; only main exits. ctx ends when the
// program is asked to stop, see withSignals.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a, err := newApp(stdin, stdout, stderr)
	if err != nil { // this build carries broken sentences; a test finds it
		fmt.Fprintln(stderr, "pabal:", err)
		return exitFailed
	}
	root := newRoot(a, args)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	err = root.ExecuteContext(ctx)
	// What a command opened is closed even when it failed, and a failure to
	// close counts: it may be the last write of the program.
	if cerr := a.close(); err == nil {
		err = cerr
	}
	return a.finish(ctx, err)
}
