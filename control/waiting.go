package control

import (
	"context"
	"slices"
	"strings"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// Waiting is what nobody does because an instance does not run: what is done
// with files is done where the files are (design D4).
type Waiting struct {
	Stage string `json:"stage"` // see below
	Place string `json:"place"` // "" where the instance has never run
	// Instances are those that could do it: of the scan directory the one that
	// is named for it, else all that have run at the place.
	Instances []string `json:"instances"`
	// Transfers is how many wait, at most waitingMost; 0 of the scan directory, of
	// whose files nothing is known before somebody looks.
	Transfers int    `json:"transfers"`
	Text      string `json:"text"`
}

// What may wait for a place.
const (
	WaitingScan     = "scan"     // the scan directory, and refused files on their way to error
	WaitingStore    = "store"    // files that are to be checked and cut
	WaitingBackup   = "backup"   // … backed up
	WaitingSend     = "send"     // … sent, whose content is in files there
	WaitingAssemble = "assemble" // received files that are to be placed
	WaitingResult   = "result"   // result files, and notes of where refused files stand
)

// waitingMost is up to where those that wait are counted.
const waitingMost = 1000

// Waiting reads what waits for a place of which no instance runs. scanner is
// the instance that looks into the scan directory.
func (c *Control) Waiting(ctx context.Context, scanner string) ([]Waiting, error) {
	instances, err := c.s.Instances(ctx)
	if err != nil {
		return nil, err
	}
	now := c.now()
	there := c.placesOf(instances, now)
	var out []Waiting
	add := func(stage, place string, n int, ids ...string) {
		if n > 0 || stage == WaitingScan {
			out = append(out, Waiting{stage, place, ids, n, c.cat.Text(c.lang, fault.Code("ui.waiting."+stage),
				fault.Args{"place": dashed(place), "instance": strings.Join(ids, ", ")})})
		}
	}
	at := map[string][]string{} // the instances of the places of which none runs
	var places []string
	scans := slices.IndexFunc(instances, func(i *store.Instance) bool { return i.ID == scanner })
	switch {
	case scanner == "":
	case scans < 0:
		add(WaitingScan, "", 0, scanner)
	case c.stateOf(instances[scans], now) != InstanceRuns:
		add(WaitingScan, instances[scans].Host, 0, scanner)
	}
	for _, i := range instances {
		if i.Host == "" || there[i.Host] {
			continue
		}
		if at[i.Host] == nil {
			places = append(places, i.Host)
		}
		at[i.Host] = append(at[i.Host], i.ID)
	}
	for _, place := range places {
		open := store.Filter{Place: place, Limit: waitingMost, Statuses: []transfer.Status{transfer.Storing, transfer.Stored, transfer.Unknown,
			transfer.Waiting, transfer.Received, transfer.Placing}}
		rows, err := c.s.List(ctx, open)
		if err != nil {
			return nil, err
		}
		stages := map[string]int{}
		for _, t := range rows {
			switch {
			case there.wanted(t) == "":
			case t.Direction == transfer.Receive:
				stages[WaitingAssemble]++
			case t.Status == transfer.Storing:
				stages[WaitingStore]++
			default:
				stages[WaitingSend]++
			}
		}
		todo, err := c.s.NotBackedUp(ctx, place, waitingMost)
		if err != nil {
			return nil, err
		}
		due, err := c.s.Due(ctx, place, waitingMost)
		if err != nil {
			return nil, err
		}
		stages[WaitingBackup], stages[WaitingResult] = len(todo), len(due)
		for _, stage := range []string{WaitingStore, WaitingBackup, WaitingSend, WaitingAssemble, WaitingResult} {
			add(stage, place, stages[stage], at[place]...)
		}
	}
	return out, nil
}

func dashed(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
