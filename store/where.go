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
	}
	if !until.IsZero() {
		w.add(column + " < " + w.arg(toMicros(until)))
	}
}

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
	if limit > 0 {
		b.WriteString(" LIMIT ")
		b.WriteString(strconv.Itoa(limit))
	}
	return b.String()
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
