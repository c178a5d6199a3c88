package simulator

import (
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
)

// Faults are what a counterparty does wrong. The zero value does nothing wrong.
// The package comment has the grammar that ParseFaults reads.
type Faults struct {
	Lose, Duplicate, Reorder Pick

	Seed uint64

	Delay     time.Duration
	DelayKind protocol.Kind // NoKind = every telegram

	Split int           // most bytes of one write, 0 = whole
	Drip  time.Duration // pause after each

	Cut, Silence, Garbage []Point

	Length []Point // telegrams of ours that are a byte shorter than they say

	Answers []Answer // answers of ours that are not what the Peer means

	Never    []string // wire names of files whose checks never come out clean
	NeverAll bool

	SizeBy int64 // added to declared sizes
}

// Pick chooses data telegrams: by place, each once, or a share of them all.
type Pick struct {
	Places []Place
	Share  float64 // 0…1
}

// Place is the place of a data telegram in its file.
type Place struct {
	Block    int64
	Sequence int
}

// Point is a moment in a conversation: before or after the N-th telegram of a
// kind or direction, counted from 1 over all sessions.
type Point struct {
	Kind     protocol.Kind // NoKind = by direction
	Received bool          // of those that the Peer receives, else sends
	After    bool
	N        int   // … of those about the block, where there is one
	Block    int64 // 0 = whatever it is about
}

// Answer changes what a Peer answers. Of those that fit a telegram the first
// that is not used up counts.
type Answer struct {
	Kind  protocol.Kind // of the answer; EndReply means EndMoreReply too
	Name  string        // about this file only, by its name on the wire; "" = any
	Block int64         // about this block only; 0 = any
	From  int           // the first of those that is changed, from 1; 0 = 1
	Times int           // how many are; 0 = all from there on

	Response string        // code in place of the right one; "" = the right one
	Delay    time.Duration // it comes so much later
	Silent   bool          // it does not come
	Map      MapAnswer     // of a check's answer
	Missing  []int         // with MapListed: these sequences are said to be missing
	SizeBy   int64         // added to the size that it says
}

// MapAnswer is how the answer to a check is wrong.
type MapAnswer uint8

const (
	MapRight  MapAnswer = iota
	MapHeld             // nothing is said to be missing
	MapNone             // everything is
	MapListed           // what Answer.Missing lists is
)

// ParseFaults reads the text of faults. An error, CodeFaults, says which part
// is wrong and what is expected there.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return Faults{}, badFault(part, fault.Say("key_value"))
		}
		if expected := f.set(strings.TrimSpace(key), strings.TrimSpace(value)); expected.Said() {
			return Faults{}, badFault(part, expected)
		}
	}
	f.finish()
	return f, nil
}

func badFault(part string, expected fault.Phrase) error {
	return fault.New(CodeFaults, part, "expected", expected)
}

// Set reads one fault by its key, as the package comment lists them. An error,
// CodeFaults, says what is expected.
func (f *Faults) Set(key, value string) error {
	if expected := f.set(key, value); expected.Said() {
		return badFault(key+"="+value, expected)
	}
	f.finish()
	return nil
}

// finish: what drips goes byte by byte unless something else is said.
func (f *Faults) finish() {
	if f.Drip > 0 && f.Split == 0 {
		f.Split = 1
	}
}

// set reads one part and returns what was expected in its place, nothing if it is right.
func (f *Faults) set(key, value string) (expected fault.Phrase) {
	var ok bool
	switch key {
	case "lose":
		f.Lose, ok = parsePick(value)
		expected = fault.Say("a_pick")
	case "duplicate":
		f.Duplicate, ok = parsePick(value)
		expected = fault.Say("a_pick")
	case "reorder":
		f.Reorder, ok = parsePick(value)
		expected = fault.Say("a_pick")
	case "seed":
		var err error
		f.Seed, err = strconv.ParseUint(value, 10, 64)
		ok, expected = err == nil, fault.Say("a_number")
	case "delay":
		ok, expected = f.parseDelay(value), fault.Say("a_delay")
	case "split":
		var err error
		f.Split, err = strconv.Atoi(value)
		ok, expected = err == nil && f.Split > 0, fault.Say("number_of_bytes")
	case "drip":
		ok, expected = f.parseDrip(value), fault.Say("a_drip")
	case "cut":
		f.Cut, ok = parsePoints(value)
		expected = pointForm()
	case "silence":
		f.Silence, ok = parsePoints(value)
		expected = pointForm()
	case "garbage":
		f.Garbage, ok = parsePoints(value)
		expected = pointForm()
	case "length":
		f.Length, ok = parsePoints(value)
		expected = pointForm()
	case "never":
		f.Never, f.NeverAll = nil, value == "all"
		if !f.NeverAll {
			f.Never = strings.Split(value, ",")
		}
		ok, expected = value != "", fault.Say("name_or_all")
	case "size":
		var err error
		f.SizeBy, err = strconv.ParseInt(value, 10, 64)
		ok, expected = err == nil && f.SizeBy != 0, fault.Say("size_difference")
	default:
		expected = fault.Say("one_of", "known", "lose, duplicate, reorder, seed, delay, split, drip, cut, silence, garbage, length, never, size")
	}
	if ok {
		return fault.Phrase{}
	}
	return expected
}

func parsePick(value string) (Pick, bool) {
	if share, ok := strings.CutSuffix(value, "%"); ok {
		n, err := strconv.ParseFloat(share, 64)
		return Pick{Share: n / 100}, err == nil && n > 0 && n <= 100
	}
	var p Pick
	for one := range strings.SplitSeq(value, ",") {
		block, seq, ok := strings.Cut(strings.TrimSpace(one), ":")
		b, err := strconv.ParseInt(block, 10, 64)
		s, err2 := strconv.Atoi(seq)
		if !ok || err != nil || err2 != nil || b < 1 || s < 1 {
			return Pick{}, false
		}
		p.Places = append(p.Places, Place{b, s})
	}
	return p, true
}

func (f *Faults) parseDelay(value string) bool {
	f.DelayKind = protocol.NoKind
	if kind, rest, ok := strings.Cut(value, ":"); ok {
		if f.DelayKind = kindNamed(kind); f.DelayKind == protocol.NoKind {
			return false
		}
		value = rest
	}
	d, err := time.ParseDuration(value)
	f.Delay = d
	return err == nil && d > 0
}

func (f *Faults) parseDrip(value string) bool {
	size, every, ok := strings.Cut(value, "/")
	n, err := strconv.Atoi(size)
	d, err2 := time.ParseDuration(every)
	f.Split, f.Drip = n, d
	return ok && err == nil && err2 == nil && n > 0 && d > 0
}

func kindNamed(name string) protocol.Kind {
	for _, k := range protocol.Kinds() {
		if k.String() == name {
			return k
		}
	}
	return protocol.NoKind
}

// KindNamed is the kind of telegram of this name in profiles; false if none is.
func KindNamed(name string) (protocol.Kind, bool) {
	k := kindNamed(name)
	return k, k != protocol.NoKind
}

func parsePoints(value string) ([]Point, bool) {
	var out []Point
	for one := range strings.SplitSeq(value, ",") {
		what, count, ok := strings.Cut(strings.TrimSpace(one), ":")
		p := Point{N: 1}
		if ok {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 {
				return nil, false
			}
			p.N = n
		}
		if kind, block, ok := strings.Cut(what, "@"); ok {
			n, err := strconv.ParseInt(block, 10, 64)
			if err != nil || n < 1 {
				return nil, false
			}
			what, p.Block = kind, n
		}
		what, p.After = strings.CutPrefix(what, "after-")
		switch what {
		case "sent":
		case "received":
			p.Received = true
		default:
			if p.Kind = kindNamed(what); p.Kind == protocol.NoKind {
				return nil, false
			}
		}
		out = append(out, p)
	}
	return out, true
}

func pointForm() fault.Phrase {
	names := make([]string, 0, len(protocol.Kinds()))
	for _, k := range protocol.Kinds() {
		names = append(names, k.String())
	}
	return fault.Say("a_point", "kinds", strings.Join(names, ", "))
}
