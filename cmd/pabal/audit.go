package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pabal/internal/fault"
	"pabal/store"
)

type auditFlags struct {
	since, who, command, transfer string
	all                           bool
	limit                         int
}

// newAudit lists what people have ordered.
func newAudit(a *app) *cobra.Command {
	var f auditFlags
	cmd := a.describe(&cobra.Command{
		Use:  "audit",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.audit(cmd.Context(), f) },
	}, "audit")
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", a.text("ui.flag.audit_since"))
	flags.StringVar(&f.who, "who", "", a.text("ui.flag.audit_who"))
	flags.StringVar(&f.command, "command", "", a.text("ui.flag.audit_command"))
	flags.StringVar(&f.transfer, "transfer", "", a.text("ui.flag.audit_transfer"))
	flags.BoolVar(&f.all, "all", false, a.text("ui.flag.all"))
	flags.IntVar(&f.limit, "limit", listLimit, a.text("ui.flag.limit"))
	return cmd
}

func (a *app) audit(ctx context.Context, f auditFlags) error {
	if f.limit < 0 {
		return usageError{fault.New(codeFlagValue, "--limit", "value", f.limit)}
	}
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	zone := cfg.Location()
	filter := store.CommandFilter{Who: f.who, Name: f.command, NewestFirst: true}
	if f.since != "" {
		if filter.Since, err = since(f.since, a.now().In(zone)); err != nil {
			return err
		}
	}
	if f.transfer != "" {
		t, err := c.Find(ctx, f.transfer)
		if err != nil {
			return err
		}
		filter.TransferID = t.ID
	}
	if !f.all {
		filter.Limit = f.limit + 1
	}
	list, err := c.Audit(ctx, filter)
	if err != nil {
		return err
	}
	more := !f.all && len(list) > f.limit
	if more {
		list = list[:f.limit]
	}
	if a.json {
		for _, r := range list {
			if err := a.writeJSON(a.out, r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, a.text("ui.audit.none"))
		return err
	}
	var head []string
	for _, name := range []string{"time", "order", "transfer", "change", "who"} {
		head = append(head, a.text(fault.Code("ui.column."+name)))
	}
	rows := make([][]string, len(list))
	for n, r := range list {
		command := r.Command
		if r.Subject != "" {
			command += " " + r.Subject
		}
		change := ""
		if r.From != r.To {
			change = a.cat.Status(a.language(), r.From) + " → " + a.cat.Status(a.language(), r.To)
		}
		rows[n] = []string{auditTime(r.At, zone), command, r.Transfer, change, a.personAnd(r.Person(), r.Approver, r.Reason)}
	}
	if err := writeTable(a.out, "", head, rows); err != nil {
		return err
	}
	if more {
		_, err = fmt.Fprintln(a.out, a.text("ui.list.more", "count", len(list)))
	}
	return err
}
