package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
	"pabal/protocol"
)

// newTransferOrder is one of the orders: they differ in what control makes of
// them.
func newTransferOrder(a *app, name string) *cobra.Command {
	order := control.Order{Name: name}
	var reason string
	var many sweep
	one := usage(cobra.ExactArgs(1))
	if sweeps(name) != nil {
		one = usage(cobra.MaximumNArgs(1))
	}
	cmd := &cobra.Command{
		Use:  name + " ID",
		Args: one,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("from-block") && order.FromBlock < 1 {
				return usageError{fault.New(codeFlagValue, "--from-block", "value", order.FromBlock)}
			}
			if err := many.check(cmd, args, order); err != nil {
				return err
			}
			if len(args) == 0 {
				return a.sweep(cmd.Context(), &many, order, reason)
			}
			return a.transferOrder(cmd.Context(), args[0], order, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", a.text("ui.flag.reason"))
	if name == control.Resend {
		cmd.Flags().BoolVar(&order.Again, "again", false, a.text("ui.flag.again"))
		cmd.Flags().Int64Var(&order.FromBlock, "from-block", 0, a.text("ui.flag.from_block"))
	}
	if sweeps(name) != nil {
		many.flags(a, cmd)
	}
	if name == control.Settle {
		cmd.Flags().StringVar(&order.As, "as", "", a.text("ui.flag.settle_as"))
	}
	cmd.Short = a.text(fault.Code("ui.short.transfer_order." + name))
	cmd.Long = a.text(fault.Code("ui.long.transfer_order." + name))
	return cmd
}

func (a *app) transferOrder(ctx context.Context, id string, o control.Order, reason string) error {
	c, cfg, err := a.control(ctx, false)
	if err != nil {
		return err
	}
	o.Peers = peers(cfg)
	t, err := c.Do(ctx, id, o, a.actor(reason))
	if err != nil {
		return orderError(err)
	}
	return a.ordered(t, o, cfg.Location())
}

// ordered says what an order has come to, times in the business zone.
func (a *app) ordered(t *control.Transfer, o control.Order, zone *time.Location) error {
	if a.json {
		return a.writeJSON(a.out, t)
	}
	if r := t.Pending; r != nil {
		_, err := fmt.Fprintln(a.out, a.text("ui.approve.asked", "request", r.ID, "name", shownName(t), "id", t.ID, "expires", r.Expires.In(zone).Format("2006-01-02 15:04 MST")))
		return err
	}
	done := fault.Code("ui.ordered")
	if t.Asked != "" && (o.Name == "" || o.Name == t.Asked) { // a second person does not name the order
		done = "ui.asked"
	}
	_, err := fmt.Fprintln(a.out, a.text(done, "name", shownName(t), "id", t.ID, "status", t.StatusText))
	return err
}

// peers is what each counterparty can be asked. The questions are the
// institution's to put (protocols §1.3, §3), so where we play the centre there
// are none. With a profile that cannot be read there is nothing to ask: "check"
// says why.
func peers(cfg *config.Config) map[string]control.Peer {
	w := &wiring{cfg: cfg}
	w.loadProfiles()
	out := map[string]control.Peer{}
	for _, in := range cfg.Institutions {
		p := w.profiles[in.Profile]
		if p == nil {
			// What needs a second person needs one all the same.
			out[in.Code] = control.Peer{Second: in.Approval.SecondPerson, Expires: in.Approval.Expires}
			continue
		}
		asks := in.Side == protocol.InstitutionSide.String()
		out[in.Code] = control.Peer{
			Profile: p.Name, Inquire: asks && p.Has(protocol.Inquiry), Recall: asks && p.Has(protocol.Inquiry) && p.Has(protocol.Cancel),
			Settles: p.Files.SettleAgain, Resumes: p.Files.Resume,
			Second: in.Approval.SecondPerson, Expires: in.Approval.Expires,
		}
	}
	return out
}
