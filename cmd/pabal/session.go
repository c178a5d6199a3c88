package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
)

func newSession(a *app) *cobra.Command {
	cmd := group(a.describe(&cobra.Command{Use: "session"}, "session"))
	cmd.AddCommand(newSessionList(a), newSessionShow(a))
	return cmd
}

type sessionListFlags struct {
	institution        string
	failed, open, away bool
	limits
}

func newSessionList(a *app) *cobra.Command {
	var f sessionListFlags
	cmd := a.describe(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sessionList(cmd.Context(), f) },
	}, "session_list")
	flags := cmd.Flags()
	flags.StringVar(&f.institution, "institution", "", a.text("ui.flag.institution"))
	flags.BoolVar(&f.failed, "failed", false, a.text("ui.flag.session_failed"))
	flags.BoolVar(&f.open, "open", false, a.text("ui.flag.session_open"))
	flags.BoolVar(&f.away, "turned-away", false, a.text("ui.flag.session_turned_away"))
	f.limits.flags(a, flags, "ui.flag.session_since")
	return cmd
}

func (a *app) sessionList(ctx context.Context, f sessionListFlags) error {
	q, err := f.ask(ctx, a)
	if err != nil {
		return err
	}
	if f.away {
		return a.turnedAwayList(q, f)
	}
	list, err := q.control.Sessions(ctx, store.SessionFilter{
		Institution: f.institution, Failed: f.failed, OpenOnly: f.open, Since: q.since, NewestFirst: true, Limit: q.most,
	})
	if err != nil {
		return err
	}
	return listing[*control.Session]{limits: f.limits, none: "ui.session.none",
		columns: []string{"session", "time", "duration", "institution", "direction", "peer", "place", "files", "result"},
		row: func(s *control.Session) []string {
			return []string{s.ID, clock(s.Opened.In(q.zone), q.now), a.lasted(s), s.Institution, a.cat.Direction(a.language(), s.Direction),
				a.who(s), s.Host, strconv.Itoa(s.Files), a.ended(s)}
		}}.print(a, list)
}

// lasted is how long a session was open.
func (a *app) lasted(s *control.Session) string {
	if s.Closed == nil {
		return ""
	}
	return s.Closed.Sub(s.Opened).Round(time.Millisecond).String()
}

// who connected to whom: an arrow from us to the address, or the other way.
func (a *app) who(s *control.Session) string {
	if s.Calling {
		return "→ " + s.Peer
	}
	return "← " + s.Peer
}

// ended is how a session ended, in a word or with its fault code.
func (a *app) ended(s *control.Session) string {
	switch {
	case s.Closed == nil:
		return a.text("ui.session.open") + a.refusedIn(s)
	case s.Error != nil:
		return "[" + s.Error.Code + "]" + a.refusedIn(s)
	}
	return a.text("ui.session.ended") + a.refusedIn(s)
}

// refusedIn is how many files of a session were not taken, if any.
func (a *app) refusedIn(s *control.Session) string {
	if len(s.Refused) == 0 {
		return ""
	}
	return ", " + a.text("ui.session.refused", "count", len(s.Refused))
}

// sessions are those of a transfer's attempts.
func (p *page) sessions(d *control.Detail, all bool) {
	if len(d.Sessions) == 0 {
		return
	}
	p.line("")
	p.line("%s", p.text("ui.show.sessions"))
	last := d.Sessions
	if hidden := len(last) - sessionsLast; hidden > 0 && !all {
		last = last[hidden:]
		p.line("  … %s", p.text("ui.show.sessions_hidden", "count", hidden))
	}
	rows := make([][]string, len(last))
	for n, s := range last {
		rows[n] = []string{s.ID, s.Opened.In(p.zone).Format("01-02 15:04:05.000"), p.lasted(s), p.who(s), s.Host, p.ended(s)}
	}
	p.table(rows)
}

// facts of a session, above what was said in it.
func (p *page) session(s *control.Session, log string) {
	p.line("%s  %s, %s, %s", s.ID, s.Institution, p.cat.Direction(p.language(), s.Direction), p.ended(s))
	var rows [][]string
	row := func(label fault.Code, value string) {
		if value != "" {
			rows = append(rows, []string{p.text(label), value})
		}
	}
	row("ui.show.profile", s.Profile)
	row("ui.show.peer", p.who(s))
	row("ui.show.instance", s.Instance)
	row("ui.show.place", s.Host)
	row("ui.show.opened", s.Opened.In(p.zone).Format("2006-01-02 15:04:05.000"))
	if s.Closed != nil {
		row("ui.show.closed", fmt.Sprintf("%s (%s)", s.Closed.In(p.zone).Format("2006-01-02 15:04:05.000"), p.lasted(s)))
	}
	row("ui.show.files", strconv.Itoa(s.Files))
	row("ui.show.log", log)
	p.table(rows)
	p.failure(s.Error)
	for _, f := range s.Refused {
		p.line("")
		p.line("%s", p.text("ui.session.refused_file", "time", f.At.In(p.zone).Format("15:04:05.000"), "wire_name", f.WireName))
		p.line("%s [%s]", f.Error.Sentence, f.Error.Code)
		p.line("%s", p.text("ui.next", "next", f.Error.Next))
	}
	p.line("")
}
