package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"

	"pabal/config"
)

// newLogger writes lines for eyes on a terminal and JSON elsewhere, unless the
// configuration says which. Secrets mask themselves (config.Secret).
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // config has refused other words
	terminal := isTerminal(w)
	if c.Format == "json" || c.Format != "text" && !terminal {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.DateTime, NoColor: !terminal}))
}

// progress is where long work says how far it is: the error stream, and nothing
// where a program reads and nobody looks on.
func (a *app) progress() io.Writer {
	if a.json && !isTerminal(a.err) {
		return io.Discard
	}
	return a.err
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
