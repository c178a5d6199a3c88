package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
)

// profileCheck compiles a profile and plays it against itself.
func (a *app) profileCheck(ctx context.Context, name string) error {
	p, err := a.profile(name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pabal-profile-")
	if err != nil {
		return fault.New(codeCannotWrite, os.TempDir()).Because(err)
	}
	a.onClose(func() error { return os.RemoveAll(dir) })
	if !a.json {
		fmt.Fprintln(a.out, a.text("ui.profile.loads", "profile", p.Name, "title", a.title(p)))
	}
	a.sayDoubts(p)
	var failed []error
	said := map[string]bool{}
	err = simulator.SelfPlay(ctx, p, dir, func(pl simulator.Played) {
		if pl.Err != nil {
			failed = append(failed, pl.Err)
		}
		a.sayPlayed(pl)
		for _, l := range pl.Laments {
			a.sayLament(l, said)
		}
	})
	if err == nil && len(failed) > 0 {
		err = fault.New(codeProfilePlay, p.Name, "failed", len(failed)).Because(errors.Join(failed...))
	}
	return err
}

// sayDoubts tells of what loads and is seldom meant.
func (a *app) sayDoubts(p *protocol.Profile) {
	for _, err := range p.Doubts {
		f := a.failure(err)
		if a.json {
			_ = a.writeJSON(a.out, map[string]any{"doubt": f})
			continue
		}
		fmt.Fprintf(a.out, "! %s [%s]\n  → %s\n", f.Sentence, f.Code, f.Next)
	}
}

func (a *app) sayPlayed(pl simulator.Played) {
	way := "down"
	if pl.Upload {
		way = "up"
	}
	if a.json {
		line := map[string]any{"direction": way, "faults": pl.Faults, "files": pl.Files, "good": pl.Err == nil}
		if pl.Err != nil {
			line["error"] = a.failure(pl.Err)
			line["sides"] = a.laments(pl.Laments)
		}
		_ = a.writeJSON(a.out, line)
		return
	}
	line := "clean"
	if pl.Faults != "" {
		line = "faults"
	}
	text := a.text(fault.Code("ui.profile.play."+way)) + ", " + a.text(fault.Code("ui.profile.line."+line)) + ": "
	if pl.Err != nil {
		sentence, _ := a.cat.Sentence(a.language(), pl.Err)
		fmt.Fprintln(a.out, text+strings.TrimSpace(sentence)+" ["+string(fault.CodeOf(pl.Err))+"]")
		return
	}
	fmt.Fprintln(a.out, text+a.text("ui.profile.played", "files", pl.Files))
}

// sayLament tells what a side of a play says: of its session, and the first time
// that it says so what was last on its line.
func (a *app) sayLament(l simulator.Lament, said map[string]bool) {
	if a.json {
		return
	}
	sentence, _ := a.cat.Sentence(a.language(), l.Err)
	text := strings.TrimSpace(sentence) + " [" + string(fault.CodeOf(l.Err)) + "]"
	fmt.Fprintln(a.out, "  "+a.text("ui.profile.side."+fault.Code(l.Side.String()))+": "+text)
	if said[text] {
		return
	}
	said[text] = true
	for _, h := range l.Last {
		arrow := "←"
		if h.Sent {
			arrow = "→"
		}
		fmt.Fprintf(a.out, "    %s %s, %s\n", arrow, h.Kind, a.text("ui.session.telegram", "title", h.Title, "bytes", h.Bytes))
		_ = a.explainedRows("        ", h.Explained)
	}
}

// lamentJSON is what a side of a play says, for programs.
type lamentJSON struct {
	Side      string      `json:"side"`
	Error     failure     `json:"error"`
	Telegrams []explained `json:"telegrams"`
}

func (a *app) laments(all []simulator.Lament) []lamentJSON {
	out := []lamentJSON{}
	for _, l := range all {
		one := lamentJSON{l.Side.String(), a.failure(l.Err), []explained{}}
		for _, h := range l.Last {
			e := a.explained(0, h.Explained)
			e.Sent = &h.Sent
			one.Telegrams = append(one.Telegrams, e)
		}
		out = append(out, one)
	}
	return out
}
