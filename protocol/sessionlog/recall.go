package sessionlog

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"pabal/protocol"
	"pabal/transfer"
)

// Carried is what logs tell of one transfer.
type Carried struct {
	File        Record // which it is, as it was told last
	Institution string
	Session     string    // the last in which something of it was said
	At          time.Time // … and when
	Data        bool      // something of its content went over the line
	Asked       bool      // its end was asked for and no answer has said that it failed
	Confirmed   bool      // its end was confirmed: by the counterparty if we sent, by us if we received
}

// Recall reads all logs of a directory that were written to at or after a
// time, and says what they tell of each transfer. What it does not tell may have
// happened all the same: a log may have lost lines.
func Recall(dir string, since time.Time) (map[string]*Carried, error) {
	all, err := files(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]*Carried{}
	for _, f := range all {
		if f.changed.Before(since) {
			continue
		}
		if err := recall(f, out); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return out, nil
}

func recall(f found, out map[string]*Carried) error {
	log, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // only read
	institution := ""
	var now *Carried
	return Read(log, func(r *Record) error {
		switch r.What {
		case WhatSession:
			institution = r.Institution
		case WhatFile:
			if now = out[r.Transfer]; now == nil {
				now = &Carried{}
				out[r.Transfer] = now
			}
			now.File, now.Institution, now.Session, now.At = *r, institution, f.session, r.Time()
		case WhatTelegram, WhatData:
			if now != nil && now.hear(r) {
				now = nil // what follows is about the next one
			}
		}
		return nil
	})
}

// hear takes what was said about the transfer into account, and reports that
// it was the last word about it.
func (c *Carried) hear(r *Record) (last bool) {
	ours, theirs := Out, In // who sends says the end, who receives answers
	if c.File.Direction == string(transfer.Receive) {
		ours, theirs = In, Out
	}
	switch r.Kind {
	case protocol.DataTelegram.String(), protocol.Resend.String():
		c.Data = c.Data || r.Way == ours
	case protocol.End.String(), protocol.EndMore.String():
		c.Asked = c.Asked || r.Way == ours
	case protocol.EndReply.String(), protocol.EndMoreReply.String():
		if r.Way != theirs {
			return false
		}
		last, c.Asked = true, false
		c.Confirmed = c.Confirmed || r.Code == "" && (r.Meaning == "" || r.Meaning == string(protocol.OK))
	default:
		return false
	}
	c.At = r.Time()
	return last
}
