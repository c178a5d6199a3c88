package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
)

// newConfig is the group of commands over versions of the configuration.
func newConfig(a *app) *cobra.Command {
	cmd := group(a.describe(&cobra.Command{Use: "config"}, "config"))
	cmd.AddCommand(newConfigApply(a), newConfigDiff(a), newConfigHistory(a), newConfigShow(a), newConfigRollback(a))
	return cmd
}

type applyFlags struct {
	reason  string
	without []string
	wait    time.Duration
}

func (f *applyFlags) add(a *app, cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.reason, "reason", "", a.text("ui.flag.reason"))
	cmd.Flags().StringSliceVar(&f.without, "without", nil, a.text("ui.flag.config_without"))
	cmd.Flags().DurationVar(&f.wait, "wait", applyWait, a.text("ui.flag.config_wait"))
	return cmd
}

func newConfigApply(a *app) *cobra.Command {
	var f applyFlags
	return f.add(a, a.describe(&cobra.Command{
		Use:  "apply FILE",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.configApply(cmd.Context(), args[0], f) },
	}, "config_apply"))
}

func newConfigRollback(a *app) *cobra.Command {
	var f applyFlags
	return f.add(a, a.describe(&cobra.Command{
		Use:  "rollback N",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.configRollback(cmd.Context(), args[0], f) },
	}, "config_rollback"))
}

// configApply makes a document the active version.
func (a *app) configApply(ctx context.Context, path string, f applyFlags) error {
	text, document, err := a.readDocument(path)
	if err != nil {
		return err
	}
	return a.newVersion(ctx, f, func(context.Context, *store.Store) (control.Proposal, *config.Source, error) {
		return control.Proposal{Document: text, Origin: control.OriginApply, Source: sourceName(path)}, document, nil
	})
}

// configRollback makes a new version with the content of an old one.
func (a *app) configRollback(ctx context.Context, number string, f applyFlags) error {
	n, err := versionNumber(number)
	if err != nil {
		return err
	}
	return a.newVersion(ctx, f, func(ctx context.Context, st *store.Store) (control.Proposal, *config.Source, error) {
		v, err := st.ConfigVersion(ctx, n)
		if err != nil {
			return control.Proposal{}, nil, err
		}
		old, err := versionOf(v)
		if err != nil {
			return control.Proposal{}, nil, err
		}
		return control.Proposal{Document: v.Document, Origin: control.OriginRollback, Source: control.DocumentName(n)}, old.document, nil
	})
}

func versionNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, usageError{fault.New(codeVersionNumber, text)}
	}
	return n, nil
}

// readDocument reads the shared part of a file: a document, or a file of a
// single host, which holds both parts. Keys of a host in any other file are
// refused: they would count for nothing.
func (a *app) readDocument(path string) (string, *config.Source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fault.New(config.CodeCannotRead, path, "reason", fault.Reason(err)).Because(err)
	}
	var source *config.Source
	if sourceName(path) == sourceName(a.configPath) {
		source, err = config.ReadFile(path)
	} else {
		source, err = config.ReadDocument(string(text), path)
	}
	if err != nil {
		return "", nil, err
	}
	if !source.HasShared() {
		return "", nil, fault.New(codeVersionNoShared, path)
	}
	document, err := source.Document()
	return document, source, err
}

// newVersion proves a document against this host and has it decided. Where no
// server runs on a SQLite database this command takes the server's place for
// the moment: it is the only one to be asked.
func (a *app) newVersion(ctx context.Context, f applyFlags, make func(context.Context, *store.Store) (control.Proposal, *config.Source, error)) error {
	if strings.TrimSpace(f.reason) == "" {
		return usageError{fault.New(control.CodeReasonMissing, "config")}
	}
	file, err := config.ReadFile(a.configPath)
	if err != nil {
		return err
	}
	own, err := file.Host(nil) // whatever its shared part is like: that may be what is to be mended
	if err != nil {
		return err
	}
	a.enter(own)
	by := a.actor(f.reason)
	st, alone, err := a.openForVersion(ctx, operatorsStore(own, false))
	if err != nil {
		return err
	}
	a.onClose(st.Close)
	p, document, err := make(ctx, st)
	if err != nil {
		return err
	}
	site, err := a.prove(file, document, nil)
	if err != nil {
		return err
	}
	if err := site.cfg.Report(lasting(site.checkDirectories())); err != nil {
		return err
	}
	in, err := active(ctx, st)
	if err != nil {
		return err
	}
	p.Digest, p.Place, p.Without, p.Wait = config.Digest(p.Document), own.Host, f.without, f.wait
	if in != nil {
		if p.Base = in.number; in.digest == p.Digest {
			return a.sayVersion(&control.Verdict{Number: in.number, Active: true}, true, alone)
		}
	}
	if alone { // whoever followed was killed: nobody else holds the database
		p.Without = append(p.Without, hostsOf(ctx, st)...)
	}
	verdict, err := control.New(st, a.cat, a.language(), a.now).Apply(ctx, p, by)
	if err != nil {
		return orderError(err)
	}
	if verdict.Active {
		return a.sayVersion(verdict, false, alone)
	}
	a.sayRefusals(verdict, site.cfg)
	return refusedBy(verdict)
}

// openForVersion opens the database. Where no server runs on a SQLite database
// it keeps one from starting until the command is over. A database that is not
// there yet is made, so that the first document can come before the first start.
func (a *app) openForVersion(ctx context.Context, o store.Options) (st *store.Store, alone bool, err error) {
	release, alone, err := store.HoldServer(o.URL)
	if err != nil {
		return nil, false, err
	}
	a.onClose(release)
	st, err = store.Open(ctx, o)
	if alone && fault.CodeOf(err) == store.CodeMissing {
		if err := release(); err != nil {
			return nil, false, err
		}
		st, err = openServer(ctx, o) // takes the lock itself
	}
	return st, alone, err
}

func hostsOf(ctx context.Context, st *store.Store) []string {
	followers, err := st.Followers(ctx)
	if err != nil {
		return nil // then the decision fails and says why
	}
	var hosts []string
	for _, f := range followers {
		hosts = append(hosts, f.Host)
	}
	return hosts
}

// refusedBy is the error for a version that did not become active.
func refusedBy(v *control.Verdict) error {
	var hosts []string
	for _, an := range v.Answers {
		if !an.Accepted {
			hosts = append(hosts, an.Host)
		}
	}
	return fault.New(codeVersionRefused, strconv.FormatInt(v.Number, 10),
		"refused", dash(strings.Join(hosts, ", ")), "silent", dash(strings.Join(v.Silent, ", ")))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// sayVersion says what counts now.
func (a *app) sayVersion(v *control.Verdict, same, alone bool) error {
	if a.json {
		return a.writeJSON(a.out, struct {
			*control.Verdict
			Unchanged bool `json:"unchanged"`
			Servers   int  `json:"servers"`
		}{v, same, len(v.Answers)})
	}
	line := a.text("ui.config.active", "number", v.Number, "count", len(v.Answers))
	switch {
	case same:
		line = a.text("ui.config.same", "number", v.Number)
	case alone:
		line = a.text("ui.config.alone", "number", v.Number)
	}
	if _, err := fmt.Fprintln(a.out, line); err != nil {
		return err
	}
	for _, an := range v.Answers {
		word := a.text("ui.config.uses")
		for _, late := range v.Late {
			if late == an.Host {
				word = a.text("ui.config.late")
			}
		}
		fmt.Fprintf(a.out, "  %s: %s\n", an.Host, word)
	}
	return nil
}

// sayRefusals shows what each host said, with the lines of the file that was
// to be applied.
func (a *app) sayRefusals(v *control.Verdict, cfg *config.Config) {
	if a.json {
		_ = a.writeJSON(a.out, a.shownVerdict(v, cfg))
		return
	}
	for _, an := range v.Answers {
		for _, p := range an.Problems {
			l := a.problemLine(p, v.Number, cfg)
			fmt.Fprintf(a.err, "%s: %s:%d:%d: %s: %s [%s]\n", an.Host, l.File, l.Line, l.Column, l.Path, l.Sentence, l.Code)
			a.next(l.Next)
		}
	}
}

// problemLine is what a host said, in words. What it said of the document is
// shown where it stands in the reader's file, if there is one.
func (a *app) problemLine(p control.Said, number int64, cfg *config.Config) problemLine {
	l := problemLine{File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Code: p.Code}
	if cfg != nil && p.File == control.DocumentName(number) {
		l.File, l.Line, l.Column = cfg.Locate(p.Path)
	}
	l.Sentence, l.Next = a.cat.Sentence(a.language(), p.Fault())
	return l
}

type shownAnswer struct {
	Host     string        `json:"host"`
	Accepted bool          `json:"accepted"`
	Problems []problemLine `json:"problems,omitempty"`
}

func (a *app) shownAnswers(answers []control.Answer, number int64, cfg *config.Config) []shownAnswer {
	out := make([]shownAnswer, len(answers))
	for n, an := range answers {
		out[n] = shownAnswer{Host: an.Host, Accepted: an.Accepted}
		for _, p := range an.Problems {
			out[n].Problems = append(out[n].Problems, a.problemLine(p, number, cfg))
		}
	}
	return out
}

func (a *app) shownVerdict(v *control.Verdict, cfg *config.Config) any {
	return map[string]any{"version": v.Number, "active": v.Active, "answers": a.shownAnswers(v.Answers, v.Number, cfg), "silent": v.Silent}
}
