package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"pabal/transfer"
)

// Count is how many transfers of one kind there are.
type Count struct {
	Direction transfer.Direction
	Status    transfer.Status
	Place     string
	Transfers int64
}

// Counts counts what is open, however old, and everything created since. What
// has ended before is not looked at, so it costs the same however much that is.
func (s *Store) Counts(ctx context.Context, since time.Time) ([]*Count, error) {
	// Both halves are answered by indexes alone. What has ended has a final status.
	var w where
	w.add(endedByStatus)
	w.in("status", strs(slices.DeleteFunc(transfer.Statuses(), func(s transfer.Status) bool { return !s.Final() })))
	w.times("created_at", since, time.Time{})
	return list(ctx, s, `SELECT direction, status, place, count(*) FROM (
			SELECT direction, status, place FROM transfers WHERE `+openByStatus+`
			UNION ALL SELECT direction, status, place FROM transfers WHERE `+strings.Join(w.terms, " AND ")+`
		) AS counted GROUP BY direction, status, place ORDER BY direction, status, place`, w.args, func(c *Count) []column {
		return []column{{"direction", &c.Direction}, {"status", &c.Status}, {"place", &c.Place}, {"count", &c.Transfers}}
	})
}
