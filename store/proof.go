package store

import "pabal/transfer"

// proof is a row that a write changed: what it was and what it became. When
// the answer to a commit is lost, reading the row again tells which of the two
// it is (design D5). A write has one, because it is there whole or not at all.
type proof struct {
	before, after transfer.Transfer
}

// note keeps the first row that a transaction changes in more than the time
// of its update: two changes at one time could not be told apart by it.
func (t *tx) note(before, after *transfer.Transfer) {
	if t.proof != nil {
		return
	}
	p := &proof{*before, *after}
	p.before.UpdatedAt = p.after.UpdatedAt
	if p.before != p.after {
		t.proof = p
	}
}

// judge says what a row that is read again proves: written, not written, or
// neither, because somebody else has changed it since.
func (p *proof) judge(row transfer.Transfer) (written, known bool) {
	if row == p.after {
		return true, true
	}
	row.UpdatedAt = p.before.UpdatedAt
	return false, row == p.before
}
