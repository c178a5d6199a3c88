package protocol

import (
	"slices"

	"pabal/internal/fault"
)

// Resuming is how the answer to an announcement says what the receiver holds
// of the file (§1.5).
type Resuming string

const (
	ResumeBytes Resuming = "bytes"      // so many bytes
	ResumeNext  Resuming = "next-block" // the block that it wants next
	ResumeLast  Resuming = "last-block" // the last block that it holds whole
	resumeNone  Resuming = "none"
)

// compileResume reads how a cut file goes on.
func (p *Profile) compileResume(c *compiler, f FilesSpec) {
	words := []string{string(ResumeBytes), string(ResumeNext), string(ResumeLast), string(resumeNone)}
	p.Files.ResumeBy = Resuming(c.one("files.resume", f.Resume, words...))
	p.Files.Resume = p.Files.ResumeBy != resumeNone
	switch p.Files.ResumeBy {
	case ResumeBytes:
		if !p.Carries(InfoReply, p.HeldRow()) {
			c.problem("files.resume", CodeProfileMissing, "held", fault.Say("held_row"))
		}
	case ResumeNext, ResumeLast:
		switch {
		case p.Files.Stream:
			c.problem("files.resume", CodeProfileValue, f.Resume, fault.Say("resume_of_stream", "known", string(ResumeBytes)+", "+string(resumeNone)))
		case !p.Carries(InfoReply, Block):
			c.problem("files.resume", CodeProfileMissing, "block", fault.Say("info_block"))
		case p.Files.ResumeBy == ResumeLast && p.Files.Numbering.FirstBlock == 0:
			c.problem("files.resume", CodeProfileValue, f.Resume, fault.Say("resume_from_zero", "word", ResumeNext))
		}
	}
}

// sizeHeld reports that the row size of the answer to an announcement says what
// is held, and not how long the file is.
func (s *Spec) sizeHeld() bool {
	has := func(r FieldSpec) bool { return r.Field == fieldNames()[Held] }
	return s.Files.Resume == string(ResumeBytes) && !slices.ContainsFunc(s.Bodies[s.Telegrams[InfoReply.String()].Body], has)
}

// SayHeld has the answer to an announcement say what is held: so many bytes,
// which reach into block next, from 1.
func (p *Profile) SayHeld(t *Telegram, held, next int64) {
	switch p.Files.ResumeBy {
	case ResumeBytes:
		t.SetNumber(p.HeldRow(), held)
	case ResumeNext:
		t.SetNumber(Block, max(1, next)-1+p.Files.Numbering.FirstBlock)
	case ResumeLast:
		t.SetNumber(Block, max(1, next)-2+p.Files.Numbering.FirstBlock)
	}
}

// HeldRow is the row of the answer to an announcement that says how many bytes
// are held: Held, or Size in a document that has one row for both sizes.
func (p *Profile) HeldRow() Field {
	if p.Carries(InfoReply, Held) {
		return Held
	}
	return Size
}

// NextBlock is the block that an answer to an announcement wants next, from 1.
// A zero, which some write where nothing is held, is the first.
func (p *Profile) NextBlock(t *Telegram) int64 {
	next := t.Number(Block) - p.Files.Numbering.FirstBlock + 1
	if p.Files.ResumeBy == ResumeLast {
		next++
	}
	return max(1, next)
}
