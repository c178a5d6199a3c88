package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/control"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/store"
)

type recoverFlags struct {
	apply, releaseSafe, end, force, newDatabase, all bool
	reason                                           string
}

// newRecover puts right what a restored database does not know.
func newRecover(a *app) *cobra.Command {
	var f recoverFlags
	cmd := a.describe(&cobra.Command{
		Use:  "recover",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.recover(cmd.Context(), f) },
	}, "recover")
	flags := cmd.Flags()
	flags.BoolVar(&f.apply, "apply", false, a.text("ui.flag.recover_apply"))
	flags.BoolVar(&f.releaseSafe, "release-safe", false, a.text("ui.flag.recover_release"))
	flags.BoolVar(&f.end, "end", false, a.text("ui.flag.recover_end"))
	flags.BoolVar(&f.force, "force", false, a.text("ui.flag.recover_force"))
	flags.BoolVar(&f.newDatabase, "new-database", false, a.text("ui.flag.recover_new"))
	flags.BoolVar(&f.all, "all", false, a.text("ui.flag.recover_all"))
	flags.StringVar(&f.reason, "reason", "", a.text("ui.flag.reason"))
	return cmd
}

func (f recoverFlags) check() error {
	var actions []string
	for _, flag := range []struct {
		on   bool
		name string
	}{{f.apply, "--apply"}, {f.releaseSafe, "--release-safe"}, {f.end, "--end"}, {f.newDatabase, "--new-database"}} {
		if flag.on {
			actions = append(actions, flag.name)
		}
	}
	switch {
	case len(actions) > 1:
		return usageError{fault.New(codeFlagsExclude, actions[0], "other", actions[1])}
	case f.force && !f.end:
		return usageError{fault.New(codeFlagMissing, "--end")}
	case len(actions) == 1 && strings.TrimSpace(f.reason) == "":
		return usageError{fault.New(control.CodeReasonMissing, "recover")}
	}
	return nil
}

func (a *app) recover(ctx context.Context, f recoverFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	c, cfg, err := a.control(ctx, false)
	if err != nil {
		return err
	}
	r, err := recovery(c, cfg)
	if err != nil {
		return err
	}
	by := a.actor(f.reason)
	switch {
	case f.newDatabase, f.end:
		if err := r.End(ctx, f.force, f.newDatabase, by); err != nil {
			return orderError(err)
		}
		return a.say("ui.recover.ended", map[string]any{"ended": true})
	case f.releaseSafe:
		released, asked, err := r.ReleaseSafe(ctx, by)
		if err != nil {
			return orderError(err)
		}
		return a.say("ui.recover.released", map[string]any{"released": released, "asked": asked}, "released", released, "asked", asked)
	}
	report, err := r.Recover(ctx, f.apply, by)
	if err != nil {
		return orderError(err)
	}
	if a.json {
		return a.writeJSON(a.out, report)
	}
	return a.printReport(report, f.all, cfg.Location())
}

// say prints a line, or an object for programs.
func (a *app) say(code fault.Code, object map[string]any, kv ...any) error {
	if a.json {
		return a.writeJSON(a.out, object)
	}
	_, err := fmt.Fprintln(a.out, a.text(code, kv...))
	return err
}

func recovery(c *control.Control, cfg *config.Config) (*control.Recovery, error) {
	w := &wiring{cfg: cfg}
	w.loadProfiles() // which may say how files are named
	var known instance.Options
	for n, in := range cfg.Institutions {
		path := fmt.Sprintf("institutions[%d].profile", n)
		known.Institutions = append(known.Institutions, instance.Institution{Code: in.Code, Profile: w.profile(path, in.Profile)})
	}
	for n := range cfg.Files {
		known.Files = append(known.Files, w.file(n))
	}
	book, problems := naming.NewBook(known.Registrations())
	if err := cfg.Report(append(w.problems, problems...)); err != nil {
		return nil, err
	}
	return &control.Recovery{Control: c, Place: cfg.Host, Journal: journalDir(cfg), Said: sessionLogs(cfg), Scan: cfg.System.Scan, Receive: cfg.System.Receive,
		Book: book, Zone: cfg.Location(), Peers: peers(cfg)}, nil
}

func (a *app) printReport(r *control.Report, all bool, zone *time.Location) error {
	p := &page{app: a, w: a.out, zone: zone}
	p.line("%s", a.text("ui.recover.head", "since", r.Quarantine.Since.In(zone).Format(time.DateTime), "place", r.Quarantine.Place,
		"why", a.text(fault.Code("ui.recover.why."+r.Quarantine.Why))))
	p.line("%s", a.text("ui.recover.journal", "since", r.Since.In(zone).Format(time.DateTime), "place", r.Place))
	counts := map[string]int{}
	var rows [][]string
	for _, f := range r.Findings {
		counts[f.Kind]++
		if f.Kind == control.FoundSafe && !all {
			continue
		}
		become := ""
		if f.Open() {
			become = "→ " + a.cat.Status(a.language(), string(f.Becomes))
		}
		known := a.known(string(f.Journal))
		if f.Session != "" {
			known = a.text("ui.recover.log", "status", known, "session", f.Session)
		}
		rows = append(rows, []string{f.ID, a.cat.Direction(a.language(), f.Direction), f.Name, a.known(string(f.Row)), known,
			a.text(fault.Code("ui.recover.found." + f.Kind)), become})
	}
	if len(rows) > 0 && p.err == nil {
		var head []string
		for _, name := range []string{"id", "direction", "name", "database", "journal", "finding", "proposal"} {
			head = append(head, a.text(fault.Code("ui.column."+name)))
		}
		p.line("")
		p.err = writeTable(a.out, "", head, rows)
		p.line("")
	}
	p.line("%s", a.text("ui.recover.safe", "count", counts[control.FoundSafe]))
	switch {
	case r.Open > 0:
		p.line("%s", a.text("ui.recover.open", "count", r.Open))
	default:
		p.line("%s", a.text("ui.recover.clear", "held", r.Held))
	}
	return p.err
}

// known is a status in words, or a dash where nothing is known.
func (a *app) known(status string) string {
	if status == "" {
		return "-"
	}
	return a.cat.Status(a.language(), status)
}

// warnOfQuarantine says above what is shown that nothing moves, and why. q is
// nil where there is no quarantine.
func (a *app) warnOfQuarantine(q *store.Quarantine, zone *time.Location) error {
	if q == nil {
		return nil
	}
	sentence, next := a.cat.Sentence(a.language(), fault.New(store.CodeQuarantined, q.Place, "since", q.Since.In(zone).Format(time.DateTime)))
	_, err := fmt.Fprintf(a.out, "%s [%s]\n%s\n\n", sentence, store.CodeQuarantined, a.text("ui.next", "next", next))
	return err
}
