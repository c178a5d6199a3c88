package protocol

import (
	"slices"

	"pabal/internal/fault"
	"pabal/transfer"
)

// compileProofs: a proof that the telegrams cannot give would never hold, and
// without the one that the peer gives nothing would be proven.
func (p *Profile) compileProofs(c *compiler, spec ProofsSpec) {
	list := func(way string, given []string, must string, known ...string) []string {
		path := "files.proofs." + way
		if len(given) == 0 {
			return known
		}
		for _, name := range given {
			c.one(path, name, known...)
		}
		if !slices.Contains(given, must) {
			c.problem(path, CodeProfileMissing, must, fault.Say("proof", "proof", must))
		}
		return given
	}
	receive := []string{transfer.ProofBlocks}
	if !p.Files.Numbering.None {
		receive = append(receive, transfer.ProofLastSequence)
	}
	if p.Carries(Info, Size) && !p.Files.NoSize {
		receive = append(receive, transfer.ProofDeclaredSize)
	}
	if p.Carries(End, Size) {
		receive = append(receive, transfer.ProofEndSize)
	}
	if p.Parts != nil {
		receive = append(receive, transfer.ProofTrailerTotals)
	}
	p.Files.ReceiveProofs = list("receive", spec.Receive, transfer.ProofBlocks, receive...)
	if p.Parts != nil && !slices.Contains(p.Files.ReceiveProofs, transfer.ProofTrailerTotals) {
		c.problem("files.proofs.receive", CodeProfileMissing, transfer.ProofTrailerTotals, fault.Say("proof_of_parts", "proof", transfer.ProofTrailerTotals))
	}
	if !p.Files.NoCheck {
		p.Files.SendProofs = list("send", spec.Send, transfer.ProofEndReply, transfer.ProofBlocks, transfer.ProofEndReply)
		return
	}
	// Nobody has said anything of the blocks: the size is what proves.
	p.Files.SendProofs = list("send", spec.Send, transfer.ProofEndReply, transfer.ProofEndReply)
	if r := p.Files.ReceiveProofs; !slices.Contains(r, transfer.ProofDeclaredSize) && !slices.Contains(r, transfer.ProofEndSize) {
		c.problem("files.proofs.receive", CodeProfileMissing, transfer.ProofDeclaredSize,
			fault.Say("proof_unchecked", "first", transfer.ProofDeclaredSize, "second", transfer.ProofEndSize))
	}
}
