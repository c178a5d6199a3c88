package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pabal/config"
	"pabal/internal/fault"
)

// failure is an error for programs (--json).
type failure struct {
	Code     string        `json:"code"`
	Sentence string        `json:"sentence"`
	Next     string        `json:"next,omitempty"`
	Subject  string        `json:"subject,omitempty"`
	Args     fault.Args    `json:"args,omitempty"`
	Cause    string        `json:"cause,omitempty"`
	Problems []problemLine `json:"problems,omitempty"`
}

// problemLine is one mistake of a configuration, a profile or a scenario.
type problemLine struct {
	File     string     `json:"file"`
	Line     int        `json:"line"`
	Column   int        `json:"column,omitempty"`
	Path     string     `json:"path,omitempty"`
	Code     string     `json:"code"`
	Sentence string     `json:"sentence"`
	Next     string     `json:"next,omitempty"`
	Args     fault.Args `json:"args,omitempty"`
}

// report writes an error to the error stream: what is wrong, what to do next,
// and the code to search for. With --json it is one object.
func (a *app) report(err error) {
	var problems config.Problems
	configured := errors.As(err, &problems)
	a.quiet = false // this is the other stream
	a.enterFile(a.err)
	if a.json {
		f := a.failure(err)
		if configured {
			f = a.badConfiguration(problems)
		}
		_ = a.writeJSON(a.err, struct {
			Error failure `json:"error"`
		}{f})
		return
	}
	if configured {
		for _, p := range a.badConfiguration(problems).Problems {
			at := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
			if p.Path != "" {
				at += p.Path + ": "
			}
			fmt.Fprintf(a.err, "%s%s [%s]\n", at, p.Sentence, p.Code)
			a.next(p.Next)
		}
		fmt.Fprintln(a.err, "pabal: "+a.text("ui.problems", "count", len(problems)))
		return
	}
	f := a.failure(err)
	if len(f.Problems) > 0 {
		a.sayMistakes(f.Problems)
		return
	}
	fmt.Fprintf(a.err, "pabal: %s [%s]\n", f.Sentence, f.Code)
	if f.Cause != "" {
		fmt.Fprintln(a.err, a.text("ui.cause", "cause", a.worded(f.Cause, fault.As(err).Err)))
	}
	a.next(f.Next)
}

func (a *app) next(next string) {
	if next != "" {
		fmt.Fprintln(a.err, a.text("ui.next", "next", next))
	}
}

func (a *app) failure(err error) failure {
	f := failure{Code: "internal"}
	f.Sentence, f.Next = a.cat.Sentence(a.language(), err)
	if e := fault.As(err); e != nil {
		f.Code, f.Subject, f.Args = string(e.Code), e.Subject, e.Args
		f.Cause = cause(e)
	}
	f.Problems = a.mistakes(err)
	return f
}

// mistakes are all those that a file has, such as a profile, where err tells of
// several: they are put right in one go.
func (a *app) mistakes(err error) []problemLine {
	var out []problemLine
	var look func(error) bool
	look = func(err error) bool {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			return !slices.ContainsFunc(many.Unwrap(), func(one error) bool { return !look(one) })
		}
		e := fault.As(err)
		if e == nil || e.Args["file"] == "" || e.Args["line"] == "" {
			return false
		}
		line, _ := strconv.Atoi(e.Args["line"])
		sentence, next := a.cat.Sentence(a.language(), e)
		out = append(out, problemLine{File: e.Args["file"], Line: line, Path: e.Args["path"], Code: string(e.Code), Sentence: sentence, Next: next, Args: e.Args})
		return true
	}
	if !look(err) || len(out) < 2 {
		return nil
	}
	return out
}

// sayMistakes has what to do next once behind those that it is the same for.
func (a *app) sayMistakes(all []problemLine) {
	for i, p := range all {
		fmt.Fprintf(a.err, "%s [%s]\n", p.Sentence, p.Code)
		if i+1 == len(all) || all[i+1].Next != p.Next {
			a.next(p.Next)
		}
	}
	fmt.Fprintln(a.err, "pabal: "+a.text("ui.problems", "count", len(all)))
}

// cause is what the operating system said, for example "address already in
// use". What is itself a fault has been said by its sentence.
func cause(e *fault.Error) string {
	if e.Err == nil || fault.As(e.Err) != nil {
		return ""
	}
	text := strings.TrimSpace(e.Err.Error())
	for _, v := range e.Args {
		if v == text {
			return ""
		}
	}
	return text
}

// worded has words of the language before a cause that does not say them itself.
func (a *app) worded(cause string, err error) string {
	p, usual := fault.Reason(err).(fault.Phrase)
	if !usual {
		return cause
	}
	words := a.text(p.Key())
	if strings.Contains(cause, words) {
		return cause
	}
	return words + " (" + cause + ")"
}

func (a *app) badConfiguration(problems config.Problems) failure {
	f := failure{Code: "config", Sentence: a.text("ui.problems", "count", len(problems))}
	for _, p := range problems {
		sentence, next := a.cat.Sentence(a.language(), p.Err)
		f.Problems = append(f.Problems, problemLine{
			File: p.File, Line: p.Line, Column: p.Column, Path: p.Path,
			Code: string(p.Err.Code), Sentence: sentence, Next: next,
		})
	}
	return f
}

// writeJSON writes one object on one line, with the environment.
func (a *app) writeJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(a.withEnvironment(b.Bytes()))
	return err
}

// explain is an error for files that people find without the program: code,
// sentence and next step in both languages.
func explain(cat sentences) func(error) string {
	return func(err error) string {
		var b strings.Builder
		if code := fault.CodeOf(err); code != "" {
			fmt.Fprintf(&b, "[%s]\n", code)
		}
		for _, lang := range bothLanguages() {
			b.WriteString("\n" + cat.Explain(lang, err) + "\n")
		}
		return b.String()
	}
}
