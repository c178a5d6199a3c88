package instance

import (
	"context"
	"time"

	"pabal/internal/fault"
	"pabal/protocol/line"
	"pabal/protocol/sessionlog"
	"pabal/transfer"
)

// This file writes down what is said on the lines. A log is evidence for
// people; no stage reads it, and nothing waits for it.

// newLogs is the writer of the logs of all sessions of an instance.
func (o *Options) newLogs(log func(msg string, args ...any)) *sessionlog.Writer {
	return sessionlog.NewWriter(o.Now, func(err error) {
		log("session logs are not written, sessions go on without", "directory", o.SessionLog.Dir, "err", err)
	})
}

// recorder is what the line tells what is said, nil where no logs are wanted.
func (s *session) recorder() line.Recorder {
	if s.o.SessionLog.Dir == "" {
		return nil
	}
	s.said = s.logs.Log(s.profile)
	if s.row.ID != "" {
		s.logBegins()
	}
	return s.said
}

// logBegins names the session once its row is written.
func (s *session) logBegins() {
	if s.said == nil {
		return
	}
	o := s.o.SessionLog
	o.Level = or(s.inst.SessionLog, o.Level)
	s.said.Begin(s.business(), sessionlog.Record{
		Session: s.row.ID, Institution: s.row.Institution, Profile: s.row.Profile, Instance: s.row.Instance, Host: s.row.Host,
		Peer: s.row.Peer, Calling: s.row.Calling, Direction: string(s.row.Direction),
	}, o)
}

// logAway writes down a caller that was not let in, and how many were left out
// before it.
func (i *Instance) logAway(who stranger, why error, before int) {
	r := sessionlog.Record{Profile: who.profile, Instance: i.o.ID, Host: i.o.Place, Code: string(fault.CodeOf(why)), Count: before}
	if who.peer != nil {
		r.Peer = who.peer.String()
	}
	if f := fault.As(why); f != nil {
		r.Detail = detail(f)
	}
	i.logs.Away(i.now().In(i.o.Zone), r, who.said, i.o.SessionLog)
}

// logFile says which transfer the next telegrams are about.
func (s *session) logFile(t *transfer.Transfer) {
	if s.said == nil || t == nil {
		return
	}
	s.said.File(s.now(), sessionlog.Record{
		Transfer: t.ID, Host: t.Place, Direction: string(t.Direction), Name: t.Name, WireName: t.WireName, FileID: t.FileID, Job: t.Job,
		BaseDate: t.BaseDate, Serial: t.Serial, WireSize: t.WireSize, FileSize: t.FileSize,
	})
}

// logEnds closes the log with what the session's row says.
func (s *session) logEnds(files int, err error) {
	s.said.End(s.now(), files, fault.CodeOf(err))
}

// retainLogs removes the session logs of this place that are older than they
// are kept. Each removal stands for itself: a crash leaves the rest to the next.
func (i *Instance) retainLogs(ctx context.Context, now time.Time) error {
	o := i.o.SessionLog
	if o.Dir == "" || o.Keep <= 0 {
		return nil
	}
	turn, err := i.s.Turn(ctx, now, "retention of session logs, "+i.o.Place, min(daysEvery, or(i.o.Retention.Every, daysEvery)))
	if err != nil || !turn {
		return err
	}
	n, err := i.logs.Expire(o.Dir, now.Add(-o.Keep))
	if n > 0 {
		i.log.Info("old session logs removed", "directory", o.Dir, "files", n)
	}
	return err
}
