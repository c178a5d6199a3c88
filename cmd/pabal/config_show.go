package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
)

func newConfigDiff(a *app) *cobra.Command {
	return a.describe(&cobra.Command{
		Use:  "diff [A] [B]",
		Args: usage(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.configDiff(cmd.Context(), args) },
	}, "config_diff")
}

func newConfigHistory(a *app) *cobra.Command {
	var limit int
	cmd := a.describe(&cobra.Command{
		Use:  "history",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.configHistory(cmd.Context(), limit) },
	}, "config_history")
	cmd.Flags().IntVar(&limit, "limit", listLimit, a.text("ui.flag.limit"))
	return cmd
}

func newConfigShow(a *app) *cobra.Command {
	return a.describe(&cobra.Command{
		Use:  "show [N]",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.configShow(cmd.Context(), args) },
	}, "config_show")
}

// side is one of the two that are compared.
type side struct {
	name   string
	text   string // with secrets masked
	digest string
}

// configDiff compares two versions, or a version and a file. Without a second
// one the active version is meant; without any, what the active one changed.
func (a *app) configDiff(ctx context.Context, args []string) error {
	c, _, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	v, err := c.Document(ctx, 0)
	if err != nil {
		return err
	}
	current := side{name: "-"}
	base := int64(0)
	if v != nil {
		current, base = side{control.DocumentName(v.Number), config.Mask(v.Document), v.Digest}, v.Base
	}
	from, to := side{name: "-"}, current
	switch len(args) {
	case 0:
		if base > 0 {
			from, err = a.sideOf(ctx, c, strconv.FormatInt(base, 10))
		}
	case 1: // what a file would change; or what has changed since a version
		one, serr := a.sideOf(ctx, c, args[0])
		err = serr
		if from, to = one, current; serr == nil && !isNumber(args[0]) {
			from, to = current, one
		}
	default:
		if from, err = a.sideOf(ctx, c, args[0]); err == nil {
			to, err = a.sideOf(ctx, c, args[1])
		}
	}
	if err != nil {
		return err
	}
	lines := string(diff.Diff(from.name, []byte(from.text), to.name, []byte(to.text)))
	hidden := lines == "" && from.digest != to.digest
	if a.json {
		return a.writeJSON(a.out, map[string]any{"from": from.name, "to": to.name, "equal": from.digest == to.digest, "only_secrets": hidden, "diff": lines})
	}
	switch {
	case hidden:
		lines = a.text("ui.config.only_secrets") + "\n"
	case lines == "":
		lines = a.text("ui.config.equal", "from", from.name, "to", to.name) + "\n"
	}
	_, err = fmt.Fprint(a.out, lines)
	return err
}

func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

func (a *app) sideOf(ctx context.Context, c *control.Control, arg string) (side, error) {
	if isNumber(arg) {
		n, err := versionNumber(arg)
		if err != nil {
			return side{}, err
		}
		v, err := c.Document(ctx, n)
		if err != nil {
			return side{}, err
		}
		return side{control.DocumentName(n), config.Mask(v.Document), v.Digest}, nil
	}
	text, _, err := a.readDocument(arg)
	if err != nil {
		return side{}, err
	}
	return side{arg, config.Mask(text), config.Digest(text)}, nil
}

// configHistory lists the versions, latest first, and who works by which.
func (a *app) configHistory(ctx context.Context, limit int) error {
	if limit < 0 {
		return usageError{fault.New(codeFlagValue, "--limit", "value", limit)}
	}
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	list, err := c.Versions(ctx, limit)
	if err != nil {
		return err
	}
	using, err := c.Using(ctx)
	if err != nil {
		return err
	}
	if a.json {
		for _, v := range list {
			line := struct {
				*control.Version
				Answers []shownAnswer `json:"answers,omitempty"`
				Using   []string      `json:"using,omitempty"`
			}{v, a.shownAnswers(v.Answers, v.Number, nil), nil}
			for _, f := range using {
				if f.Version == v.Number {
					line.Using = append(line.Using, f.Host)
				}
			}
			if err := a.writeJSON(a.out, line); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, a.text("ui.config.none"))
		return err
	}
	head := []string{}
	for _, name := range []string{"version", "state", "time", "origin", "who", "reason"} {
		head = append(head, a.text(fault.Code("ui.column."+name)))
	}
	rows := make([][]string, len(list))
	for n, v := range list {
		rows[n] = []string{strconv.FormatInt(v.Number, 10), a.text(fault.Code("ui.config.state." + v.State)), auditTime(v.Proposed, cfg.Location()),
			a.text(fault.Code("ui.config.origin."+v.Origin)) + " " + v.Source, v.Who + "@" + v.Host, v.Reason}
	}
	if err := writeTable(a.out, "", head, rows); err != nil {
		return err
	}
	for _, f := range using {
		fmt.Fprintln(a.out, a.text("ui.config.using", "host", f.Host, "pid", f.PID, "number", f.Version))
	}
	return nil
}

// configShow prints the document of a version, ready to be edited and applied
// again, with passwords that were written out masked.
func (a *app) configShow(ctx context.Context, args []string) error {
	a.quiet = true
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	number := int64(0)
	if len(args) > 0 {
		if number, err = versionNumber(args[0]); err != nil {
			return err
		}
	}
	v, err := c.Document(ctx, number)
	if err != nil {
		return err
	}
	if v == nil {
		return fault.New(codeNoConfiguration, a.configPath)
	}
	text := config.Mask(v.Document)
	if a.json {
		return a.writeJSON(a.out, map[string]any{"version": v.Number, "state": v.State, "digest": v.Digest, "who": v.Who, "host": v.Host,
			"reason": v.Reason, "origin": v.Origin, "source": v.Source, "proposed": v.ProposedAt, "document": text})
	}
	_, err = fmt.Fprintf(a.out, "# %s, %s, %s\n# %s %s@%s: %s\n%s", cfg.Environment, control.DocumentName(v.Number), v.State,
		auditTime(v.ProposedAt, cfg.Location()), v.Who, v.Host, v.Reason, text)
	return err
}
