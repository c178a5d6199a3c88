package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
	"pabal/internal/mask"
	"pabal/store"
	"pabal/transfer"
)

type showFlags struct {
	records  string
	blocks   bool
	all      bool
	unmasked bool
	reason   string
}

func newTransferShow(a *app) *cobra.Command {
	var f showFlags
	cmd := &cobra.Command{
		Use:  "show ID",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.transferShow(cmd.Context(), args[0], f) },
	}
	cmd.Flags().StringVar(&f.records, "records", "", a.text("ui.flag.records"))
	cmd.Flags().BoolVar(&f.blocks, "blocks", false, a.text("ui.flag.blocks"))
	cmd.Flags().BoolVar(&f.all, "all", false, a.text("ui.flag.show_all"))
	cmd.Flags().BoolVar(&f.unmasked, "unmasked", false, a.text("ui.flag.unmasked"))
	cmd.Flags().StringVar(&f.reason, "reason", "", a.text("ui.flag.reason"))
	return a.describe(cmd, "transfer_show")
}

func (a *app) transferShow(ctx context.Context, id string, f showFlags) error {
	var from, to int64
	if f.records != "" {
		var err error
		if from, to, err = recordRange(f.records); err != nil {
			return err
		}
	}
	if f.unmasked && to == 0 {
		return usageError{fault.New(codeFlagMissing, "--records")}
	}
	open := a.control
	if to > 0 {
		open = a.controlOfContent
	}
	c, cfg, err := open(ctx, !f.unmasked)
	if err != nil {
		return err
	}
	d, err := c.Show(ctx, id)
	if err != nil {
		return err
	}
	var records []control.Record
	if to > 0 {
		q := recordQuery(cfg, d, f.unmasked)
		q.From, q.To, q.By = from, to, a.actor(f.reason)
		if records, err = c.Records(ctx, d.ID, q); err != nil {
			return err
		}
	}
	if a.json {
		return a.writeJSON(a.out, struct {
			*control.Detail
			Records []control.Record `json:"record_texts,omitempty"`
		}{d, records})
	}
	p := &page{app: a, w: a.out, zone: cfg.Location()}
	p.facts(d)
	p.failure(d.Error)
	p.troubles(d)
	p.stands(d)
	p.blockMap(d, f.blocks)
	p.history(d, f.all)
	p.sessions(d, f.all)
	p.records(records, f.unmasked)
	return p.err
}

// recordQuery says how records of a transfer are shown: what its registration
// declares, and whether anybody forbids to show more.
func recordQuery(cfg *config.Config, d *control.Detail, unmasked bool) control.RecordQuery {
	q := control.RecordQuery{Unmasked: unmasked}
	q.Never = d.Institution // unless the configuration knows it and allows it
	for _, in := range cfg.Institutions {
		if in.Code == d.Institution && in.Mask != config.MaskAlways {
			q.Never = ""
		}
	}
	if cfg.Mask == config.MaskAlways {
		q.Never = cfg.Host
	}
	for _, r := range cfg.Files {
		if r.ID != d.FileID || r.Institution != d.Institution || r.Job != d.Job || r.Direction != d.Direction {
			continue
		}
		for _, f := range r.Record.Fields {
			q.Layout = append(q.Layout, control.Field{Name: f.Name, Offset: f.Offset, Length: f.Length, Type: mask.Type(f.Type), Starts: f.Starts})
		}
	}
	return q
}

// recordRange reads 1..20, or one number.
func recordRange(text string) (from, to int64, err error) {
	first, last, several := strings.Cut(text, "..")
	if !several {
		last = first
	}
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if err1 != nil || err2 != nil || from < 1 || to < from {
		return 0, 0, usageError{fault.New(codeFlagValue, "--records", "value", text)}
	}
	return from, to, nil
}

// page is what show prints. The first error of writing stays.
type page struct {
	*app
	w    io.Writer
	zone *time.Location
	err  error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) table(rows [][]string) {
	if p.err == nil {
		p.err = writeTable(p.w, "  ", nil, rows)
	}
}

func (p *page) time(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.In(p.zone).Format(time.DateTime)
}

func (p *page) facts(d *control.Detail) {
	p.line("%s  %s, %s", shownName(&d.Transfer), p.cat.Direction(p.language(), d.Direction), d.StatusText)
	var rows [][]string
	row := func(label fault.Code, value string) {
		if value != "" {
			rows = append(rows, []string{p.text(label), value})
		}
	}
	number := func(label fault.Code, n int64) {
		if n > 0 {
			row(label, count(n))
		}
	}
	row("ui.show.id", d.ID)
	row("ui.show.institution", d.Institution)
	row("ui.show.job", d.Job)
	row("ui.show.file_id", d.FileID)
	row("ui.show.wire_name", d.WireName)
	row("ui.show.base_date", d.BaseDate)
	row("ui.show.serial", d.Serial)
	row("ui.show.file_size", p.text("ui.show.bytes", "bytes", count(d.FileSize)))
	row("ui.show.wire_size", p.text("ui.show.bytes", "bytes", count(d.WireSize)))
	number("ui.show.records", d.Records)
	number("ui.show.sequences", d.Sequences)
	switch {
	case d.Blocks > 0 && d.DataSize == 0: // what is received has the sizes that the counterparty chose
		row("ui.show.blocks", count(d.Blocks))
	case d.Blocks > 0:
		row("ui.show.blocks", p.text("ui.show.shape", "blocks", count(d.Blocks), "per_block", d.PerBlock, "data_size", d.DataSize))
	}
	number("ui.show.resent", d.Resent)
	number("ui.show.missed", d.Missed)
	number("ui.show.tries", int64(d.Tries))
	row("ui.show.created", p.time(&d.Created))
	row("ui.show.started", p.time(d.Started))
	row("ui.show.next_try", p.time(d.NextTry))
	if d.Asked != "" {
		row("ui.show.asked", p.text(fault.Code("ui.order."+d.Asked)))
	}
	row("ui.show.ended", p.time(d.Ended))
	row("ui.show.response", d.Response)
	for n, proof := range d.Proofs {
		label := ""
		if n == 0 {
			label = p.text("ui.show.proofs")
		}
		text := proof.Text + ": " + proof.ActualText
		if !proof.Holds {
			text = p.text("ui.show.proof_fails", "proof", proof.Text, "actual", proof.ActualText, "expected", proof.ExpectedText)
		}
		rows = append(rows, []string{label, text})
	}
	if d.RepeatOf != "" {
		row("ui.show.repeat_of", d.RepeatOf+": "+d.RepeatText)
	}
	place := d.Place
	if waits := cmp.Or(d.WaitsForPlace, d.BackupWaits); waits != "" {
		place = p.text("ui.remark.place", "place", waits)
	}
	row("ui.show.place", place)
	row("ui.show.work_path", d.WorkPath)
	row("ui.show.backup_path", d.BackupPath)
	row("ui.show.final_path", d.FinalPath)
	row("ui.show.error_path", d.ErrorPath)
	row("ui.show.file_sha256", d.FileDigest)
	row("ui.show.released", p.time(d.Released))
	p.table(rows)
}

func (p *page) failure(f *control.Failure) {
	if f == nil {
		return
	}
	p.line("")
	p.line("%s [%s]", f.Sentence, f.Code)
	if f.Next != "" {
		p.line("%s", p.text("ui.next", "next", f.Next))
	}
}

// stands says what to do about a transfer that stands without anything being
// wrong with it.
func (p *page) stands(d *control.Detail) {
	if d.Error != nil || d.Status != string(transfer.Held) && (d.Status != string(transfer.Stored) || d.WaitsForPlace != "") {
		return
	}
	p.line("")
	p.line("%s", p.text("ui.next", "next", p.text(fault.Code("ui.show.stands."+d.Status), "id", d.ID, "institution", d.Institution)))
}

// mapWidth is how many blocks stand in a line of the map, mapLines how many
// lines there are without --blocks, and mapList how many blocks are listed.
const (
	mapWidth = 50
	mapLines = 8
	mapList  = 10
)

// blockMap draws one sign for each block and names the missing sequences.
func (p *page) blockMap(d *control.Detail, all bool) {
	if len(d.Map) == 0 {
		return
	}
	p.line("")
	if d.Status == string(transfer.Sending) {
		p.line("%s", p.text("ui.show.map_sent", "session", d.Session))
	} else {
		p.line("%s", p.text("ui.show.map"))
	}
	lines, hidden := 0, 0
	for from := 0; from < len(d.Map); from += mapWidth {
		if lines++; lines > mapLines && !all {
			hidden = len(d.Map) - from
			break
		}
		var b strings.Builder
		for n, block := range d.Map[from:min(from+mapWidth, len(d.Map))] {
			if n > 0 && n%10 == 0 {
				b.WriteByte(' ')
			}
			b.WriteString(sign(block.State))
		}
		p.line("  %6d  %s", d.Map[from].Number, b.String())
	}
	listed := 0
	for _, b := range d.Map {
		if len(b.Missing) == 0 && !all {
			continue
		}
		if listed++; listed > mapList && !all {
			p.line("  …")
			break
		}
		text := p.text("ui.show.block", "block", b.Number, "held", b.Held, "sequences", b.Sequences, "bytes", count(b.Bytes))
		if len(b.Missing) > 0 {
			text += p.text("ui.show.missing", "numbers", control.Ranges(b.Missing))
		}
		p.line("  %s", text)
	}
	if hidden > 0 {
		p.line("  %s", p.text("ui.show.hidden", "count", hidden))
	}
}

func sign(state string) string {
	switch state {
	case control.BlockWhole:
		return "#"
	case control.BlockPart:
		return "+"
	}
	return "."
}

// What is shown of a long history without --all: a weekend of tries would push
// what is wrong off the screen.
const (
	historyFirst = 5
	historyLast  = 35
	sessionsLast = 20
)

func (p *page) history(d *control.Detail, all bool) {
	p.line("")
	p.line("%s", p.text("ui.show.history"))
	rows := make([][]string, 0, len(d.History))
	hidden, gap := 0, -1
	for n, e := range d.History {
		if !all && !e.Order() && n >= historyFirst && n < len(d.History)-historyLast { // what people did is always shown
			if hidden++; hidden == 1 {
				gap = len(rows)
				rows = append(rows, nil)
			}
			continue
		}
		rows = append(rows, []string{e.At.In(p.zone).Format("01-02 15:04:05.000"), p.happened(e), p.because(e)})
	}
	if gap >= 0 {
		rows[gap] = []string{"…", p.text("ui.show.history_hidden", "count", hidden), ""}
	}
	p.table(rows)
}

// happened names an event or an order.
func (p *page) happened(e control.Entry) string {
	if e.Kind == "status" {
		return p.cat.Status(p.language(), e.To)
	}
	for _, known := range []string{
		control.Hold, control.Release, control.Resend, control.Cancel, control.Settle, control.Inquire, control.Recall,
		control.CommandRecover, store.CommandRequest, store.CommandApprove, store.CommandReject,
		control.ShowRecords, "take_over", "backup", "release", "error_file", "round", "refused", "answer", "unanswered", "more",
	} {
		if e.Kind != known {
			continue
		}
		area := "ui.event."
		if e.Order() {
			area = "ui.order."
		}
		text := p.text(fault.Code(area + known))
		if e.Subject != "" {
			text += " " + e.Subject
		}
		if e.Order() && e.To != "" && e.To != e.From {
			text += " → " + p.cat.Status(p.language(), e.To)
		}
		return text
	}
	return e.Kind
}

// because is who and why of an order, the failure or the details of an event.
func (p *page) because(e control.Entry) string {
	switch {
	case e.Order():
		return p.personAnd(e.Person(), e.Approver, e.Reason)
	case e.Error != nil:
		return e.Error.Sentence + " [" + e.Error.Code + "]"
	case e.Text != "":
		return e.Text
	}
	return string(e.Detail)
}

func (p *page) records(records []control.Record, unmasked bool) {
	if len(records) == 0 {
		return
	}
	p.line("")
	if unmasked {
		p.line("%s", p.text("ui.show.unmasked"))
	} else {
		p.line("%s", p.text("ui.show.masked"))
	}
	for _, r := range records {
		p.line("  %8d  %s", r.Number, r.Text)
	}
}
