package store

import (
	"context"
	"hash/crc32"
	"time"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Announced is what a session went by that takes a file which a peer announced:
// which names make it the same file, and how many transfers of them in some statuses
// it has left as they were.
type Announced struct {
	Same     Identity
	Statuses []transfer.Status
	Seen     int
}

// CreateAnnounced is Create for such a file, whose ID and owner are given. Of
// two sessions that are told of one file at the same moment, and both find nothing
// of it, one makes a row; the other gets CodeMeanwhile, writes nothing and looks
// again (design D4, D6). Errors besides: those of Create.
func (s *Store) CreateAnnounced(ctx context.Context, now time.Time, t *transfer.Transfer, as Announced) error {
	row := created(now, t)
	err := s.write(ctx, 0, func(tx *tx) error { return tx.create(now, row, &as) })
	if err == nil {
		*t = *row
	}
	return err
}

// unseen ends the write with CodeMeanwhile when there is more of an announced file than
// was seen. Nobody else makes a row of its name before this transaction ends.
func (t *tx) unseen(row *transfer.Transfer, as *Announced) error {
	if t.dialect.takeTerm != "" {
		key := as.Same.Institution + "\x00" + as.Same.WireName // whatever its day
		if err := t.later(t.dialect.takeTerm, int64(crc32.ChecksumIEEE([]byte(key)))|announcedLocks); err != nil {
			return err
		}
	}
	var w where
	var there int
	text := as.count(&w, row.ID)
	return t.scanThen([]any{&there}, func(bool) error {
		if there > as.Seen {
			return fault.New(CodeMeanwhile, as.Same.WireName)
		}
		return nil
	}, text, w.args...)
}

// count asks how many transfers of the names and statuses there are beside one:
// that may be of an earlier run, whose commit was not answered.
func (as *Announced) count(w *where, beside string) string {
	same := where{terms: []string{byIdentity}, args: w.args}
	same.identity(as.Same)
	statuses := make([]string, len(as.Statuses))
	for n, st := range as.Statuses {
		statuses[n] = string(st)
	}
	same.in("status", statuses)
	// Not <>: beside the condition of transfers_created, which is id <> '', SQLite would
	// look whether the value is that one, and prepare the statement anew for every other.
	same.add("id IS DISTINCT FROM " + same.arg(beside))
	w.args = same.args
	return same.query("SELECT count(*) FROM transfers", "", 0)
}

// announcedLocks is the kind of a lock, like termLocks.
const announcedLocks = int64(0x7061_6e6e) << 32 // "pann"
