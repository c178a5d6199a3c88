package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
)

// newTransferOrder is hold, release, resend or cancel: they differ in what
// control makes of them.
func newTransferOrder(a *app, name string) *cobra.Command {
	order := control.Order{Name: name}
	var reason string
	cmd := &cobra.Command{
		Use:  name + " ID",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.transferOrder(cmd.Context(), args[0], order, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", a.text("ui.flag.reason"))
	if name == control.Resend {
		cmd.Flags().BoolVar(&order.Again, "again", false, a.text("ui.flag.again"))
	}
	cmd.Short = a.text(fault.Code("ui.short.transfer_order." + name))
	cmd.Long = a.text(fault.Code("ui.long.transfer_order." + name))
	return cmd
}

func (a *app) transferOrder(ctx context.Context, id string, o control.Order, reason string) error {
	c, _, err := a.control(ctx, false)
	if err != nil {
		return err
	}
	t, err := c.Do(ctx, id, o, a.actor(reason))
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(a.out, t)
	}
	_, err = fmt.Fprintln(a.out, a.text("ui.ordered", "name", shownName(t), "id", t.ID, "status", t.StatusText))
	return err
}
