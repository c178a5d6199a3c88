package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
)

func newCheck(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:  "check [DOCUMENT]",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.check(cmd.Context(), args) },
	}
	return a.describe(cmd, "check")
}

// check finds all that keeps the configuration from running on this host: the
// file itself, what the packages say of it, and the directories. A document is
// proven together with the host's part, as it would be when it is applied; a
// host's own file without one together with the active version.
func (a *app) check(ctx context.Context, args []string) error {
	file, err := config.ReadFile(a.configPath)
	if err != nil {
		return err
	}
	var document *config.Source
	var unread error // why the active version could not be read
	about := a.configPath
	if len(args) > 0 {
		if _, document, err = a.readDocument(args[0]); err != nil {
			return err
		}
		about += " + " + args[0]
	} else if !file.HasShared() {
		var v *versioned
		if v, unread = a.activeOf(ctx, file); v != nil {
			document, about = v.document, about+" + "+control.DocumentName(v.number)
		}
	}
	s, err := a.prove(file, document, a.env)
	if err != nil {
		return err
	}
	if err := s.cfg.Report(s.checkDirectories()); err != nil {
		return err
	}
	a.environment, a.headed = s.cfg.Environment, true // the table says it itself
	c := s.cfg
	if a.json {
		return a.writeJSON(a.out, map[string]any{
			"good": true, "complete": c.Complete(), "version_unread": string(fault.CodeOf(unread)), "environment": c.Environment, "host": c.Host,
			"instances": len(c.Instances), "institutions": len(c.Institutions), "jobs": len(c.Jobs), "files": len(c.Files),
			"database": store.Shown(c.Database.URL), "payload_keys": keyNames(s.keys),
			"directories": map[string]string{
				"scan": c.System.Scan, "work": c.System.Work, "receive": c.System.Receive, "result": c.System.Result,
			},
		})
	}
	fmt.Fprintln(a.out, a.text("ui.check.good", "file", about))
	switch {
	case unread != nil:
		sentence, _ := a.cat.Sentence(a.language(), unread)
		fmt.Fprintln(a.out, a.text("ui.check.version_unread", "why", sentence+" ["+string(fault.CodeOf(unread))+"]"))
	case !c.Complete():
		fmt.Fprintln(a.out, a.text("ui.check.host_only"))
	}
	rows := [][]string{
		{a.text("ui.check.environment"), a.environmentWord(c.Environment) + ", " + c.Host},
		{a.text("ui.check.database"), store.Shown(c.Database.URL)},
	}
	for n, k := range s.keys {
		use := a.text("ui.check.key_reads")
		if n == 0 {
			use = a.text("ui.check.key_writes")
		}
		rows = append(rows, []string{a.text("ui.check.key"), k.ID() + ", " + use})
	}
	for _, in := range s.instances {
		line := in.ID
		for _, l := range in.Listen {
			line += a.text("ui.check.listens", "address", l.Address, "profile", l.Profile.Name)
		}
		rows = append(rows, []string{a.text("ui.check.instance"), line})
	}
	for _, in := range c.Institutions {
		way := a.text("ui.check.called")
		if in.Connect != "" {
			way = a.text("ui.check.calls", "address", in.Connect)
		}
		rows = append(rows, []string{a.text("ui.check.institution"), fmt.Sprintf("%s, %s, %s", named(in.Code, in.Name), in.Profile, way)})
	}
	for _, f := range c.Files {
		rows = append(rows, []string{a.text("ui.check.file"), fmt.Sprintf("%s, %s.%s, %s", named(f.ID, f.Name), f.Institution, f.Job,
			a.text(fault.Code("ui.direction."+f.Direction)))})
	}
	for _, d := range [][2]string{
		{"SCAN_DIRECTORY_NAME", c.System.Scan}, {"WORK_DIRECTORY_NAME", c.System.Work},
		{"RECEIVE_DIRECTORY_NAME", c.System.Receive}, {"RESULT_DIRECTORY_NAME", c.System.Result},
	} {
		if d[1] != "" {
			rows = append(rows, []string{a.text("ui.check.directory"), d[0] + " " + d[1]})
		}
	}
	return writeTable(a.out, "  ", nil, rows)
}

func keyNames(keys []store.Key) []string {
	names := make([]string, len(keys))
	for n, k := range keys {
		names[n] = k.ID()
	}
	return names
}

// named is a code with the name that people have for it, where they have one.
func named(code, name string) string { return strings.TrimSpace(code + " " + name) }
