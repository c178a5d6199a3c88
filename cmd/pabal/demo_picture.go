package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// picture is the way of one transfer, told stage by stage from what its row,
// its events and the telegrams on the line say. It is drawn as far as these
// have come; nothing in it is foretold.
type picture struct {
	d   *demo
	row *transfer.Transfer

	facts   []fact // heard and not drawn yet
	source  string // the file as it left
	arrived string // … and as it arrived
	lines   []string
	titled  bool
	stored  bool            // cutting and storing is drawn
	online  bool            // within the stage of the telegrams
	status  transfer.Status // unusual one that was told last
	resumed bool

	block   int64 // shown last
	skipped int64 // blocks left out since, all complete
	ended   bool  // the end was confirmed on the line

	done    bool
	problem error // it ended otherwise than it should
	result  demoFile
}

// blocksShown is how many blocks are drawn though nothing happened in them.
const blocksShown = 3

func (p *picture) sends() bool { return p.row.Direction == transfer.Send }

// advance draws what has become known.
func (p *picture) advance(ctx context.Context) error {
	if p.done {
		return nil
	}
	if !p.titled {
		p.titled = true
		p.title()
		if p.sends() {
			p.line(p.row.CreatedAt, "scan", p.d.a.text("ui.demo.found", "path", p.d.w.rel(p.d.w.path("data/scan", p.row.Name)), "bytes", count(p.row.FileSize)))
			p.down()
			work := p.d.a.text("ui.demo.gone")
			if p.row.WorkPath != "" {
				work = p.d.w.rel(p.row.WorkPath)
			}
			p.line(p.row.CreatedAt, "work", work)
		}
	}
	if p.sends() && !p.stored {
		if p.row.WireDigest == "" { // not cut to its end
			return p.otherwise()
		}
		p.down()
		at, err := p.statusTime(ctx, transfer.Stored)
		if err != nil {
			return err
		}
		p.line(at, "database", p.shape())
		p.stored = true
	}
	if err := p.telegrams(ctx); err != nil {
		return err
	}
	return p.end(ctx)
}

// title names file, direction and counterparty.
func (p *picture) title() {
	name := p.row.Name
	code := fault.Code("ui.demo.to")
	if !p.sends() {
		code, name = "ui.demo.from", p.row.WireName
	}
	profile := p.d.peers.tap(p.row.Institution).profile.Name
	p.lines = append(p.lines, "", p.d.bold("── "+p.d.a.text(code, "name", name, "who", p.d.who(p.row.Institution), "profile", profile)))
}

// shape is what the rows say of the file's cutting.
func (p *picture) shape() string {
	text := p.d.a.text("ui.demo.shape", "sequences", count(p.row.Sequences), "blocks", count(p.row.Blocks), "bytes", count(p.row.WireSize))
	if p.row.Records > 0 {
		text = p.d.a.text("ui.demo.records", "records", count(p.row.Records)) + " → " + text
	}
	return text
}

// telegrams draws what was heard on the line.
func (p *picture) telegrams(ctx context.Context) error {
	for len(p.facts) > 0 {
		f := p.facts[0]
		p.facts = p.facts[1:]
		switch f.kind {
		case heardStart:
			if err := p.start(ctx, f); err != nil {
				return err
			}
		case heardBlock:
			p.hadBlock(f)
		case heardResend:
			p.skip()
			p.telegramLine(f.at, p.d.a.text("ui.demo.resent", "block", f.block, "type", f.types[1], "sequences", sequenceList(f.missing)))
		case heardEnd:
			p.skip()
			p.telegramLine(f.at, p.d.a.text("ui.demo.end", "request", f.types[0], "reply", f.types[1]))
			p.ended = true
		}
	}
	return nil
}

// telegramLine gives the first line of the stage its name.
func (p *picture) telegramLine(at time.Time, text string) {
	if p.online {
		p.line(at, "", text)
		return
	}
	if p.sends() {
		p.down()
	}
	p.online = true
	p.line(at, "telegrams", text)
}

func (p *picture) start(ctx context.Context, f fact) error {
	text := p.d.a.text("ui.demo.start", "request", f.types[0], "reply", f.types[1])
	if f.held > 0 {
		// Where it goes on: the receiver's bytes, put on the block rows of
		// the sender.
		at := p.row.Geometry().At(f.held, p.row.WireSize)
		trail, err := p.trail(ctx)
		if err != nil {
			return err
		}
		p.line(f.at, "database", p.d.a.text("ui.demo.trail", "trail", trail, "attempt", p.row.Attempt))
		p.resumed, p.online = true, false
		text = p.d.a.text("ui.demo.resume", "request", f.types[0], "reply", f.types[1],
			"bytes", count(f.held), "block", at.Block, "sequence", fmt.Sprintf("%03d", at.Seq))
	}
	p.telegramLine(f.at, text)
	return nil
}

// trail is the way through the statuses since the first telegram, from the
// event rows.
func (p *picture) trail(ctx context.Context) (string, error) {
	events, err := p.d.st.Events(ctx, store.EventFilter{TransferID: p.row.ID, Kind: store.EventStatus})
	if err != nil {
		return "", err
	}
	var words []string
	for _, e := range events {
		if len(words) == 0 && e.To != transfer.Sending {
			continue
		}
		words = append(words, p.d.a.cat.Status(p.d.a.language(), string(e.To)))
	}
	return strings.Join(words, " → "), nil
}

// hadBlock draws a block as its receiver has it. Many that are complete at
// once are drawn as one line.
func (p *picture) hadBlock(f fact) {
	again := f.block == p.block
	plain := len(f.missing) == 0 && !again && f.block > blocksShown && f.block != p.row.Blocks
	p.block = f.block
	if plain {
		p.skipped++
		return
	}
	if p.skipped > 0 {
		p.block--
		p.skip()
		p.block++
	}
	var bar strings.Builder
	gone := map[int]bool{}
	for _, seq := range f.missing {
		gone[seq] = true
	}
	for seq := 1; seq <= 99; seq += 2 {
		switch {
		case seq > f.last:
			bar.WriteByte(' ')
		case gone[seq] || gone[seq+1]:
			bar.WriteByte('.')
		default:
			bar.WriteByte('#')
		}
	}
	text := p.d.a.text("ui.demo.block", "block", f.block) + fmt.Sprintf(" [%s] %3d/%d", bar.String(), f.last-len(f.missing), f.last)
	if len(f.missing) > 0 {
		text += "  " + p.d.yellow(p.d.a.text("ui.demo.missing", "sequences", sequenceList(f.missing)))
	}
	p.telegramLine(f.at, text)
}

func (p *picture) skip() {
	if p.skipped == 0 {
		return
	}
	p.telegramLine(time.Time{}, p.d.a.text("ui.demo.complete", "from", p.block-p.skipped+1, "to", p.block))
	p.skipped = 0
}

// end draws the last stages when the row says that the transfer is over.
func (p *picture) end(ctx context.Context) error {
	if !p.row.Status.Success() {
		return p.otherwise()
	}
	switch {
	case !p.ended, p.source == "" && !p.sends(), p.arrived == "" && p.sends(), p.sends() && p.row.BackedUpAt.IsZero():
		return nil // one of those who know has not told yet
	}
	if p.sends() {
		p.down()
		p.line(p.row.BackedUpAt, "backup", p.d.w.rel(p.row.BackupPath))
		if p.source == "" {
			p.source = p.row.BackupPath
		}
	} else {
		p.arrived = p.row.FinalPath
		at, err := p.statusTime(ctx, transfer.Received)
		if err != nil {
			return err
		}
		p.down()
		p.line(at, "database", p.shape())
	}
	return p.compare()
}

// compare reads both files from the disk.
func (p *picture) compare() error {
	left, size, err := fileSum(p.source)
	if err != nil {
		return err
	}
	came, cameSize, err := fileSum(p.arrived)
	if err != nil {
		return err
	}
	stage := "arrived"
	if !p.sends() {
		stage = "received"
	}
	p.down()
	p.line(p.row.EndedAt, stage, p.d.w.rel(p.arrived))
	same := left == came && size == cameSize
	word := p.d.green(p.d.a.text("ui.demo.equal"))
	if !same {
		word = p.d.red(p.d.a.text("ui.demo.unequal"))
		p.problem = fault.New(codeDemoUnequal, p.row.Name, "source", p.source, "arrived", p.arrived)
	}
	p.line(time.Time{}, "", fmt.Sprintf("sha256 %s…  %s  %s…  %s", left[:16], p.d.w.rel(p.source), came[:16], word))
	_, resent, twice := p.d.peers.tap(p.row.Institution).log.totals(p.row.WireName)
	if p.sends() && twice > 0 && p.problem == nil {
		p.problem = fault.New(codeDemoTwice, p.row.Name, "count", twice)
	}
	if p.resumed && twice == 0 {
		p.line(time.Time{}, "", p.d.a.text("ui.demo.once"))
	}
	p.result = demoFile{
		Name: p.row.Name, Profile: p.d.peers.tap(p.row.Institution).profile.Name, Direction: string(p.row.Direction),
		Source: p.source, Arrived: p.arrived, Bytes: cameSize, SHA256: came, Blocks: p.row.Blocks, Resent: resent, equal: same,
	}
	p.done = true
	return nil
}

// otherwise tells of a transfer that stands in an unusual status: it waits, is
// held, was refused …
func (p *picture) otherwise() error {
	if p.row.Status == p.status {
		return nil
	}
	p.status = p.row.Status
	switch p.row.Status {
	case transfer.Waiting, transfer.Refused, transfer.Failed, transfer.Unknown, transfer.Held, transfer.Cancelled, transfer.Abandoned, transfer.Duplicate:
	default:
		return nil
	}
	text := p.d.a.cat.Status(p.d.a.language(), string(p.row.Status))
	next := ""
	if e := fault.Noted(p.row.ErrorCode, p.row.ErrorDetail); e != nil {
		var sentence string
		sentence, next = p.d.a.cat.Sentence(p.d.a.language(), e.OfTransfer(p.row.ID))
		text += ": " + sentence
	}
	p.skip()
	p.line(p.row.UpdatedAt, "database", p.d.yellow(text))
	if next != "" && p.row.Status.Final() {
		p.line(time.Time{}, "", p.d.a.text("ui.next", "next", next))
	}
	if p.row.Status.Final() || p.row.Status == transfer.Held {
		p.done = true
		p.problem = fault.New(codeDemoEnded, p.name(), "status", string(p.row.Status), "id", p.row.ID)
	}
	return nil
}

func (p *picture) name() string {
	if p.row.Name != "" {
		return p.row.Name
	}
	return p.row.WireName
}

// statusTime is when the row first got a status.
func (p *picture) statusTime(ctx context.Context, st transfer.Status) (time.Time, error) {
	events, err := p.d.st.Events(ctx, store.EventFilter{TransferID: p.row.ID, Kind: store.EventStatus})
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range events {
		if e.To == st {
			return e.At, nil
		}
	}
	return time.Time{}, nil
}

// line draws seconds since the start, stage and text in columns. No time: the
// line belongs to the one above.
func (p *picture) line(at time.Time, stage, text string) {
	clock := strings.Repeat(" ", 7)
	if !at.IsZero() {
		clock = fmt.Sprintf("%6.2fs", max(0, at.Sub(p.d.began).Seconds()))
	}
	label := ""
	if stage != "" {
		label = p.d.a.text(fault.Code("ui.demo.stage." + stage))
	}
	p.lines = append(p.lines, strings.TrimRight(clock+"  "+label+strings.Repeat(" ", max(0, p.d.labels-width(label)))+"  "+text, " "))
}

// down draws the way from one stage to the next.
func (p *picture) down() { p.lines = append(p.lines, strings.Repeat(" ", 11)+"↓") }
