package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

// Exit codes. They are documented in docs/operations.md.
const (
	exitOK          = 0
	exitFailed      = 1   // the command could not do what it was asked
	exitUsage       = 2   // the command line was wrong; nothing was done
	exitInterrupted = 130 // stopped by a signal before it was done
)

// app is what every subcommand gets: the streams, the global flags, the
// sentences, and a place to leave what has to be closed.
type app struct {
	in  io.Reader
	out io.Writer
	err io.Writer

	lang       string // --lang: ko or en
	json       bool   // --json: one JSON value per line, for programs
	configPath string // --config

	environment string // that the command works in, "" = none; see enter
	host        string // … and what the configuration calls this one
	headed      bool   // people have been told
	quiet       bool   // its output is a document that is no table

	cat *catalog.Catalog
	now func() time.Time
	env func(string) (string, bool)

	closers []func() error
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) (*app, error) {
	cat, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	return &app{in: stdin, out: stdout, err: stderr, cat: cat, now: time.Now, env: os.LookupEnv}, nil
}

// language of what is printed. A language that does not exist is refused, in
// the one that the environment asks for.
func (a *app) language() catalog.Lang {
	choice := a.lang
	if choice != string(catalog.KO) && choice != string(catalog.EN) {
		choice = ""
	}
	return catalog.LangFrom(choice, os.Getenv)
}

// text is a line of the interface. kv are names and values of its placeholders
// in turn.
func (a *app) text(code fault.Code, kv ...any) string {
	return a.cat.Text(a.language(), code, fault.New(code, "", kv...).Args)
}

// onClose has f called when the command has ended. The last one registered is
// called first, because it may use what was opened before it.
func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

// close calls the closers in reverse order; every one is called even if an
// earlier one failed.
func (a *app) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil {
			errs = append(errs, err)
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

// usageError marks an error that the command line caused.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// finish tells the user how the command ended and gives the exit code.
func (a *app) finish(ctx context.Context, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &usage):
		a.report(err)
		return exitUsage
	default:
		a.report(err)
		return exitFailed
	}
}
