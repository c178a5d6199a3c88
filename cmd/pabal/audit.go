package main

import (
	"context"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/store"
)

type auditFlags struct {
	who, command, transfer string
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
	flags.StringVar(&f.who, "who", "", a.text("ui.flag.audit_who"))
	flags.StringVar(&f.command, "command", "", a.text("ui.flag.audit_command"))
	flags.StringVar(&f.transfer, "transfer", "", a.text("ui.flag.audit_transfer"))
	f.limits.flags(a, flags, "ui.flag.audit_since")
	return cmd
}

func (a *app) audit(ctx context.Context, f auditFlags) error {
	q, err := f.ask(ctx, a)
	if err != nil {
		return err
	}
	filter := store.CommandFilter{Who: f.who, Name: f.command, Since: q.since, NewestFirst: true, Limit: q.most}
	if f.transfer != "" {
		t, err := q.control.Find(ctx, f.transfer)
		if err != nil {
			return err
		}
		filter.TransferID = t.ID
	}
	list, err := q.control.Audit(ctx, filter)
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
				change = a.known(r.From) + " → " + a.known(r.To)
			}
			return []string{auditTime(r.At, q.zone), command, r.Transfer, change, a.personAnd(r.Person(), r.Approver, r.Reason)}
		}}.print(a, list)
}
