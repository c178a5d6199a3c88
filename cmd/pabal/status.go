package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
)

// newStatus shows what is running, what is open and what waits.
func newStatus(a *app) *cobra.Command {
	return a.describe(&cobra.Command{
		Use:  "status",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.showStatus(cmd.Context()) },
	}, "status")
}

func (a *app) showStatus(ctx context.Context) error {
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	today := a.now().In(cfg.Location())
	y, m, d := today.Date()
	s, err := c.Status(ctx, time.Date(y, m, d, 0, 0, 0, 0, today.Location()))
	if err != nil {
		return err
	}
	s.Environment = cfg.Environment
	if s.Waiting, err = c.Waiting(ctx, cfg.Scanner()); err != nil {
		return err
	}
	s.Directories, s.Untaken = a.trouble(cfg, roomOf), a.untaken(cfg)
	if a.json {
		return a.writeJSON(a.out, s)
	}
	if err := a.warnOfQuarantine(s.Quarantine, today.Location()); err != nil {
		return err
	}
	return a.printStatus(s, today)
}

func (a *app) printStatus(s *control.Status, today time.Time) error {
	at := func(t time.Time) string { return clock(t.In(today.Location()), today) }
	instances := [][]string{}
	for _, i := range s.Instances {
		state := i.StateText
		if i.State == control.InstanceDead {
			state += a.text("ui.instance.found_by", "id", i.EndedBy)
		}
		last := i.Beat
		if i.Ended != nil {
			last = *i.Ended
		}
		instances = append(instances, []string{i.ID, i.Place, at(i.Started), strconv.FormatInt(i.Term, 10), strconv.Itoa(i.Lines), at(last), state})
	}
	lines := [][]string{}
	for _, l := range s.Lines {
		lines = append(lines, []string{l.Institution, a.text(fault.Code("ui.line." + l.Direction)), l.Instance, l.Session, at(l.Since)})
	}
	transfers := [][]string{}
	for _, n := range s.Transfers {
		remark := ""
		if n.WaitsForPlace != "" {
			remark = a.text("ui.remark.place", "place", n.WaitsForPlace)
		}
		transfers = append(transfers, []string{a.cat.Direction(a.language(), n.Direction), n.StatusText, count(n.Transfers), remark})
	}
	waiting := [][]string{}
	for _, w := range s.Waiting {
		n := ""
		if w.Transfers > 0 {
			n = count(int64(w.Transfers))
		}
		waiting = append(waiting, []string{dash(w.Place), strings.Join(w.Instances, ", "), n, w.Text})
	}
	if _, err := fmt.Fprintln(a.out, a.text("ui.status.environment", "environment", s.Environment)); err != nil {
		return err
	}
	if len(s.Directories) > 0 {
		if _, err := fmt.Fprintln(a.out, "\n"+a.text("ui.status.directories")); err != nil {
			return err
		}
	}
	for _, d := range s.Directories {
		if _, err := fmt.Fprintf(a.out, "  %s [%s]\n  %s\n", d.Failure.Sentence, d.Failure.Code, a.text("ui.next", "next", d.Failure.Next)); err != nil {
			return err
		}
	}
	if err := a.printTroubles(s, at); err != nil {
		return err
	}
	if err := a.printNotTaken(s, at); err != nil {
		return err
	}
	if u := s.Untaken; u != nil {
		if _, err := fmt.Fprintln(a.out, "\n"+a.text("ui.status.untaken", "directory", u.Directory, "count", u.Files, "name", u.Oldest, "since", at(u.Since))); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		title, none fault.Code
		columns     []string
		rows        [][]string
	}{
		{"ui.status.instances", "ui.status.no_instances", []string{"instance", "place", "started", "term", "lines", "beat", "state"}, instances},
		{"ui.status.waits", "", []string{"place", "instance", "count", "remark"}, waiting},
		{"ui.status.lines", "ui.status.no_lines", []string{"institution", "direction", "instance", "session", "since"}, lines},
		{"ui.status.transfers", "ui.list.none", []string{"direction", "status", "count", "remark"}, transfers},
		{"ui.status.certificates", "", []string{"instance", "certificate", "until", "file", "state"}, a.certificateRows(s)},
		{"ui.status.callers", "", []string{"instance", "address", "count", "last", "code", "reason"}, a.refusedRows(s, at)},
	} {
		if part.none == "" && len(part.rows) == 0 { // most sites have none
			continue
		}
		if _, err := fmt.Fprintln(a.out, "\n"+a.text(part.title)); err != nil {
			return err
		}
		if len(part.rows) == 0 {
			if _, err := fmt.Fprintln(a.out, "  "+a.text(part.none)); err != nil {
				return err
			}
			continue
		}
		head := make([]string, len(part.columns))
		for n, name := range part.columns {
			head[n] = a.text(fault.Code("ui.column." + name))
		}
		if err := writeTable(a.out, "  ", head, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// certificateRows are the certificates of all instances.
func (a *app) certificateRows(s *control.Status) (rows [][]string) {
	for _, c := range s.Certificates {
		state := a.text("ui.certificate.good")
		if c.Failure != nil {
			state = c.Failure.Sentence
		}
		subject, until := c.Subject, ""
		if c.CA {
			subject = a.text("ui.certificate.ca", "subject", c.Subject)
		}
		if c.NotAfter != nil {
			until = c.NotAfter.Format(time.DateOnly)
		}
		rows = append(rows, []string{c.Instance, dash(subject), dash(until), c.File, state})
	}
	return rows
}

func (a *app) refusedRows(s *control.Status, at func(time.Time) string) (rows [][]string) {
	for _, r := range s.Refused {
		rows = append(rows, []string{r.Instance, r.Address, count(r.Count), at(r.Last), r.Failure.Code, r.Failure.Sentence})
	}
	return rows
}
