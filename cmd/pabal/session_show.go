package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pabal/control"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/sessionlog"
)

type sessionShowFlags struct {
	hex, follow bool
}

func newSessionShow(a *app) *cobra.Command {
	var f sessionShowFlags
	cmd := a.describe(&cobra.Command{
		Use: "show ID", Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.sessionShow(cmd.Context(), args[0], f) },
	}, "session_show")
	cmd.Flags().BoolVar(&f.hex, "hex", false, a.text("ui.flag.session_hex"))
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, a.text("ui.flag.session_follow"))
	return cmd
}

// sessionShow prints what was said in a session. A log is shown also where the
// database does not know its session: it may be a copy from before it.
func (a *app) sessionShow(ctx context.Context, id string, f sessionShowFlags) error {
	c, cfg, err := a.control(ctx, true)
	if err != nil {
		return err
	}
	s, err := c.Session(ctx, id)
	if err != nil {
		return err
	}
	if s != nil {
		id = s.ID
	}
	path, err := sessionlog.Find(sessionLogs(cfg), id)
	if err != nil {
		return err
	}
	if s == nil && path == "" {
		return fault.New(control.CodeNoSession, id)
	}
	v := &conversation{page: page{app: a, w: a.out, zone: cfg.Location()}, hex: f.hex, c: c}
	if a.json && s != nil {
		v.err = a.writeJSON(a.out, struct {
			*control.Session
			Log string `json:"log,omitempty"` // the file
		}{s, path})
	} else if s != nil {
		v.session(s, path)
	}
	if path == "" {
		return v.without(s, cfg.Host)
	}
	if v.lib, err = libraryOf(cfg); err != nil {
		return err
	}
	follower := sessionlog.NewFollower(path)
	for {
		if err := follower.Next(v.say); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return v.without(s, cfg.Host) // deleted as too old at this moment
			}
			return err
		}
		if !f.follow || v.over || v.err != nil {
			return v.err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followLog):
		}
	}
}

// followLog is how often --follow looks for more.
const followLog = 200 * time.Millisecond

// conversation prints the records of a log.
type conversation struct {
	page
	c       *control.Control
	lib     *protocol.Library
	profile *protocol.Profile
	hex     bool
	over    bool
	day     string
}

// without says why there is nothing to show.
func (v *conversation) without(s *control.Session, host string) error {
	if v.json {
		return v.err
	}
	if s.Host != "" && s.Host != host {
		v.line("%s", v.text("ui.session.elsewhere", "host", s.Host))
	} else {
		v.line("%s", v.text("ui.session.no_log"))
	}
	return v.err
}

// say prints one record.
func (v *conversation) say(r *sessionlog.Record) error {
	if r.What == sessionlog.WhatSession || r.What == sessionlog.WhatAway {
		p, err := v.lib.Load(r.Profile)
		if err != nil && fault.CodeOf(err) != protocol.CodeProfileUnknown {
			return err
		}
		if p != nil {
			p = p.AnyBusiness() // institutions may have codes of their own
		}
		v.profile = p // without it the bytes are shown
	}
	v.over = v.over || r.What == sessionlog.WhatEnd
	b := r.Frame()
	var e protocol.Explained
	if v.profile != nil {
		e, b = r.Explain(v.profile)
	}
	if v.json {
		return v.object(r, b, e)
	}
	at := r.Time().In(v.zone)
	if day := at.Format(time.DateOnly); day != v.day {
		v.day = day
		v.line("%s", day)
	}
	v.line("%s  %s", at.Format("15:04:05.000"), v.sentence(r, e))
	if b != nil || e.Bytes > 0 {
		if e.By == "" {
			v.fields(e)
		}
		if v.hex || v.profile == nil {
			for line := range strings.Lines(hex.Dump(b)) {
				v.line("%16s%s", "", strings.TrimRight(line, "\n"))
			}
		}
	}
	return v.err
}

// sentence is the line of a record.
func (v *conversation) sentence(r *sessionlog.Record, e protocol.Explained) string {
	switch r.What {
	case sessionlog.WhatSession:
		return v.text("ui.session.begins", "institution", r.Institution, "profile", r.Profile, "level", r.Level, "host", r.Host, "instance", r.Instance)
	case sessionlog.WhatAway:
		why, _ := v.cat.Sentence(v.language(), fault.Noted(r.Code, r.Detail))
		text := v.text("ui.session.away", "peer", r.Peer, "profile", r.Profile, "why", strings.TrimSpace(why), "code", r.Code, "instance", r.Instance, "host", r.Host)
		if r.Count > 0 {
			text += v.text("ui.session.away_before", "count", r.Count)
		}
		return text
	case sessionlog.WhatFile:
		name := r.Name
		if name == "" {
			name = r.WireName
		}
		return v.text("ui.session.file", "direction", v.cat.Direction(v.language(), r.Direction), "name", name, "wire_name", r.WireName, "transfer", r.Transfer)
	case sessionlog.WhatNote:
		return "! " + v.text(fault.Code("ui.session.note."+r.Code), "bytes", count(r.Bytes))
	case sessionlog.WhatEnd:
		if f := v.c.Failure(r.Code); f != nil {
			return v.text("ui.session.over", "files", r.Files) + " [" + r.Code + "]"
		}
		return v.text("ui.session.over", "files", r.Files)
	}
	arrow := "→"
	if r.Way == sessionlog.In {
		arrow = "←"
	}
	switch r.What {
	case sessionlog.WhatData:
		return arrow + " " + v.saidData(r)
	case sessionlog.WhatMore:
		return arrow + " " + v.text("ui.session.more", "kind", r.Kind, "bytes", count(r.Bytes))
	case sessionlog.WhatBytes:
		return arrow + " " + v.greeting(e)
	}
	title := e.Title
	if r.Response != "" {
		title += "  " + r.Response
		if r.Meaning != string(protocol.OK) {
			title += " (" + r.Meaning + ")"
		}
	}
	text := fmt.Sprintf("%s %s  %s", arrow, r.Kind, v.text("ui.session.telegram", "title", title, "bytes", count(r.Bytes)))
	if r.Code != "" {
		text += "  ! [" + r.Code + "]"
	}
	return text
}

// saidData tells of data telegrams in a row.
func (a *app) saidData(r *sessionlog.Record) string {
	if r.First < 1 { // they have no numbers
		return a.text("ui.session.data_plain", "kind", r.Kind, "count", r.Count, "bytes", count(r.Bytes))
	}
	return a.text("ui.session.data", "kind", r.Kind, "block", r.Block, "first", r.First, "last", r.Last, "count", r.Count, "bytes", count(r.Bytes))
}

// fields prints what a telegram says: the fields that have a name and a value.
func (v *conversation) fields(e protocol.Explained) {
	var rows [][]string
	for _, row := range e.Rows {
		value := row.Value
		switch {
		case row.Hidden:
			value = v.text("ui.profile.hidden", "bytes", row.Width)
		case value == "" || row.Field == "" || row.Field == "length" || row.Field == "type":
			continue
		}
		rows = append(rows, []string{row.Field, row.Title, value})
	}
	if v.err == nil {
		v.err = writeTable(v.w, fmt.Sprintf("%16s", ""), nil, rows)
	}
}

// object writes a record for programs: as it stands in the log, its telegram in
// named fields. Data is not in it.
func (v *conversation) object(r *sessionlog.Record, b []byte, e protocol.Explained) error {
	one := *r
	if r.What != sessionlog.WhatBytes {
		one.Text, one.Hex = "", ""
	}
	var fields map[string]string
	for _, row := range e.Rows {
		if row.Field != "" && !row.Hidden && row.Value != "" {
			if fields == nil {
				fields = map[string]string{}
			}
			fields[row.Field] = row.Value
		}
	}
	out := struct {
		*sessionlog.Record
		Time   string            `json:"time"`
		Title  string            `json:"title,omitempty"`
		Fields map[string]string `json:"fields,omitempty"`
		Bytes  string            `json:"telegram,omitempty"` // hex digits, with --hex
	}{Record: &one, Time: r.Time().Format(time.RFC3339Nano), Title: e.Title, Fields: fields}
	if v.hex {
		out.Bytes = hex.EncodeToString(b)
	}
	return v.writeJSON(v.out, out)
}
