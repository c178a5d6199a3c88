package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"pabal/control"
	"pabal/internal/fault"
)

// listLimit is how many lines a list has unless more are asked for: a screen
// or two.
const listLimit = 50

// limits are the flags by which a list is cut short; the zero value does not.
type limits struct {
	all   bool
	limit int
	since string
}

// flags adds them. help is what --since is about.
func (l *limits) flags(a *app, flags *pflag.FlagSet, help fault.Code) {
	flags.StringVar(&l.since, "since", "", a.text(help))
	flags.BoolVar(&l.all, "all", false, a.text("ui.flag.all"))
	flags.IntVar(&l.limit, "limit", listLimit, a.text("ui.flag.limit"))
}

// asking is what a command needs to ask for a list.
type asking struct {
	control *control.Control
	logs    string // directory of the session logs of this host
	zone    *time.Location
	now     time.Time // in it
	since   time.Time // zero = from the beginning
	most    int       // one more than are shown: it tells whether there are more; 0 = all
}

// ask checks the flags and opens the store for reading.
func (l *limits) ask(ctx context.Context, a *app) (q asking, err error) {
	if l.limit < 0 {
		return q, usageError{fault.New(codeFlagValue, "--limit", "value", l.limit)}
	}
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return q, err
	}
	zone := cfg.Location()
	q = asking{control: c, logs: sessionLogs(cfg), zone: zone, now: a.now().In(zone)}
	if !l.all && l.limit > 0 {
		q.most = l.limit + 1
	}
	if l.since != "" {
		q.since, err = since(l.since, q.now)
	}
	return q, err
}

// listing is a list as it is printed.
type listing[T any] struct {
	limits  limits // the zero value shows all
	none    fault.Code
	columns []string // names behind ui.column.
	row     func(T) []string
	above   func() error // prints what stands above a list for people; may be nil
}

// print writes a list as a table, or as one JSON object for each line.
func (l listing[T]) print(a *app, list []T) error {
	more := l.limits.limit > 0 && !l.limits.all && len(list) > l.limits.limit
	if more {
		list = list[:l.limits.limit]
	}
	if a.json {
		for _, one := range list {
			if err := a.writeJSON(a.out, one); err != nil {
				return err
			}
		}
		return nil
	}
	if l.above != nil {
		if err := l.above(); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, a.text(l.none))
		return err
	}
	head := make([]string, len(l.columns))
	for n, name := range l.columns {
		head[n] = a.text(fault.Code("ui.column." + name))
	}
	rows := make([][]string, len(list))
	for n, one := range list {
		rows[n] = l.row(one)
	}
	if err := writeTable(a.out, "", head, rows); err != nil {
		return err
	}
	if more {
		_, err := fmt.Fprintln(a.out, a.text("ui.list.more", "count", len(list)))
		return err
	}
	return nil
}
