package store

import (
	"strconv"
	"strings"
	"time"
)

// where puts a condition together. Values become arguments, never text.
type where struct {
	terms []string
	args  []any
}

// arg adds an argument and returns its placeholder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *where) add(term string) { w.terms = append(w.terms, term) }

// equal restricts a column unless the value is empty.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column + " = " + w.arg(value))
	}
}

// in restricts a column to some values unless there are none.
func (w *where) in(column string, values []string) {
	if len(values) == 0 {
		return
	}
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = w.arg(v)
	}
	w.add(column + " IN (" + strings.Join(places, ", ") + ")")
}

// times restricts a column of microseconds to since ≤ t < until.
func (w *where) times(column string, since, until time.Time) {
	if !since.IsZero() {
		w.add(column + " >= " + w.arg(toMicros(since)))
		if until.IsZero() {
			w.add(column + atAll)
		}
	}
	if !until.IsZero() {
		w.add(column + " < " + w.arg(toMicros(until)))
	}
}

// atAll is true of every time, and said where a range would have no end:
// PostgreSQL, planning for any value, expects a third of a table in an open range and
// reads all of it. In a range with two ends it expects few rows.
const atAll = " <= 9223372036854775807"

func (w *where) query(from, order string, limit int) string {
	var b strings.Builder
	b.WriteString(from)
	if len(w.terms) > 0 {
		b.WriteString(" WHERE ")
		b.WriteString(strings.Join(w.terms, " AND "))
	}
	if order != "" {
		b.WriteString(" ORDER BY ")
		b.WriteString(order)
	}
	b.WriteString(limited(limit))
	return b.String()
}

// limited ends a query that returns at most so many rows; 0 is no limit.
func limited(limit int) string {
	if limit <= 0 {
		return ""
	}
	return " LIMIT " + strconv.Itoa(limit)
}

func strs[S ~string](values []S) []string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = string(v)
	}
	return s
}

// fewLengths repeats the last of some values until there are 1, 2, 4, 8 … of
// them: lists of many lengths make few texts, which are prepared once.
func fewLengths(values []string) []string {
	out := values
	for len(out) > 0 && len(out)&(len(out)-1) != 0 {
		out = append(out[:len(out):len(out)], values[len(values)-1])
	}
	return out
}
