package main

import (
	"fmt"
	"strings"
	"time"

	"pabal/control"
)

// printTroubles names the files that cannot be written beside their transfers,
// by reason: which, since when, why, and what to do.
func (a *app) printTroubles(s *control.Status, at func(time.Time) string) error {
	if len(s.Troubles) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(a.out, "\n"+a.text("ui.status.troubles")); err != nil {
		return err
	}
	for _, t := range s.Troubles {
		names := make([]string, len(t.Files), len(t.Files)+1)
		for n, f := range t.Files {
			names[n] = f.Name + " (" + f.ID + ")"
		}
		if t.Transfers > len(names) {
			names = append(names, "…")
		}
		_, err := fmt.Fprintf(a.out, "  %s\n  %s [%s]\n  %s\n",
			a.text("ui.status.trouble", "stage", t.StageText, "count", t.Transfers, "since", at(t.Since), "instance", t.Instance, "place", t.Place,
				"names", strings.Join(names, ", ")),
			t.Failure.Sentence, t.Failure.Code, a.text("ui.next", "next", t.Failure.Next))
		if err != nil {
			return err
		}
	}
	return nil
}

// printNotTaken names the files that counterparties announced today and that
// were refused: no transfer tells of them.
func (a *app) printNotTaken(s *control.Status, at func(time.Time) string) error {
	if len(s.NotTaken) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(a.out, "\n"+a.text("ui.status.not_taken")); err != nil {
		return err
	}
	for _, f := range s.NotTaken {
		_, err := fmt.Fprintf(a.out, "  %s\n  %s [%s]\n  %s\n",
			a.text("ui.status.not_taken_one", "time", at(f.At), "institution", dash(f.Institution), "wire_name", f.WireName, "session", f.Session),
			f.Error.Sentence, f.Error.Code, a.text("ui.next", "next", f.Error.Next))
		if err != nil {
			return err
		}
	}
	return nil
}

// troubles says what of the files of a transfer cannot be written.
func (p *page) troubles(d *control.Detail) {
	for _, t := range d.Troubles {
		p.line("")
		p.line("%s", p.text("ui.show.trouble", "stage", t.StageText, "since", p.time(&t.Since)))
		p.line("%s [%s]", t.Failure.Sentence, t.Failure.Code)
		p.line("%s", p.text("ui.next", "next", t.Failure.Next))
	}
}
