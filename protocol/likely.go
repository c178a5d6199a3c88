package protocol

import "strings"

// likely is the name that a mistyped one is most like: the same but for its
// case, or at most two letters away, of names that have room for such a mistake.
// "" if none is.
func likely(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		d := distance(strings.ToLower(name), k)
		if d < least && (d == 0 || 3*d <= len(k)+1) {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out, exchanged or
// swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	two := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		two, before, row = before, row, two
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(before[j]+cost, before[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
