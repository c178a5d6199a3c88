package instance

import (
	"context"
	"path/filepath"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Retention says how long what is finished is kept. 0 keeps it for ever.
type Retention struct {
	Payload   time.Duration // stored content, from the end of its transfer
	Transfers time.Duration // rows of transfers, without payload, with their events
	Events    time.Duration // history of finished transfers and of sessions
	Sessions  time.Duration // rows of closed sessions
	Backup    time.Duration // files in backup/
	Error     time.Duration // files in error/
	Every     time.Duration // how often it is looked after; 0 = 1 min
}

// daysEvery is how often day directories are looked through.
const daysEvery = time.Hour

// retainStep deletes what is older than it is to be kept: content and rows once
// for all hosts, files where they are. Every step of it is a transaction or a
// removal of its own, after which a crash leaves nothing to repair.
func (i *Instance) retainStep(ctx context.Context) (bool, error) {
	r, now := i.o.Retention, i.now()
	turn, err := i.s.Turn(ctx, now, "retention", or(r.Every, time.Minute)/2)
	if err != nil {
		return false, err
	}
	if turn {
		err := i.retainRows(ctx, r, now)
		if fault.CodeOf(err) == store.CodeQuarantined { // it has begun meanwhile
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if err := i.retainLogs(ctx, now); err != nil {
		return false, err
	}
	if !i.o.Scans || r.Backup <= 0 && r.Error <= 0 {
		return false, nil
	}
	turn, err = i.s.Turn(ctx, now, "retention of files, "+i.o.Place, min(daysEvery, or(r.Every, daysEvery)))
	if err != nil || !turn {
		return false, err
	}
	return false, i.retainFiles(ctx, r, now)
}

// retainRows deletes payload, then rows, until nothing old is left.
func (i *Instance) retainRows(ctx context.Context, r Retention, now time.Time) error {
	if r.Payload > 0 {
		for more := true; more; {
			done, again, err := i.s.Purge(ctx, now, now.Add(-r.Payload))
			if err != nil {
				return err
			}
			for _, id := range done {
				i.log.Info("payload deleted", "transfer", id)
			}
			more = again && ctx.Err() == nil
		}
	}
	if r.Events > 0 {
		deleted, after := int64(0), int64(0)
		for more := true; more; {
			n, next, err := i.s.ExpireEvents(ctx, now.Add(-r.Events), after)
			if err != nil {
				return err
			}
			deleted, after, more = deleted+n, next, next > 0 && ctx.Err() == nil
		}
		i.expired("events", deleted)
	}
	for _, rows := range []struct {
		name string
		keep time.Duration
		step func(context.Context, time.Time) (int64, bool, error)
	}{{"sessions", r.Sessions, i.s.ExpireSessions}, {"transfers", r.Transfers, i.s.ExpireTransfers}} {
		deleted := int64(0)
		for more := rows.keep > 0; more; {
			n, again, err := rows.step(ctx, now.Add(-rows.keep))
			if err != nil {
				return err
			}
			deleted, more = deleted+n, again && ctx.Err() == nil
		}
		i.expired(rows.name, deleted)
	}
	return ctx.Err()
}

func (i *Instance) expired(what string, rows int64) {
	if rows > 0 {
		i.log.Info("old rows deleted", "table", what, "rows", rows)
	}
}

// retainFiles removes old files of backup/ and error/. A backup from which a
// transfer that is under way may still be stored again stays.
func (i *Instance) retainFiles(ctx context.Context, r Retention, now time.Time) error {
	var open []transfer.Status
	for _, s := range transfer.Statuses() {
		if !s.Final() {
			open = append(open, s)
		}
	}
	rows, err := i.s.List(ctx, store.Filter{Statuses: open, Direction: transfer.Send, Place: i.o.Place})
	if err != nil {
		return err
	}
	needed := make(map[string]bool, len(rows))
	for _, t := range rows {
		needed[filepath.Clean(t.BackupPath)] = true
	}
	for _, days := range []struct {
		kind string
		keep time.Duration
	}{{filemgr.BackupDays, r.Backup}, {filemgr.ErrorDays, r.Error}} {
		if days.keep <= 0 {
			continue
		}
		first := now.Add(-days.keep).In(i.o.Zone).Format("20060102")
		n, err := filemgr.RemoveDays(ctx, i.o.Dirs.Scan, days.kind, first, func(path string) bool { return needed[filepath.Clean(path)] })
		if n > 0 {
			i.log.Info("old files removed", "directory", days.kind, "before", first, "files", n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
