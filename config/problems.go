package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pabal/internal/fault"
)

// Problem is a fault.Problem with its place in the file. Line and Column count
// from 1; the column counts characters.
type Problem struct {
	fault.Problem
	File   string
	Line   int
	Column int
}

// Unwrap gives the fault, so that errors.Is and the catalogue find it.
func (p Problem) Unwrap() error { return p.Err }

func (p Problem) Error() string {
	path := p.Path
	if path != "" {
		path += ": "
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", p.File, p.Line, p.Column, path, p.Err)
}

// Problems is every mistake of a configuration, in the order of the file.
type Problems []Problem

// Error has one problem per line, with codes as in logs.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Render has one problem per line in the words that say gives, for people:
// file:line:column: path: sentence next step.
func (p Problems) Render(say func(error) (sentence, next string)) string {
	lines := make([]string, len(p))
	for i, one := range p {
		sentence, next := say(one.Err)
		path := one.Path
		if path != "" {
			path += ": "
		}
		lines[i] = strings.TrimRight(fmt.Sprintf("%s:%d:%d: %s%s %s", one.File, one.Line, one.Column, path, sentence, next), " ")
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives every problem to errors.Is and errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, one := range p {
		errs[i] = one
	}
	return errs
}

// asError sorts the problems and gives nil when there are none.
func (p Problems) asError() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}

// place is a position in the file.
type place struct{ line, column int }

// index knows where each path of the configuration stands.
type index struct {
	file       string   // the host's
	sharedFile string   // … and that of the shared part, which may be the same
	sharedKeys []string // keys at the top that stand there
	places     map[string]place
	moved      map[string]string // paths whose value stands elsewhere
}

// locate gives the place of the path, or of the nearest thing around it that is
// written in the file.
func (x index) locate(path string) place {
	path = x.written(path)
	for path != "" {
		if at, ok := x.places[path]; ok {
			return at
		}
		path = parent(path)
	}
	return place{1, 1}
}

// parent of files[2].record is files[2], and of that files.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// Locate says where a path such as files[2].wire_name stands. What is not
// written in the file is located at what surrounds it. Line and column count
// from 1. Of the shared part the file is the document.
func (c *Config) Locate(path string) (file string, line, column int) {
	at := c.index.locate(path)
	return c.index.fileOf(path), at.line, at.column
}

// Report turns the problems that another package found in its options into an
// error of type Problems; nil if there are none. Their paths are those of the file.
func (c *Config) Report(found []fault.Problem) error {
	var p Problems
	for _, one := range found {
		file, line, column := c.Locate(one.Path)
		p = append(p, Problem{Problem: one, File: file, Line: line, Column: column})
	}
	return p.asError()
}

// near finds the known word that a misspelt one probably means, or "".
func near(word string, known []string) string {
	best, distance := "", max(1, len([]rune(word))/3)+1
	for _, k := range known {
		if d := edits(plain(word), plain(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// plain is how words are compared: wire-name, Wire_Name and wirename are one.
func plain(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// edits is the Levenshtein distance, with a swap of neighbours as one edit.
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}
