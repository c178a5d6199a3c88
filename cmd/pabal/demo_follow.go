package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"pabal/internal/fault"
	"pabal/simulator"
	"pabal/simulator/sample"
	"pabal/store"
	"pabal/transfer"
)

// hear is called by the taps, while the telegram is still on its way. When
// the counterparty is about to confirm the block at half of the file, the
// server is killed before the confirmation passes.
func (d *demo) hear(f fact) {
	select {
	case d.facts <- f:
	case <-d.over:
		return
	}
	if f.kind == heardBlock && f.where == demoCentre && f.name == d.crashName && f.block == d.crashAt && len(f.missing) == 0 {
		select {
		case d.crashed <- f.block: // once: nobody empties it
			d.server.Load().kill()
		default:
		}
	}
}

func (d *demo) tell(e peerEvent) {
	select {
	case d.events <- e:
	case <-d.over:
	}
}

// follow draws what happens until all that is expected has arrived, or, with
// no limit, until ctx is over.
func (d *demo) follow(ctx context.Context, limit <-chan time.Time) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	resumed := d.crashAt == 0
	for {
		server := d.server.Load()
		ended := server.ended
		if !resumed {
			ended = nil // we end it ourselves
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return d.late()
		case <-ended:
			return server.failure()
		case f := <-d.facts:
			d.heard = append(d.heard, f)
			continue // the ticks draw
		case e := <-d.events:
			d.told = append(d.told, e)
			continue
		case <-tick.C:
		}
		if !resumed && len(d.crashed) > 0 {
			<-server.ended
			if err := d.look(ctx); err != nil {
				return err
			}
			if err := d.restart(ctx, server); err != nil {
				return err
			}
			resumed = true
			continue
		}
		if err := d.look(ctx); err != nil {
			return err
		}
		if limit != nil {
			if over, err := d.everything(); over || err != nil {
				return err
			}
		}
	}
}

// restart shows what the killed server left and starts another.
func (d *demo) restart(ctx context.Context, dead *child) error {
	list, err := d.st.List(ctx, store.Filter{WireName: d.crashName, Direction: transfer.Send, Limit: 1})
	if err != nil {
		return err
	}
	for _, t := range list {
		if p := d.byID[t.ID]; p != nil {
			p.skip()
			if err := d.flush(); err != nil {
				return err
			}
		}
		if err := d.say("", d.red(d.a.text("ui.demo.killed", "pid", dead.pid, "block", d.crashAt, "blocks", t.Blocks)),
			d.a.text("ui.demo.left", "status", d.a.cat.Status(d.a.language(), string(t.Status)), "owner", t.Owner, "attempt", t.Attempt)); err != nil {
			return err
		}
	}
	if err := d.startServer(ctx); err != nil {
		return err
	}
	return d.say("")
}

// look reads the rows and brings the pictures up to date.
func (d *demo) look(ctx context.Context) error {
	rows, err := d.st.List(ctx, store.Filter{Limit: 200, NewestFirst: true})
	if err != nil {
		return err
	}
	for n := len(rows) - 1; n >= 0; n-- {
		t := rows[n]
		p := d.byID[t.ID]
		if p == nil {
			p = &picture{d: d}
			d.byID[t.ID] = p
			d.pictures = append(d.pictures, p)
		}
		p.row = t
		for _, s := range []sample.Kind{sample.EB21, sample.EB13} {
			if own := d.w.path("samples", t.Name); p.source == "" && p.sends() && t.FileID == string(s) && exists(own) {
				p.source = own
			}
		}
	}
	d.deal()
	for _, p := range d.pictures {
		if err := p.advance(ctx); err != nil {
			return err
		}
	}
	return d.flush()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// deal gives what was heard and told to the pictures that it belongs to, and
// keeps what is of a transfer whose row has not been seen yet.
func (d *demo) deal() {
	facts := d.heard[:0]
	for _, f := range d.heard {
		if p := d.find(f.where, f.name); p != nil {
			p.facts = append(p.facts, f)
		} else {
			facts = append(facts, f)
		}
	}
	d.heard = facts
	told := d.told[:0]
	for _, e := range d.told {
		p := d.find(e.where, e.Name)
		switch {
		case e.Kind != simulator.Taken && e.Kind != simulator.Given:
		case p == nil:
			told = append(told, e)
		case e.Kind == simulator.Taken && p.sends():
			p.arrived = e.Path
		case e.Kind == simulator.Given && !p.sends():
			p.source = e.Path
		}
	}
	d.told = told
}

// find is the transfer under way that a counterparty speaks of: the oldest of
// that name that is not over.
func (d *demo) find(where, name string) *picture {
	for _, p := range d.pictures {
		if !p.done && p.row.Institution == where && p.row.WireName == name {
			return p
		}
	}
	return nil
}

// flush prints one picture at a time. A picture that stands still lets the
// others pass.
func (d *demo) flush() error {
	for {
		if p := d.showing; p != nil {
			if len(p.lines) > 0 {
				d.moved = time.Now()
				lines := p.lines
				p.lines = nil
				if err := d.say(lines...); err != nil {
					return err
				}
			}
			if !p.done && time.Since(d.moved) < 3*time.Second {
				return nil
			}
		}
		next := d.next()
		if next == nil {
			return nil
		}
		d.showing, d.moved = next, time.Now()
	}
}

// next is the picture to show after this one.
func (d *demo) next() *picture {
	if d.first != "" {
		for _, p := range d.pictures {
			if p.row.WireName == d.first {
				d.first = ""
				return p
			}
		}
		if time.Since(d.began) < 3*time.Second {
			return nil // it is about to come
		}
	}
	for _, p := range d.pictures {
		if p != d.showing && len(p.lines) > 0 {
			return p
		}
	}
	return nil
}

// everything reports that all that is expected has arrived. The files that go
// out are put in place when all that comes in has come, if they have not been.
func (d *demo) everything() (bool, error) {
	arrived := 0
	for _, p := range d.pictures {
		if p.problem != nil && p.row.Status != transfer.Abandoned {
			return true, p.problem
		}
		if p.done && p.result.Arrived != "" && d.expected[p.row.WireName] {
			arrived++
		}
	}
	if len(d.waiting) > 0 && arrived == len(d.expected)-len(d.waiting) {
		return false, d.putWaiting()
	}
	return arrived == len(d.expected), nil
}

// late says what has not arrived.
func (d *demo) late() error {
	var waits string
	got := map[string]bool{}
	for _, p := range d.pictures {
		got[p.row.WireName] = p.done || got[p.row.WireName]
		if !p.done {
			waits += fmt.Sprintf(" %s (%s)", p.name(), d.a.cat.Status(d.a.language(), string(p.row.Status)))
		}
	}
	for name := range d.expected {
		if _, seen := got[name]; !seen {
			waits += " " + name
		}
	}
	return fault.New(codeDemoLate, d.w.dir, "files", waits, "log", d.w.serverLog())
}
