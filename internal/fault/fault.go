// Package fault is the one error type that crosses package borders.
//
// An Error carries a stable code, the thing it is about and the values its
// sentence needs. The sentence itself, in Korean and English, with what to do
// next, stands in package catalog under the same code, so logs, rows, console
// and peer-independent metrics can all use the code while people read words.
// What the peer on the wire is told is never taken from here.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sort"
	"strings"
)

// Code names one kind of failure, for example "name.unknown_file_id". The part
// before the dot is the area. Codes are stable: operators search for them.
type Code string

// Args are the values that a sentence mentions, by placeholder name.
type Args map[string]string

// Error is a failure that a person will read about.
type Error struct {
	Code    Code
	Subject string // what it is about: a file name, a path, a field
	Args    Args
	Err     error // the cause, for logs; never shown to the peer
}

// New makes an Error. kv are placeholder names and values in turn; values are
// formatted with %v. A value of words is a Phrase.
func New(code Code, subject string, kv ...any) *Error {
	return &Error{Code: code, Subject: subject, Args: argsOf(kv)}
}

func argsOf(kv []any) Args {
	if len(kv) == 0 {
		return nil
	}
	args := make(Args, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		args.Put(fmt.Sprint(kv[i]), kv[i+1])
	}
	return args
}

// Put sets a value, formatted with %v. Of a Phrase the name gets the key, and
// each of its own values stands beside it under NAME.VALUENAME.
func (a Args) Put(name string, value any) {
	p, words := value.(Phrase)
	if !words {
		a[name] = fmt.Sprint(value)
		return
	}
	a[name] = p.key
	for own, v := range p.args {
		a[name+"."+own] = v
	}
}

// Phrases is what the keys of phrases begin with in the catalogue.
const Phrases = "phrase."

// Phrase is a value of a sentence that is words itself, such as what was
// expected. Package catalog has it in Korean and English too, in the file
// sentences/phrase.yaml. The zero value says nothing.
type Phrase struct {
	key  string
	args Args
}

// Say makes the phrase that the catalogue has under Phrases + key. kv are its
// placeholder names and values in turn, as in New. The key is written out where
// it is said, as a test looks there for phrases that the catalogue does not have.
func Say(key string, kv ...any) Phrase { return Phrase{key: Phrases + key, args: argsOf(kv)} }

// Said reports that there is a phrase.
func (p Phrase) Said() bool { return p.key != "" }

// Phrase is the value under a name, the zero value where it is no phrase.
func (a Args) Phrase(name string) Phrase {
	if !strings.HasPrefix(a[name], Phrases) {
		return Phrase{}
	}
	p := Phrase{key: a[name], args: Args{}}
	for k, v := range a {
		if own, mine := strings.CutPrefix(k, name+"."); mine {
			p.args[own] = v
		}
	}
	return p
}

// Err is the phrase as an error, for a function that can say no otherwise why it
// failed, such as one that an expression calls. WordsOf finds it.
func (p Phrase) Err() error { return phraseError{p} }

type phraseError struct{ Phrase }

// Error is the form for logs, as that of Error.
func (e phraseError) Error() string { return (&Error{Code: e.Key(), Args: e.args}).Error() }

// WordsOf is the phrase in err's chain, the zero value where there is none.
func WordsOf(err error) Phrase {
	var e phraseError
	errors.As(err, &e)
	return e.Phrase
}

// Key is the phrase's entry in the catalogue.
func (p Phrase) Key() Code { return Code(p.key) }

// Args are the values that the phrase mentions.
func (p Phrase) Args() Args { return p.args }

// Because returns a copy of e whose cause is err.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Telling returns a copy of e that has the values of why as well, for a sentence
// that gives why as its reason. Where both have a name, it is e's that counts.
func (e *Error) Telling(why *Error) *Error {
	c := *e
	c.Args = maps.Clone(why.Args)
	if c.Args == nil {
		c.Args = Args{}
	}
	maps.Copy(c.Args, e.Args)
	return &c
}

// ArgTransfer is the ID of the transfer whose row or history has the failure.
// Sentences mention it as {transfer}, so that the next step is a command as it is
// typed. Who reads the row gives it, see OfTransfer; the row need not repeat it.
const ArgTransfer = "transfer"

// ArgSession is, likewise, the ID of the session in which it happened: {session}.
const ArgSession = "session"

// OfTransfer returns a copy of e that knows of which transfer it is said; nil
// of nil.
func (e *Error) OfTransfer(id string) *Error {
	if e == nil {
		return nil
	}
	return e.with(ArgTransfer, id)
}

// InSession returns a copy of e that knows in which session it happened; e
// itself where that is not known, nil of nil.
func (e *Error) InSession(id string) *Error {
	if e == nil || id == "" {
		return e
	}
	return e.with(ArgSession, id)
}

func (e *Error) with(name, value string) *Error {
	c := *e
	if c.Args = maps.Clone(e.Args); c.Args == nil {
		c.Args = Args{}
	}
	c.Args[name] = value
	return &c
}

// Error is the form for logs: code, subject, values and cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Subject != "" {
		b.WriteString(" ")
		b.WriteString(e.Subject)
	}
	keys := make([]string, 0, len(e.Args))
	for k := range e.Args {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, " %s=%q", k, e.Args[k])
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, fault.New(code, "")) true for equal codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// As returns the outermost Error in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// CodeOf is the code of the outermost Error in err's chain, or "".
func CodeOf(err error) Code {
	if e := As(err); e != nil {
		return e.Code
	}
	return ""
}

// Detail is the subject and the values as a JSON object, the form in which rows
// of the database keep them beside the code (design D8). The cause is not in it.
func (e *Error) Detail() string {
	m := map[string]string{}
	for k, v := range e.Args {
		m[k] = v
	}
	if e.Subject != "" {
		m["subject"] = e.Subject
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "{}"
	}
	return string(b)
}

// Noted is the Error that a row keeps as code and Detail; nil for no code.
// A detail that cannot be read leaves the code.
func Noted(code, detail string) *Error {
	if code == "" {
		return nil
	}
	e := &Error{Code: Code(code)}
	if json.Unmarshal([]byte(detail), &e.Args) != nil || e.Args == nil {
		e.Args = Args{}
	}
	e.Subject = e.Args["subject"]
	delete(e.Args, "subject")
	return e
}

// Problem is a mistake in options or configuration: where it stands, as a
// path like files[2].wire_name, and what is wrong. Package config turns the
// path into file and line.
type Problem struct {
	Path string
	Err  *Error
}

func (p Problem) Error() string { return p.Path + ": " + p.Err.Error() }
