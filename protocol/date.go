package protocol

import (
	"strconv"
	"strings"
	"time"
)

// Moments and dates are kept in one form, yyyyMMddHHmmss, of which a date is
// the beginning. A row picks from it what the document writes.
const canonicalTime = "yyyyMMddHHmmss"

// Stamp is a moment as the machines keep it, in now's zone.
func Stamp(now time.Time) []byte {
	return now.AppendFormat(make([]byte, 0, len(canonicalTime)), "20060102150405")
}

// picks are byte ranges of the canonical form.
type picks [][2]int

// FullDate makes YYYYMMDD of a date as telegrams have it: YYYYMMDD, YYMMDD in
// the century of near, or MMDD in the year that brings it nearest to near.
// Anything that is no date becomes "".
func FullDate(text string, near time.Time) string {
	const layout = "20060102"
	switch len(text) {
	case 4:
		return nearest(text, near)
	case 6:
		text = near.Format("2006")[:2] + text
	}
	if _, err := time.Parse(layout, text); err != nil {
		return ""
	}
	return text
}

// nearest is the MMDD closest to near, so that the last days of a year are
// those of the year before when they are spoken of in January.
func nearest(monthDay string, near time.Time) (full string) {
	least := time.Duration(-1)
	for _, year := range []int{near.Year(), near.Year() - 1, near.Year() + 1} {
		d, err := time.ParseInLocation("20060102", strconv.Itoa(year)+monthDay, near.Location())
		if away := d.Sub(near).Abs(); err == nil && (least < 0 || away < least) {
			full, least = d.Format("20060102"), away
		}
	}
	return full
}

// parsePattern reads a document's pattern, made of yyyy, yy, MM, dd, HH, mm
// and ss.
func parsePattern(pattern string) (picks, bool) {
	tokens := []struct {
		word string
		pick [2]int
	}{
		{"yyyy", [2]int{0, 4}}, {"yy", [2]int{2, 4}}, {"MM", [2]int{4, 6}}, {"dd", [2]int{6, 8}},
		{"HH", [2]int{8, 10}}, {"mm", [2]int{10, 12}}, {"ss", [2]int{12, 14}},
	}
	var out picks
next:
	for pattern != "" {
		for _, t := range tokens {
			if rest, ok := strings.CutPrefix(pattern, t.word); ok {
				out, pattern = append(out, t.pick), rest
				continue next
			}
		}
		return nil, false
	}
	return out, len(out) > 0
}

// most is how long the canonical form must be for the picks.
func (p picks) most() int {
	n := 0
	for _, pick := range p {
		n = max(n, pick[1])
	}
	return n
}

// of takes the picks out of a moment or date; anything shorter is left as it is.
func (p picks) of(v []byte) []byte {
	if len(p) == 0 || len(v) < p.most() {
		return v
	}
	out := make([]byte, 0, len(canonicalTime))
	for _, pick := range p {
		out = append(out, v[pick[0]:pick[1]]...)
	}
	return out
}
