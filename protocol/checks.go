package protocol

import "pabal/internal/fault"

// compileChecks reads how blocks are numbered, checked and made whole.
func (p *Profile) compileChecks(c *compiler, f FilesSpec) {
	p.Files.NoCheck = c.word("files.check", f.Check, "block", "none") == "none"
	p.Files.MapNumbers = c.word("files.map", f.Map, "marks", "numbers") == "numbers"
	p.Files.Resend = Resending(c.word("files.resend", f.Resend, string(ResendBatch), string(ResendRest), string(ResendEach)))
	p.Files.NoSize = c.word("files.announce_size", f.Announced, "full", "zeros") == "zeros"
	p.Files.Numbering = Numbering{
		FirstBlock: c.first("files.first_block", f.FirstBlock), FirstSequence: c.first("files.first_sequence", f.FirstSeq),
		Running: c.word("files.sequences", f.Sequences, "restart", "running") == "running",
		None:    p.Files.Numbering.None,
	}
	has := func(k Kind) bool { return p.layouts[k] != nil }
	switch {
	case p.Files.NoCheck && (has(Check) || has(CheckReply)):
		c.problem("files.check", CodeProfileValue, f.Check, fault.Say("check_or_none"))
	case p.Files.NoCheck && f.EmptyCheck:
		c.problem("files.empty_check", CodeProfileValue, "true", fault.Say("false_unchecked"))
	case p.Files.Numbering.FirstSequence == 0 && f.EmptyCheck:
		c.problem("files.empty_check", CodeProfileValue, "true", fault.Say("false_from_zero"))
	}
	if p.Files.MapNumbers && has(CheckReply) && (f.MapWidth != 0 || p.mapSpan() != toEnd) {
		c.problem("files.map", CodeProfileValue, f.Map, fault.Say("marks_or_last_row"))
	}
	for _, k := range []Kind{DataTelegram, Check, CheckReply} {
		if l := p.layouts[k]; l != nil && !l.has(Block) && !p.Files.Numbering.Running && !p.Files.Stream {
			c.problem("telegrams."+k.String(), CodeProfileMissing, "block", fault.Say("block_row_or_running"))
		}
	}
}

// first is the number that counting begins with.
func (c *compiler) first(path string, given *int64) int64 {
	if given == nil {
		return 1
	}
	c.from(path, *given, 0, 1)
	return *given
}

// mapSpan is the width of the map's row.
func (p *Profile) mapSpan() span {
	for _, pl := range p.layouts[CheckReply].places {
		if pl.field == Map {
			return pl.span
		}
	}
	return fixedSpan
}

// word is one of those allowed, the first where nothing is said.
func (c *compiler) word(path, v string, allowed ...string) string {
	if v == "" {
		return allowed[0]
	}
	return c.one(path, v, allowed...)
}
