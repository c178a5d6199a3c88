package instance

import (
	"slices"
	"strconv"

	"pabal/internal/fault"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Success has proofs (design D5). The profile lists which must hold; all that
// were compared are stored in the row, whether they hold or not.

// received compares what the peer claims of a file with what the rows hold. A
// claim that was not made, because nothing was announced, proves nothing and
// disproves nothing; it is left out.
func (s *session) received(t *transfer.Transfer, c machine.Claims, gap bool, blocks, sequences, size int64) []transfer.Proof {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var out []transfer.Proof
	for _, name := range s.profile.Files.ReceiveProofs {
		p := transfer.Proof{Name: name}
		switch name {
		case transfer.ProofBlocks:
			p.Expected, p.Actual = number(c.Blocks), number(blocks)
			if gap {
				p.Actual = transfer.WithGaps(p.Actual)
			}
		case transfer.ProofLastSequence:
			p.Expected, p.Actual = number(s.base+c.Sequences), number(sequences)
		case transfer.ProofDeclaredSize:
			p.Expected, p.Actual = number(c.Declared), number(size)
			if c.Declared < 0 {
				continue
			}
		case transfer.ProofTrailerTotals:
			continue // read from the payload, see trailerTotals
		case transfer.ProofEndSize:
			p.Expected, p.Actual = number(c.AtEnd), number(size)
			if c.AtEnd < 0 || c.AtEnd == 0 && c.Declared == size { // some leave it blank after announcing it
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// disproved is why what came is not the whole file, nil if it is.
func disproved(name string, proofs []transfer.Proof, wire, blocks int64) *fault.Error {
	for _, p := range proofs {
		switch {
		case p.Holds():
		case p.Name == transfer.ProofBlocks || p.Name == transfer.ProofLastSequence:
			return fault.New(CodeGap, name, "held", wire, "blocks", blocks)
		case p.Name == transfer.ProofTrailerTotals:
			return fault.New(CodeTrailerTotals, name, "trailer", transfer.Words(p.Expected), "held", transfer.Words(p.Actual))
		default:
			return fault.New(CodeWrongSize, name, "held", p.Actual, "declared", p.Expected)
		}
	}
	return nil
}

// sent is what proves that a file has arrived: what the session compared, and
// that it was of this content that the end was asked for.
func (s *session) sent(r *transfer.Transfer, o machine.Outcome) []transfer.Proof {
	return append(slices.Clone(o.Proofs), transfer.Proof{Name: transfer.ProofContent, Expected: r.EndedDigest, Actual: r.FileDigest})
}

// unproven is the first proof that does not hold or, unless an unknown end was
// settled by its rule, that the profile wants and nobody gave.
func (s *session) unproven(r *transfer.Transfer, proofs []transfer.Proof, settled bool) *fault.Error {
	given := map[string]bool{}
	for _, p := range proofs {
		if !p.Holds() {
			return fault.New(CodeUnproven, r.Name, "proof", p.Name, "expected", p.Expected, "actual", p.Actual)
		}
		given[p.Name] = true
	}
	for _, name := range s.profile.Files.SendProofs {
		if !given[name] && !settled {
			return fault.New(CodeUnproven, r.Name, "proof", name, "expected", "-", "actual", "-")
		}
	}
	return nil
}
