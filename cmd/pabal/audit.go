package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/store"
)

type auditFlags struct {
	since, who, command, transfer string
	limits
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
	f.limits.flags(a, flags)
	return cmd
}

func (a *app) audit(ctx context.Context, f auditFlags) error {
	if err := f.limits.check(); err != nil {
		return err
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
	filter.Limit = f.asked()
	list, err := c.Audit(ctx, filter)
	if err != nil {
		return err
	}
	return listing[*control.Audited]{limits: f.limits, none: "ui.audit.none", columns: []string{"time", "order", "transfer", "change", "who"},
		row: func(r *control.Audited) []string {
			command := r.Command
			if r.Subject != "" {
				command += " " + r.Subject
			}
			change := ""
			if r.From != r.To {
				change = a.cat.Status(a.language(), r.From) + " → " + a.cat.Status(a.language(), r.To)
			}
			return []string{auditTime(r.At, zone), command, r.Transfer, change, a.personAnd(r.Person(), r.Approver, r.Reason)}
		}}.print(a, list)
}
