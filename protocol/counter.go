package protocol

import (
	"math"
	"strconv"

	"pabal/internal/fault"
)

// CounterSpec is a running number in a row. Each side counts what it sends
// itself, also what it sends again.
type CounterSpec struct {
	Of    string `yaml:"of"`    // telegrams (the default) or files
	In    string `yaml:"in"`    // session (the default), or file: begins anew with each
	First *int64 `yaml:"first"` // 0…; not said = 1
	Last  int64  `yaml:"last"`  // 0 = the greatest that the row can hold
	After string `yaml:"after"` // what follows the last: refuse (the default), or wrap: the first again
}

// Counts are how many telegrams and files this side has begun before the one
// in hand.
type Counts struct {
	Telegrams int64 // in the session
	InFile    int64 // telegrams since the file began; before the first file as Telegrams
	Files     int64 // in the session
}

// clock says which of the counts a counter shows.
type clock uint8

const (
	telegramClock clock = iota
	inFileClock
	fileClock
)

func (c *Counts) of(k clock) int64 {
	switch k {
	case inFileClock:
		return c.InFile
	case fileClock:
		return c.Files
	}
	return c.Telegrams
}

// SetCounts says what the counters of a telegram show.
func (t *Telegram) SetCounts(c Counts) { t.counts = c }

// counter is a compiled CounterSpec.
type counter struct {
	clock       clock
	first, last int64
	wraps       bool
}

// value is what a row of a telegram shows. CodeCounter says that there is no
// number left.
func (c *counter) value(counts *Counts, row string, kind Kind) (int64, error) {
	n := counts.of(c.clock)
	if span := c.last - c.first + 1; n >= span {
		if !c.wraps {
			return 0, fault.New(CodeCounter, row, "last", c.last, "kind", kind)
		}
		n %= span
	}
	return c.first + n, nil
}

// counter compiles the running number of a row.
func (c *compiler) counter(r row, p *place) *counter {
	s, path := r.Counter, r.path+".counter"
	of := c.word(path+".of", s.Of, "telegrams", "files")
	in := c.word(path+".in", s.In, "session", "file")
	out := &counter{first: 1, last: s.Last, wraps: c.word(path+".after", s.After, "refuse", "wrap") == "wrap"}
	switch {
	case of == "files" && in == "file":
		c.problem(path+".in", CodeProfileValue, in, fault.Say("counter_in_session"))
	case of == "files":
		out.clock = fileClock
	case in == "file":
		out.clock = inFileClock
	}
	if s.First != nil {
		out.first = *s.First
	}
	c.ownRow(r, p, "counter")
	if !p.right || p.span != fixedSpan {
		c.problem(r.path+".type", CodeProfileValue, r.Type, fault.Say("counter_row"))
		return out
	}
	most := p.num.most(p.width)
	if out.last == 0 {
		out.last = most
	}
	c.from(path+".first", out.first, 0, math.MaxInt32)
	if out.last <= out.first || out.last > most {
		c.problem(path+".last", CodeProfileValue, strconv.FormatInt(s.Last, 10),
			fault.Say("range", "low", out.first+1, "high", most))
	}
	return out
}

// ownRow holds that a row whose value is made has a name of the profile's own
// or none: where a field of ours is read it must be what was meant.
func (c *compiler) ownRow(r row, p *place, what string) {
	if p.field != noField && p.field < firstOwn {
		c.problem(r.path+"."+what, CodeProfileField, r.Field, fault.Say("own_row"))
	}
}
