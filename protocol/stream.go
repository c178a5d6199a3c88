package protocol

import (
	"math"
	"strconv"

	"pabal/internal/fault"
)

// Where a profile has no blocks (`blocks: none`) a file travels as one stream
// of data telegrams that nobody checks. They may be numbered through the whole
// file, or not at all; then the order in which they come is their number, as a
// connection keeps it. What proves is the size. We go on cutting the stream
// into blocks of our own: so much is made durable at once, and no buffer ever
// holds more.

// streamUnit is how many telegrams are made durable at once where the profile
// does not say.
const streamUnit = 100

// compileStream reads `blocks` and gives what a stream needs not say.
func (p *Profile) compileStream(c *compiler, f *FilesSpec) {
	p.Files.Stream = c.word("files.blocks", f.Blocks, "numbered", "none") == "none"
	if !p.Files.Stream {
		return
	}
	none := fault.Say("nothing_in_stream")
	for _, said := range []struct {
		key, value string
		is         bool
	}{
		{"check", f.Check, f.Check != "" && f.Check != "none"},
		{"map", f.Map, f.Map != ""},
		{"map_width", strconv.Itoa(f.MapWidth), f.MapWidth != 0},
		{"resend", f.Resend, f.Resend != ""},
		{"empty_check", "true", f.EmptyCheck},
		{"first_block", "", f.FirstBlock != nil},
		{"sequences", f.Sequences, f.Sequences == "restart"},
	} {
		if said.is {
			c.problem("files."+said.key, CodeProfileValue, said.value, none)
		}
	}
	for _, k := range []Kind{Check, CheckReply, Resend} {
		if l := p.layouts[k]; l != nil && l.kind == k {
			c.problem("telegrams."+k.String(), CodeProfileValue, k.String(), none)
		}
	}
	if p.Carries(DataTelegram, Block) {
		c.problem("telegrams.data", CodeProfileField, "block", fault.Say("no_block_row"))
	}
	f.Check, f.FirstBlock = "none", nil
	if f.PerBlock == 0 {
		f.PerBlock = streamUnit
	}
	if f.MaxBlock == 0 {
		f.MaxBlock = math.MaxInt32
	}
	if f.Rounds == 0 {
		f.Rounds = 1
	}
	if f.Sequences = ""; p.Carries(DataTelegram, Sequence) {
		f.Sequences = "running"
	}
	p.Files.PerBlock, p.Files.MaxBlock, p.Files.Rounds = f.PerBlock, f.MaxBlock, f.Rounds
	p.Files.Numbering.None = f.Sequences == ""
}
