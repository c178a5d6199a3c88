package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// sweep is an order for all transfers that are chosen: without yes it says what
// it would do.
type sweep struct {
	pickFlags
	since string
	yes   bool
}

// sweeps names the orders that can be given to many, with the statuses that are
// meant where none is named. What a person has to find out for each file, such as
// how an unknown end went, is ordered for each.
func sweeps(order string) []transfer.Status {
	switch order {
	case control.Release, control.Cancel:
		return []transfer.Status{transfer.Held}
	case control.Hold:
		return []transfer.Status{transfer.Stored, transfer.Waiting}
	case control.Resend:
		return []transfer.Status{transfer.Failed}
	}
	return nil
}

func (s *sweep) flags(a *app, cmd *cobra.Command) {
	s.pickFlags.flags(a, cmd.Flags())
	cmd.Flags().StringVar(&s.since, "since", "", a.text("ui.flag.since"))
	cmd.Flags().BoolVar(&s.yes, "yes", false, a.text("ui.flag.yes"))
}

func (s *sweep) any() bool { return s.pickFlags.any() || s.since != "" }

// check refuses a line that names both one and many, or neither.
func (s *sweep) check(cmd *cobra.Command, args []string, o control.Order) error {
	switch {
	case len(args) == 1 && s.any():
		return usageError{fault.New(codeFlagsExclude, "ID", "other", "--status, --institution, --direction, --file, --held-by, --since")}
	case len(args) == 1 && s.yes:
		return usageError{fault.New(codeFlagsExclude, "ID", "other", "--yes")}
	case len(args) == 0 && !s.any():
		return usage(cobra.ExactArgs(1))(cmd, args)
	case len(args) == 0 && o.Again:
		return usageError{fault.New(codeOneByOne, "--again")}
	case len(args) == 0 && o.FromBlock != 0:
		return usageError{fault.New(codeOneByOne, "--from-block")}
	}
	return nil
}

// swept is what has come of an order for many.
type swept struct {
	Order   string `json:"order"`
	Matched int    `json:"matched"`
	Done    int    `json:"done"`
	Asked   int    `json:"asked"`   // wait for a second person
	Refused int    `json:"refused"` // as they were, each with its reason
	Dry     bool   `json:"dry"`     // nothing was done; done and asked are what would be
}

func (a *app) sweep(ctx context.Context, s *sweep, o control.Order, reason string) error {
	pick, err := s.pick(a)
	if err != nil {
		return err
	}
	if s.yes && o.Name != control.Hold && strings.TrimSpace(reason) == "" {
		return usageError{fault.New(control.CodeReasonMissing, o.Name)}
	}
	c, cfg, err := a.control(ctx, !s.yes)
	if err != nil {
		return err
	}
	now := a.now().In(cfg.Location())
	if s.since != "" {
		if pick.Since, err = since(s.since, now); err != nil {
			return err
		}
	}
	if len(pick.Statuses) == 0 && pick.HeldBy == "" {
		pick.Statuses = sweeps(o.Name)
	}
	pick.NewestFirst = false // in the order in which they came
	o.Peers = peers(cfg)
	all, err := c.Prospects(ctx, pick, o)
	if err != nil {
		return pickError(err)
	}
	t := swept{Order: o.Name, Matched: len(all), Dry: !s.yes}
	if !s.yes {
		return a.dryLook(all, t, now)
	}
	err = a.sweepAll(ctx, c, all, o, a.actor(reason), &t)
	if terr := a.sayTotal(t); err == nil {
		err = terr
	}
	if err == nil && t.Refused > 0 {
		err = fault.New(codeSomeRefused, o.Name, "refused", t.Refused, "count", t.Matched)
	}
	return err
}

// sweepAll gives the order to one after the other, each in a transaction of its
// own. Stopped in between, what has been done stays done: given again, the order
// goes to the others.
func (a *app) sweepAll(ctx context.Context, c *control.Control, all []*control.Prospect, o control.Order, by control.Actor, t *swept) error {
	bar := newStepBar(a)
	bar.total = len(all)
	defer bar.close()
	var said time.Time
	for n, p := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if at := a.now(); bar.terminal || at.Sub(said) >= sweepSays {
			said, bar.done = at, n
			bar.begin(shownName(p.Transfer))
			if !bar.terminal {
				bar.end(p.ID)
			}
		}
		after, err := c.DoAsSeen(ctx, p, o, by)
		switch {
		case err == nil && after.Pending == nil:
			t.Done++
		case err == nil || fault.CodeOf(err) == store.CodeRequested: // asked now, or before
			t.Asked++
		case fault.As(err) == nil || store.Away(err):
			return err
		default:
			t.Refused++
			f := a.failure(err)
			p.Becomes, p.BecomesText, p.Refused = "", "", &control.Failure{Code: f.Code, Sentence: f.Sentence, Next: f.Next}
			if !a.json {
				bar.say(a.text("ui.sweep.refused", "name", shownName(p.Transfer), "id", p.ID, "sentence", f.Sentence, "code", f.Code))
			}
		}
		if !a.json {
			continue // people see the count
		}
		var one any = after
		if err != nil {
			one = p
		}
		if err := a.writeJSON(a.out, one); err != nil {
			return err
		}
	}
	return nil
}

// sweepSays is how often an order for many says how far it is, where nobody
// looks at a terminal.
const sweepSays = 5 * time.Second

// dryLook shows what an order would do: the first of them, and how many.
func (a *app) dryLook(all []*control.Prospect, t swept, now time.Time) error {
	for _, p := range all {
		switch {
		case p.Refused != nil:
			t.Refused++
		case p.Second:
			t.Asked++
		default:
			t.Done++
		}
	}
	if a.json {
		for _, p := range all {
			if err := a.writeJSON(a.out, p); err != nil {
				return err
			}
		}
		return a.sayTotal(t)
	}
	if len(all) > 0 {
		var head []string
		for _, name := range []string{"id", "time", "direction", "institution", "name", "size", "status", "becomes", "remark"} {
			head = append(head, a.text(fault.Code("ui.column."+name)))
		}
		rows := [][]string{}
		for _, p := range all[:min(len(all), listLimit)] {
			remark := a.remark(p.Transfer, now.Location(), now)
			becomes := p.BecomesText
			switch {
			case p.Refused != nil:
				becomes, remark = "-", p.Refused.Sentence+" ["+p.Refused.Code+"]"
			case p.Second:
				becomes = a.text("ui.sweep.second")
			}
			rows = append(rows, []string{p.ID, clock(p.Created.In(now.Location()), now), a.cat.Direction(a.language(), p.Direction), p.Institution,
				shownName(p.Transfer), bytesText(size(p.Transfer)), p.StatusText, becomes, remark})
		}
		if err := writeTable(a.out, "", head, rows); err != nil {
			return err
		}
		if more := len(all) - listLimit; more > 0 {
			fmt.Fprintln(a.out, a.text("ui.sweep.more", "count", more))
		}
	}
	return a.sayTotal(t)
}

func (a *app) sayTotal(t swept) error {
	if a.json {
		return a.writeJSON(a.out, t)
	}
	code := fault.Code("ui.sweep.done")
	switch {
	case t.Matched == 0:
		code = "ui.list.none"
	case t.Dry:
		code = "ui.sweep.dry"
	}
	_, err := fmt.Fprintln(a.out, a.text(code, "order", t.Order, "count", t.Matched, "done", t.Done, "asked", t.Asked, "refused", t.Refused))
	return err
}
