package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/transfer"
)

func newTransfer(a *app) *cobra.Command {
	cmd := group(a.describe(&cobra.Command{Use: "transfer"}, "transfer"))
	cmd.AddCommand(
		newTransferList(a),
		newTransferShow(a),
		newTransferOrder(a, control.Hold),
		newTransferOrder(a, control.Release),
		newTransferOrder(a, control.Resend),
		newTransferOrder(a, control.Cancel),
		newTransferOrder(a, control.Settle),
		newTransferOrder(a, control.Inquire),
		newTransferOrder(a, control.Recall),
	)
	return cmd
}

type listFlags struct {
	pickFlags
	limits
}

func newTransferList(a *app) *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.transferList(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	f.pickFlags.flags(a, flags)
	f.limits.flags(a, flags, "ui.flag.since")
	return a.describe(cmd, "transfer_list")
}

func (a *app) transferList(ctx context.Context, f listFlags) error {
	pick, err := f.pick(a)
	if err != nil {
		return err
	}
	q, err := f.ask(ctx, a)
	if err != nil {
		return err
	}
	pick.Since, pick.Limit = q.since, q.most
	list, err := q.control.Listed(ctx, pick)
	if err != nil {
		return pickError(err)
	}
	return listing[*control.Transfer]{limits: f.limits, none: "ui.list.none",
		columns: []string{"id", "time", "direction", "institution", "name", "size", "blocks", "status", "remark"},
		above: func() error {
			quarantine, err := q.control.Quarantine(ctx)
			if err != nil {
				return err
			}
			return a.warnOfQuarantine(quarantine, q.zone)
		},
		row: func(t *control.Transfer) []string {
			return []string{
				t.ID, clock(t.Created.In(q.zone), q.now), a.cat.Direction(a.language(), t.Direction), t.Institution,
				shownName(t), bytesText(size(t)), count(t.Blocks), t.StatusText, a.remark(t, q.zone, q.now),
			}
		}}.print(a, list)
}

// remark is why a transfer stands where it stands, in a few words.
func (a *app) remark(t *control.Transfer, zone *time.Location, today time.Time) string {
	var parts []string
	if t.Error != nil {
		parts = append(parts, "["+t.Error.Code+"]")
	}
	if t.Status == string(transfer.Waiting) && t.NextTry != nil {
		parts = append(parts, a.text("ui.remark.next_try", "at", clock(t.NextTry.In(zone), today)))
	}
	if t.WaitsForPlace != "" {
		parts = append(parts, a.text("ui.remark.place", "place", t.WaitsForPlace))
	}
	if t.Asked != "" {
		parts = append(parts, a.text("ui.remark.asked"))
	}
	if t.Resent > 0 {
		parts = append(parts, a.text("ui.remark.resent", "count", t.Resent))
	}
	if t.Missed > 0 {
		parts = append(parts, a.text("ui.remark.missed", "count", t.Missed))
	}
	return strings.Join(parts, " ")
}

// shownName is what people know a file by: what they dropped, or what the
// peer called it.
func shownName(t *control.Transfer) string {
	if t.Name != "" {
		return t.Name
	}
	return t.WireName
}

func size(t *control.Transfer) int64 {
	if t.FileSize > 0 {
		return t.FileSize
	}
	return t.WireSize
}

func (a *app) status(word string) (transfer.Status, error) {
	var known []string
	for _, s := range transfer.Statuses() {
		if string(s) == word || a.cat.Status(a.language(), string(s)) == word {
			return s, nil
		}
		known = append(known, string(s))
	}
	return "", usageError{fault.New(codeUnknownWord, word, "flag", "--status", "known", strings.Join(known, ", "))}
}

// since reads a point in time: a duration back from now (2h), a date, or a
// date and time, in the business zone.
func since(text string, now time.Time) (time.Time, error) {
	if text == "today" {
		y, m, d := now.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, now.Location()), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{"2006-01-02", "20060102", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	if at, err := time.ParseInLocation("15:04", text, now.Location()); err == nil {
		y, m, d := now.Date()
		return time.Date(y, m, d, at.Hour(), at.Minute(), 0, 0, now.Location()), nil
	}
	return time.Time{}, usageError{fault.New(codeFlagValue, "--since", "value", text)}
}
