package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usage writes what stands below the text of a help page. It is cobra's, in the
// user's language and with columns that align with letters of double width.
func (a *app) usage(cmd *cobra.Command) error {
	w := cmd.OutOrStderr()
	groups := cmd.HasAvailableSubCommands()
	line := cmd.UseLine()
	if groups {
		line = cmd.CommandPath() + " COMMAND"
	}
	if _, err := fmt.Fprintf(w, "%s\n  %s\n", a.text("ui.usage.heading"), line); err != nil {
		return err
	}
	if groups {
		var rows [][]string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				rows = append(rows, []string{sub.Name(), sub.Short})
			}
		}
		if err := part(w, a.text("ui.usage.commands"), rows); err != nil {
			return err
		}
	}
	if err := part(w, a.text("ui.usage.flags"), flagRows(cmd.LocalFlags())); err != nil {
		return err
	}
	if err := part(w, a.text("ui.usage.global"), flagRows(cmd.InheritedFlags())); err != nil {
		return err
	}
	if groups {
		if _, err := fmt.Fprintf(w, "\n%s\n", a.text("ui.usage.more")); err != nil {
			return err
		}
	}
	return nil
}

func part(w io.Writer, heading string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", heading); err != nil {
		return err
	}
	return writeTable(w, "  ", nil, rows)
}

// flagRows names the flags, what they take, and what they are for.
func flagRows(flags *pflag.FlagSet) [][]string {
	var rows [][]string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		takes, text := pflag.UnquoteUsage(f)
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		if takes != "" {
			name += " " + takes
		}
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			text += " (" + f.DefValue + ")"
		}
		rows = append(rows, []string{name, text})
	})
	return rows
}
