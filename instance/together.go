package instance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pabal/store"
	"pabal/transfer"
)

// Stages take many files at once and bring all of them as far as one commit
// or one sync of a directory can: what costs most is then paid once for all.
// Each file keeps its own outcome.
const (
	claimAtOnce = 32
	// workAtOnce is how many files of a batch are cut or built at the same
	// time: more would only take memory, and the processor from the sessions.
	workAtOnce = 4
	// assembleGathers is how long a file that came whole waits for others: they
	// are built, placed and noted together, with three commits and two syncs of
	// directories for all of them. The counterparty waits for none of it.
	assembleGathers = 20 * time.Millisecond
)

// batches divides transfers, in their order, so that the sizes in a batch add
// up to at most batchBytes; a larger one is alone. So a batch is one
// transaction of bounded size, and small files wait for no large one in theirs.
// No batch has two of one name: which of them gets it is then decided as if
// there were no batches.
func batches(all []*transfer.Transfer, size func(*transfer.Transfer) int64) [][]*transfer.Transfer {
	var out [][]*transfer.Transfer
	var sum int64
	for _, t := range all {
		n, last := size(t), len(out)-1
		if last < 0 || sum+n > batchBytes || slices.ContainsFunc(out[last], func(o *transfer.Transfer) bool { return o.Name == t.Name }) {
			out, sum = append(out, nil), 0
			last++
		}
		out[last], sum = append(out[last], t), sum+n
	}
	return out
}

// step claims transfers and has work take them further, a batch at a time, so
// that small files share transactions. work puts into errs what is to be settled
// with each. It reports whether there were any.
func (i *Instance) step(ctx context.Context, q store.ClaimQuery, size func(*transfer.Transfer) int64,
	work func(ctx context.Context, some []*transfer.Transfer, errs []error),
) (bool, error) {
	q.Owner, q.Term, q.Place, q.Limit = i.o.ID, i.term, i.o.Place, claimAtOnce
	claimed, err := i.claim(ctx, q)
	if err != nil || len(claimed) == 0 {
		return false, err
	}
	for _, some := range batches(claimed, size) {
		errs := make([]error, len(some))
		if err != nil { // the store is away, as a rule: the rest is given back
			for n := range errs {
				errs[n] = err
			}
		} else {
			work(ctx, some, errs)
		}
		err = errors.Join(err, i.settledAll(ctx, some, errs))
	}
	return true, err
}

// each runs f for every index, a few at a time, and returns when all are done.
func each(n int, f func(int)) {
	var all sync.WaitGroup
	free := make(chan struct{}, workAtOnce)
	for k := range n {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			f(k)
		})
	}
	all.Wait()
}

// commit writes what became of a batch in one transaction; edits has nil for
// those that have nothing to write. errs gets what is wrong with each.
func (i *Instance) commit(ctx context.Context, edits []*store.Edit, errs []error) {
	due := slices.DeleteFunc(slices.Clone(edits), func(e *store.Edit) bool { return e == nil })
	if len(due) == 0 {
		return
	}
	err := i.s.ChangeAll(ctx, i.now(), due)
	for n, e := range edits {
		if e != nil {
			errs[n] = or(err, e.Err)
		}
	}
}

// change writes one transfer that we hold and know as it was last written; t
// is then as it was written now.
func (i *Instance) change(ctx context.Context, t *transfer.Transfer, f func(*transfer.Transfer) error, blocks ...transfer.Block) error {
	e := &store.Edit{Row: t, F: f, Also: store.Also{Blocks: blocks}}
	err := i.s.ChangeAll(ctx, i.now(), []*store.Edit{e})
	return or(err, e.Err)
}

// settledAll gives up those of a batch whose work failed for a reason that is
// not theirs; errs has one for each, or nil.
func (i *Instance) settledAll(ctx context.Context, batch []*transfer.Transfer, errs []error) error {
	for n, t := range batch {
		errs[n] = i.settled(ctx, t, errs[n])
	}
	return errors.Join(errs...)
}
