package transfer

import (
	"encoding/json"
	"strconv"
	"strings"

	"pabal/internal/fault"
)

// Names of proofs. A profile lists those that must hold for its files (design
// D5); the others stand in for them where an unknown end is settled.
const (
	ProofBlocks          = "blocks"           // every block of the file was checked and nothing of it is missing
	ProofLastSequence    = "last_sequence"    // receiving: as many sequences as the checks of all blocks named
	ProofDeclaredSize    = "declared_size"    // receiving: the size that was announced
	ProofEndSize         = "end_size"         // receiving: the size that the end request names
	ProofTrailerTotals   = "trailer_totals"   // receiving: the parts in their order, and the records and bytes that the trailer counts
	ProofContentChecks   = "content_checks"   // received: the checks of the registration; a person may take the file although they fail
	ProofEndReply        = "end_reply"        // sending: the response to the end request
	ProofContent         = "content"          // sending: SHA-256 of the file, committed with "ending" and as it was stored
	ProofAlreadyComplete = "already_complete" // sending: the peer holds it whole, after an end request of this content
	ProofInquiry         = "inquiry"          // sending: the size that the peer says it holds
	ProofPerson          = "person"           // sending: a person has settled it
)

// Proof is one thing that was compared before a file counted as arrived.
type Proof struct {
	Name     string `json:"proof"`
	Expected string `json:"expected"`
	Actual   string `json:"actual"`
}

// Holds reports that what was found is what should be.
func (p Proof) Holds() bool { return p.Expected == p.Actual }

// What rows keep for what was compared where that is more than a number. It is
// the same in every language; [Words] has it for people.
const (
	Passed    = "passed" // the checks of the registration
	inOrder   = "parts in order"
	records   = " records"
	bytes     = " bytes"
	gaps      = " with gaps"
	separator = ", "
)

// WithGaps is the number of blocks where something between them is missing.
func WithGaps(blocks string) string { return blocks + gaps }

// InOrder is what ProofTrailerTotals compares. A count below zero is none.
func InOrder(recordCount, byteCount int64) string {
	text := inOrder
	if recordCount >= 0 {
		text += separator + strconv.FormatInt(recordCount, 10) + records
	}
	if byteCount >= 0 {
		text += separator + strconv.FormatInt(byteCount, 10) + bytes
	}
	return text
}

// Words is what was compared as people read it: a Phrase, or the value as it is.
func Words(value string) any {
	if value == Passed {
		return fault.Say("checks_passed")
	}
	if blocks, ok := strings.CutSuffix(value, gaps); ok {
		return fault.Say("with_gaps", "blocks", blocks)
	}
	counts, ok := strings.CutPrefix(value, inOrder)
	if !ok {
		return value
	}
	counts = strings.TrimPrefix(counts, separator)
	first, second, both := strings.Cut(counts, separator)
	recordCount, hasRecords := strings.CutSuffix(first, records)
	byteCount, hasBytes := strings.CutSuffix(first, bytes)
	switch {
	case counts == "":
		return fault.Say("parts_in_order")
	case hasRecords && both:
		return fault.Say("parts_counted", "records", recordCount, "bytes", strings.TrimSuffix(second, bytes))
	case hasRecords:
		return fault.Say("parts_records", "records", recordCount)
	case hasBytes:
		return fault.Say("parts_bytes", "bytes", byteCount)
	}
	return value
}

// ProofsText is how a row keeps proofs: a JSON array, "" for none.
func ProofsText(proofs []Proof) string {
	if len(proofs) == 0 {
		return ""
	}
	b, _ := json.Marshal(proofs) // strings cannot fail
	return string(b)
}

// ProofsOf reads ProofsText. What cannot be read is no proof.
func ProofsOf(text string) []Proof {
	var proofs []Proof
	if json.Unmarshal([]byte(text), &proofs) != nil {
		return nil
	}
	return proofs
}
