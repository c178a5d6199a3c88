package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
)

// newApprove is the second person's command: approve ID, list, reject ID.
func newApprove(a *app) *cobra.Command {
	var reason string
	cmd := a.describe(&cobra.Command{
		Use:  "approve ID",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.approve(cmd.Context(), args[0], reason) },
	}, "approve")
	cmd.Flags().StringVar(&reason, "reason", "", a.text("ui.flag.reason"))

	var all bool
	list := a.describe(&cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.approveList(cmd.Context(), all) },
	}, "approve_list")
	list.Flags().BoolVar(&all, "all", false, a.text("ui.flag.approve_all"))

	var why string
	reject := a.describe(&cobra.Command{
		Use:  "reject ID",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.reject(cmd.Context(), args[0], why) },
	}, "approve_reject")
	reject.Flags().StringVar(&why, "reason", "", a.text("ui.flag.reason"))
	cmd.AddCommand(list, reject)
	return cmd
}

func (a *app) approve(ctx context.Context, id, reason string) error {
	c, cfg, err := a.control(ctx, false)
	if err != nil {
		return err
	}
	t, err := c.Approve(ctx, id, peers(cfg), a.actor(reason))
	if err != nil {
		return orderError(err)
	}
	return a.ordered(t, control.Order{}, cfg.Location())
}

func (a *app) reject(ctx context.Context, id, reason string) error {
	c, _, err := a.control(ctx, false)
	if err != nil {
		return err
	}
	t, err := c.Reject(ctx, id, a.actor(reason))
	if err != nil {
		return orderError(err)
	}
	if a.json {
		return a.writeJSON(a.out, t)
	}
	_, err = fmt.Fprintln(a.out, a.text("ui.approve.rejected", "request", id, "name", shownName(t), "id", t.ID, "status", t.StatusText))
	return err
}

func (a *app) approveList(ctx context.Context, all bool) error {
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	list, err := c.Requests(ctx, all)
	if err != nil {
		return err
	}
	zone := cfg.Location()
	today := a.now().In(zone)
	return listing[*control.Request]{none: "ui.approve.none", columns: []string{"request", "time", "order", "name", "who", "expires", "state", "reason"},
		row: func(r *control.Request) []string {
			order := r.Order
			if r.Options != nil {
				order += " " + string(r.Options)
			}
			state := a.text(fault.Code("ui.request." + r.State))
			if r.DecidedBy != "" {
				state += " (" + r.DecidedBy + ")"
			}
			return []string{r.ID, clock(r.At.In(zone), today), order, r.Name + " " + r.TransferID, r.Person(), clock(r.Expires.In(zone), today), state, r.Reason}
		}}.print(a, list)
}

// personAnd is who did something, who agreed, and why.
func (a *app) personAnd(person, approver, reason string) string {
	if approver != "" {
		person += a.text("ui.audit.approved_by", "approver", approver)
	}
	if reason != "" {
		person += ": " + reason
	}
	return person
}

// auditTime is a time of the audit, which is read long after: with its year.
func auditTime(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateTime) }
