package protocol

import (
	"fmt"
	"math"
	"strconv"

	"pabal/internal/fault"
	"pabal/transfer"
)

// Limits say which files the counterparty takes (protocols §4.12). They are
// held against a file before anybody is called.
type Limits struct {
	FirstData int    // least data bytes of a file's first data telegram, empty files apart; 0 = any
	NoEmpty   bool   // no files of 0 bytes
	Text      string // only text of this set, a word of TextSets; "" = any bytes
	Size      int64  // most bytes of a file; 0 = as many as can be said
	Full      bool   // every data telegram but the last has as many bytes as may be
}

// TextSets are the sets of characters that limits.text knows, each contained in
// the one after it.
func TextSets() []string { return []string{"ascii", "euc-kr", "cp949"} }

func (p *Profile) compileLimits(c *compiler, spec *Spec) {
	s := spec.Limits
	p.Limits = Limits{
		FirstData: s.FirstData, Text: s.Text, Size: s.Size, Full: s.Full,
		NoEmpty: c.word("limits.empty", s.Empty, "allow", "refuse") == "refuse",
	}
	if s.Text != "" {
		c.one("limits.text", s.Text, TextSets()...)
	}
	if most := p.MaxData(p.Files.MessageSize); s.FirstData < 0 || s.FirstData > max(0, most) {
		c.problem("limits.first_data", CodeProfileValue, strconv.Itoa(s.FirstData),
			fault.Say("data_room", "most", most))
	}
	c.from("limits.size", s.Size, 0, math.MaxInt64)
	if s.Full && p.Files.Packing == "one" {
		c.problem("limits.full", CodeProfileValue, "true", fault.Say("false_packing_one"))
	}
}

// compileNumbers holds that blocks and sequences can be numbered in the rows
// that telegrams have for them, and how many there can be.
func (p *Profile) compileNumbers(c *compiler) {
	n, f := &p.Files.Numbering, &p.Files
	p.mostSequences = f.MaxBlock * int64(f.PerBlock)
	for _, k := range []Kind{DataTelegram, Resend, Check, CheckReply} {
		if p.layouts[k] == nil {
			continue
		}
		for _, pl := range p.layouts[k].places {
			most := pl.num.most(pl.width)
			switch {
			case pl.made != nil:
			case pl.field == Block && n.FirstBlock+f.MaxBlock-1 > most:
				c.problem("files.max_block", CodeProfileValue, strconv.FormatInt(f.MaxBlock, 10),
					fault.Say("most_blocks", "most", most-n.FirstBlock+1, "kind", k))
			case pl.field == Sequence && n.FirstSequence+int64(f.PerBlock)-1 > most:
				c.problem("files.per_block", CodeProfileValue, strconv.Itoa(f.PerBlock),
					fault.Say("most_sequences", "most", min(most-n.FirstSequence+1, transfer.MaxPerBlock), "kind", k))
			case pl.field == Sequence && n.Running:
				p.mostSequences = min(p.mostSequences, most-n.FirstSequence+1)
			}
		}
	}
}

// limits are the rows of the page on what the counterparty takes.
func (w *page) limits() {
	l := &w.p.Limits
	if l.FirstData > 0 {
		w.row(w.say("least data in the first telegram", "첫 데이터 전문의 최소 데이터 길이"), l.FirstData)
	}
	if l.NoEmpty {
		w.row(w.say("empty files", "빈 파일"), w.say("not taken", "수신하지 않음"))
	}
	if l.Text != "" {
		w.row(w.say("content", "파일 내용"), fmt.Sprintf(w.say("only text (%s)", "텍스트만 가능(%s)"), l.Text))
	}
	if l.Full {
		w.row(w.say("data telegrams", "데이터 전문"), w.say("all full but the last", "마지막을 제외하고 모두 최대 길이"))
	}
}
