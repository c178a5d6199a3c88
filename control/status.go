package control

import (
	"context"
	"slices"
	"time"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Status is what runs, what is open with counterparties, and what waits.
type Status struct {
	Environment string `json:"environment,omitempty"` // filled in by who knows the configuration
	// Quarantine is why nothing moves, where the database is in quarantine.
	Quarantine *store.Quarantine `json:"quarantine,omitempty"`
	Instances  []Instance        `json:"instances"`
	Lines      []Line            `json:"lines"`     // sessions that are open now
	Transfers  []Count           `json:"transfers"` // open ones, and all of the business day

	Certificates []Certificate `json:"certificates,omitempty"` // of TLS, where it is used
	Refused      []Refused     `json:"refused,omitempty"`      // callers that were not let in
	Waiting      []Waiting     `json:"waiting,omitempty"`      // see Control.Waiting; filled in by who knows the configuration

	// Troubles are files that cannot be written beside their transfers.
	Troubles []Trouble `json:"troubles,omitempty"`

	// NotTaken are the latest files of the business day that counterparties
	// announced and that were refused.
	NotTaken []FileNotTaken `json:"not_taken,omitempty"`

	// Directories are those of the host that asks which are not there or nearly
	// full; filled in by who knows the configuration.
	Directories []Directory `json:"directories,omitempty"`
	// Untaken are files of its scan directory that lie there and are not taken;
	// nil if there are none. Filled in by who knows the configuration.
	Untaken *Untaken `json:"untaken,omitempty"`
}

// Untaken is what is known of files that nobody has taken.
type Untaken struct {
	Directory string    `json:"directory"`
	Files     int       `json:"files"`
	Oldest    string    `json:"oldest"` // name of the one that lies there longest
	Since     time.Time `json:"since"`  // and since when
}

// Directory is a directory in trouble. Free and Size are bytes of its file
// system, 0 where it is not there.
type Directory struct {
	Path    string  `json:"path"`
	Free    int64   `json:"free"`
	Size    int64   `json:"size"`
	Failure Failure `json:"error"`
}

// States of an instance.
const (
	InstanceRuns    = "runs"
	InstanceSilent  = "silent"  // it does not beat, and nobody has found it dead yet
	InstanceStopped = "stopped" // it ended its term itself
	InstanceDead    = "dead"    // another one found it dead and took its work over
)

// Instance is a running identity. Ages are by this host's clock against the
// other's, and for people only: nothing is decided by them (design D4).
type Instance struct {
	ID        string     `json:"id"`
	Place     string     `json:"place"`
	State     string     `json:"state"`
	StateText string     `json:"state_text"`
	Term      int64      `json:"term"`
	PID       int        `json:"pid"`
	Started   time.Time  `json:"started"`
	Lease     float64    `json:"lease_seconds"`
	Beat      time.Time  `json:"last_beat"`
	BeatAge   float64    `json:"beat_age_seconds"`
	Lines     int        `json:"lines"` // that it has in use
	Ended     *time.Time `json:"ended,omitempty"`
	EndedBy   string     `json:"ended_by,omitempty"`
}

// Line is a session that is open with a counterparty.
type Line struct {
	Institution string    `json:"institution"`
	Direction   string    `json:"direction"` // send, receive, both
	Session     string    `json:"session"`
	Instance    string    `json:"instance"`
	Since       time.Time `json:"since"`
}

// Count is how many transfers stand in a status.
type Count struct {
	Direction  string `json:"direction"`
	Status     string `json:"status"`
	StatusText string `json:"status_text"`
	Transfers  int64  `json:"transfers"`
	// WaitsForPlace is the host whose directories they need while none of its
	// instances runs.
	WaitsForPlace string `json:"waits_for_place,omitempty"`
}

// Status reads what is running. since is the beginning of the business day.
func (c *Control) Status(ctx context.Context, since time.Time) (*Status, error) {
	s := &Status{Instances: []Instance{}, Lines: []Line{}, Transfers: []Count{}}
	var err error
	if s.Quarantine, err = c.s.Quarantine(ctx); err != nil {
		return nil, err
	}
	lines, err := c.s.Lines(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]int{}
	for _, l := range lines {
		used[l.Owner]++
		s.Lines = append(s.Lines, Line{l.Institution, l.Direction, l.SessionID, l.Owner, l.TakenAt})
	}
	instances, err := c.s.Instances(ctx)
	if err != nil {
		return nil, err
	}
	now := c.now()
	for _, i := range instances {
		state := c.stateOf(i, now)
		s.Instances = append(s.Instances, Instance{
			ID: i.ID, Place: i.Host, State: state, StateText: c.cat.Text(c.lang, fault.Code("ui.instance."+state), nil), Term: i.Term, PID: i.PID,
			Started: i.Started, Lease: i.Lease.Seconds(), Beat: i.Beat, BeatAge: max(0, now.Sub(i.Beat)).Round(time.Millisecond).Seconds(),
			Lines: used[i.ID], Ended: at(i.Ended), EndedBy: i.EndedBy,
		})
		if err := c.lineState(ctx, s, i, state); err != nil {
			return nil, err
		}
	}
	if s.NotTaken, err = c.filesNotTaken(ctx, since); err != nil {
		return nil, err
	}
	counts, err := c.s.Counts(ctx, since)
	if err != nil {
		return nil, err
	}
	there := c.placesOf(instances, now)
	for _, n := range counts {
		one := Count{Direction: string(n.Direction), Status: string(n.Status), StatusText: c.cat.Status(c.lang, string(n.Status)),
			WaitsForPlace: there.wanted(&transfer.Transfer{Direction: n.Direction, Status: n.Status, Place: n.Place})}
		same := func(o Count) bool {
			o.Transfers = 0
			return o == one
		}
		if at := slices.IndexFunc(s.Transfers, same); at >= 0 {
			s.Transfers[at].Transfers += n.Transfers
			continue
		}
		one.Transfers = n.Transfers
		s.Transfers = append(s.Transfers, one)
	}
	return s, nil
}

// silence is when an instance that has not been found dead is shown as silent:
// at its own place after its lease, in which it beats eight times; elsewhere
// later, because the two clocks may differ.
func (c *Control) silence(i *store.Instance) time.Duration {
	if c.here != "" && i.Host == c.here {
		return i.Lease
	}
	return max(2*i.Lease, time.Minute)
}

func (c *Control) stateOf(i *store.Instance, now time.Time) string {
	switch {
	case !i.Ended.IsZero() && i.EndedBy == i.ID:
		return InstanceStopped
	case !i.Ended.IsZero():
		return InstanceDead
	case now.Sub(i.Beat) > c.silence(i):
		return InstanceSilent
	}
	return InstanceRuns
}

// places are those that have an instance that runs.
type places map[string]bool

func (c *Control) placesOf(instances []*store.Instance, now time.Time) places {
	p := places{}
	for _, i := range instances {
		if c.stateOf(i, now) == InstanceRuns {
			p[i.Host] = true
		}
	}
	return p
}

// wanted is the place that a transfer waits for, "" if for none: what is done
// with files is done where the files are.
func (p places) wanted(t *transfer.Transfer) string {
	if t.Place == "" || p[t.Place] {
		return ""
	}
	switch t.Status {
	case transfer.Storing, transfer.Received, transfer.Placing:
		return t.Place
	case transfer.Stored, transfer.Waiting, transfer.Unknown:
		if t.Direction == transfer.Receive || t.PayloadIn != "" {
			return t.Place
		}
	}
	return ""
}

// places reads which places are there.
func (c *Control) places(ctx context.Context) (places, error) {
	instances, err := c.s.Instances(ctx)
	return c.placesOf(instances, c.now()), err
}
