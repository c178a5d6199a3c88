package instance

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
)

// troubles are the files that a stage could not write where they belong the
// last time it tried, although nothing else waits for them: the backup of a
// stored file, a refused file in error, a result file. Their rows say nothing
// of it, so it is told to other processes with the state of the lines. The
// zero value knows of none.
type troubles struct {
	mu    sync.Mutex
	of    map[string]map[string]troubled // by stage and transfer
	since map[string]map[string]time.Time
}

// troubled is one file, since when, and why it failed the last time.
type troubled struct {
	since time.Time
	why   *fault.Error
}

// mostTroubled is how many files of a stage and code are told by ID. All of
// them are counted.
const mostTroubled = 256

// tell replaces what is known of a stage, and returns which failures are new,
// to be logged: one file fails many times in a night for one reason.
func (k *troubles) tell(stage string, failed map[string]error, now time.Time) (fresh map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.of[stage]
	after := make(map[string]troubled, len(failed))
	fresh = map[string]bool{}
	for id, err := range failed {
		why := fault.As(err)
		if why == nil {
			why = fault.New(filemgr.CodeIO, id).Because(err)
		}
		was, known := before[id]
		if !known {
			was.since = now
			if since, told := k.since[stage][id]; told {
				was.since = since // by a former process
			}
		}
		fresh[id] = !known || was.why.Code != why.Code
		after[id] = troubled{was.since, why}
	}
	if k.of == nil {
		k.of = map[string]map[string]troubled{}
	}
	k.of[stage] = after
	return fresh
}

// remember takes over since when, from what a former process of this instance
// has told.
func (k *troubles) remember(told []store.Trouble) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.since = map[string]map[string]time.Time{}
	for _, t := range told {
		if k.since[t.Stage] == nil {
			k.since[t.Stage] = map[string]time.Time{}
		}
		for _, f := range t.Files {
			k.since[t.Stage][f.ID] = f.Since
			if one, known := k.of[t.Stage][f.ID]; known {
				one.since = f.Since
				k.of[t.Stage][f.ID] = one
			}
		}
	}
}

// list is what there is to tell, by stage and code, of each the oldest first.
func (k *troubles) list() (out []store.Trouble) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, stage := range slices.Sorted(maps.Keys(k.of)) {
		by := map[fault.Code]*store.Trouble{}
		for _, id := range slices.SortedFunc(maps.Keys(k.of[stage]), func(a, b string) int {
			return cmp.Or(k.of[stage][a].since.Compare(k.of[stage][b].since), cmp.Compare(a, b))
		}) {
			one := k.of[stage][id]
			t := by[one.why.Code]
			if t == nil {
				t = &store.Trouble{Stage: stage, Code: string(one.why.Code)}
				by[one.why.Code] = t
			}
			if t.Count++; len(t.Files) < mostTroubled {
				t.Files = append(t.Files, store.TroubledFile{ID: id, Since: one.since.UTC(), Detail: one.why.Detail()})
			}
		}
		for _, code := range slices.Sorted(maps.Keys(by)) {
			out = append(out, *by[code])
		}
	}
	return out
}
