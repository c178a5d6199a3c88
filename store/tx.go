package store

import (
	"context"
	"slices"
	"strings"

	"pabal/transfer"
)

// dialect is what a transaction must say in one engine and not in the other.
// It is empty for SQLite, where whoever writes is alone.
type dialect struct {
	// lockRow and skipLocked end a SELECT of rows that are written next, so
	// that they stay as they were read.
	lockRow, skipLocked string
	// shareRow is the same for a row that must only stay as it is.
	shareRow string
	// returning ends an INSERT whose ids are wanted, where the answer to it
	// does not tell them.
	returning string
	// shareTerm and takeTerm wait, given the key of an instance, until nobody
	// has the other of the two in a transaction, see holdTerm.
	shareTerm, takeTerm string
}

// tx is one transaction of a write. Its statements do not end with the
// caller's context: once a write has begun only its outcome counts.
type tx struct {
	statements *statements     // of SQLite
	pipe       *pipeline       // of PostgreSQL
	limit      context.Context // nil is no limit
	dialect    dialect
	again      bool // an earlier run may have been committed after all
	shared     bool // with other writes, whose events are written with ours
	wrote      bool // something may have been changed
	proof      *proof
	work       bool   // rows that a stage can claim were made
	term       string // the owner whose term is held, see holdTerm
	written    []Written
	events     []*transfer.Event // of a shared one: still to be written
}

// result are rows that are read one after the other. Whoever asked for them
// closes them before he asks for anything else.
type result interface {
	Next() bool
	Scan(...any) error
	Err() error
	Close() error
}

func (t *tx) context() context.Context {
	if t.limit == nil {
		return context.Background()
	}
	return t.limit
}

// exec returns how many rows were changed.
func (t *tx) exec(text string, args ...any) (n int64, err error) {
	err = t.execThen(func(changed int64) error { n = changed; return nil }, text, args...)
	if err == nil {
		err = t.settled()
	}
	return n, err
}

// later is exec for a statement of which only the failure is of interest. On
// PostgreSQL it travels with the next one that is waited for, so a failure
// comes from that one.
func (t *tx) later(text string, args ...any) error { return t.execThen(nil, text, args...) }

// execThen is later with something to do when it is known how many rows were
// changed. What then returns ends the write.
func (t *tx) execThen(then func(int64) error, text string, args ...any) error {
	if t.pipe != nil {
		return t.pipe.exec(then, text, args)
	}
	r, err := t.statements.exec(t.context(), text, args...)
	if err != nil {
		t.wrote = true
		return err
	}
	n, err := r.RowsAffected()
	t.wrote = t.wrote || n > 0
	if err == nil && then != nil {
		err = then(n)
	}
	return err
}

// settled waits for everything that was asked for and not yet answered. An
// error is that of the first that failed.
func (t *tx) settled() error {
	if t.pipe == nil {
		return nil
	}
	return t.pipe.flush()
}

// insert writes rows whose id the database gives, and hands the ids to got in
// the order of the rows: each is greater than the one before it. It may do so
// as late as with the commit, and got must not fail.
func (t *tx) insert(got func(ids []int64), text string, args ...any) error {
	t.wrote = true
	if t.pipe != nil {
		return t.pipe.insert(func(ids []int64) { slices.Sort(ids); got(ids) }, text+t.dialect.returning, args)
	}
	// Who writes is alone, so they follow one another.
	r, err := t.statements.exec(t.context(), text, args...)
	if err != nil {
		return err
	}
	last, err := r.LastInsertId()
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	var ids []int64
	for id := last - n + 1; id <= last; id++ {
		ids = append(ids, id)
	}
	got(ids)
	return err
}

func (t *tx) query(text string, args ...any) (result, error) {
	t.wrote = t.wrote || !strings.HasPrefix(text, "SELECT")
	if t.pipe != nil {
		return t.pipe.query(text, args)
	}
	return t.statements.query(t.context(), text, args...) //nolint:rowserrcheck // who reads the result asks it
}

// scan reports whether there was a row.
func (t *tx) scan(dest []any, text string, args ...any) (found bool, err error) {
	err = t.scanThen(dest, func(there bool) error { found = there; return nil }, text, args...)
	if err == nil {
		err = t.settled()
	}
	return found, err
}

// scanThen is to scan what execThen is to exec.
func (t *tx) scanThen(dest []any, then func(found bool) error, text string, args ...any) error {
	t.wrote = t.wrote || !strings.HasPrefix(text, "SELECT")
	if t.pipe != nil {
		return t.pipe.scan(dest, then, text, args)
	}
	found, err := scanOne(t.statements, t.context(), dest, text, args...)
	if err == nil {
		err = then(found)
	}
	return err
}
