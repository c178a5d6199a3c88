package store

import (
	"context"
	"time"

	"pabal/transfer"
)

// EventRefused is the kind of an event about a file that a counterparty
// announced and was refused. There is no transfer of it.
const EventRefused = "refused"

// refusals finds these events. That they are of no transfer names the index
// (events_transfer), in which they stand together however many others there are.
const refusals = "transfer_id = '' AND kind = '" + EventRefused + "'"

// Refusals reads the files that were refused in some sessions, in the order in
// which they were announced.
func (s *Store) Refusals(ctx context.Context, sessions []string) ([]*transfer.Event, error) {
	if len(sessions) == 0 {
		return nil, nil
	}
	w := where{terms: []string{refusals}}
	w.in("session_id", sessions)
	return list(ctx, s, w.query("SELECT "+eventList+" FROM events", "id", 0), w.args, eventColumns)
}

// RefusalsSince reads the latest files that were refused since a time, at most so
// many, the last one first.
func (s *Store) RefusalsSince(ctx context.Context, since time.Time, most int) ([]*transfer.Event, error) {
	w := where{terms: []string{refusals}}
	w.times("at", since, time.Time{})
	return list(ctx, s, w.query("SELECT "+eventList+" FROM events", byID(true), most), w.args, eventColumns)
}
