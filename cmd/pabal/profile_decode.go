package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/sessionlog"
)

// mostCaptured is how much of a capture is read, in bytes.
const mostCaptured = 64 << 20

func newProfileDecode(a *app) *cobra.Command {
	var form string
	cmd := a.describe(&cobra.Command{
		Use: "decode PROFILE [FILE|-]", Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(_ *cobra.Command, args []string) error {
			from := "-"
			if len(args) == 2 {
				from = args[1]
			}
			return a.profileDecode(args[0], from, form)
		},
	}, "profile_decode")
	cmd.Flags().StringVar(&form, "form", "auto", a.text("ui.flag.form"))
	return cmd
}

// profileDecode turns captured bytes into named fields.
func (a *app) profileDecode(name, from, form string) error {
	p, err := a.profile(name)
	if err != nil {
		return err
	}
	text, err := a.captured(from)
	if err != nil {
		return err
	}
	return a.decode(p.AnyBusiness(), from, form, text) // institutions may have codes of their own
}

func (a *app) decode(p *protocol.Profile, from, form string, text []byte) (err error) {
	if form == "log" || form == "auto" && sessionlog.Is(text) {
		return a.decodeLog(p, from, text)
	}
	switch form {
	case "raw":
	case "hex":
		if text, err = unhex(text); err != nil {
			return fault.New(codeNotHex, from).Because(err)
		}
	case "auto":
		text = captureOf(p, text)
	default:
		return usageError{fault.New(codeFlagValue, "--form", "value", form)}
	}
	n := 0
	err = p.ExplainAll(bytes.NewReader(text), func(e protocol.Explained) error {
		if e.By != "" {
			return a.sayGreeting(e)
		}
		n++
		return a.sayExplained(n, e)
	})
	if err == nil && n == 0 {
		err = fault.New(codeNothingCaptured, from)
	}
	return err
}

// decodeLog explains the telegrams of a session log.
func (a *app) decodeLog(p *protocol.Profile, from string, text []byte) error {
	n := 0
	err := sessionlog.Read(bytes.NewReader(text), func(r *sessionlog.Record) error {
		e, _ := r.Explain(p)
		switch {
		case r.What == sessionlog.WhatData && a.json:
			return a.writeJSON(a.out, r)
		case r.What == sessionlog.WhatData:
			_, err := fmt.Fprintln(a.out, a.saidData(r))
			return err
		case r.What == sessionlog.WhatMore || e.Bytes == 0: // as of a capture: the telegram has been told
			return nil
		case e.By != "":
			return a.sayGreeting(e)
		}
		n++
		return a.sayExplained(n, e)
	})
	if err == nil && n == 0 {
		err = fault.New(codeNothingCaptured, from)
	}
	return err
}

func (a *app) captured(from string) ([]byte, error) {
	src := a.in
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return nil, fault.New(codeCannotRead, from).Because(err)
		}
		defer f.Close()
		src = f
	}
	text, err := io.ReadAll(io.LimitReader(src, mostCaptured))
	if err != nil {
		return nil, fault.New(codeCannotRead, from).Because(err)
	}
	return text, nil
}

// captureOf guesses how bytes were captured: as they are if they begin with a
// telegram or with what comes before the first, else as hex digits if they are nothing else, else one telegram per
// line, between bars if there are any.
func captureOf(p *protocol.Profile, text []byte) []byte {
	if p.Begins(text) {
		return text
	}
	if raw, err := unhex(text); err == nil {
		return raw
	}
	var out []byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if first, last := bytes.IndexByte(line, '|'), bytes.LastIndexByte(line, '|'); first < last {
			line = line[first+1 : last]
		}
		out = append(append(out, line...), p.Delimiter()...)
	}
	return out
}

// unhex reads hex digits; blanks, colons and line ends between them are as good
// as nothing.
func unhex(text []byte) ([]byte, error) {
	digits := strings.NewReplacer(" ", "", "\n", "", "\r", "", "\t", "", ":", "").Replace(string(text))
	return hex.DecodeString(digits)
}

// sayGreeting shows bytes before the first telegram.
func (a *app) sayGreeting(e protocol.Explained) error {
	row := e.Rows[0]
	if a.json {
		return a.writeJSON(a.out, struct {
			Kind   string `json:"kind"` // greeting, which no telegram is
			By     string `json:"by"`
			Bytes  int    `json:"bytes"`
			Value  string `json:"value"`
			Hidden bool   `json:"hidden,omitempty"`
		}{"greeting", e.By, e.Bytes, row.Value, row.Hidden})
	}
	_, err := fmt.Fprintln(a.out, a.greeting(e))
	return err
}

// greeting is the line of bytes before the first telegram.
func (a *app) greeting(e protocol.Explained) string {
	row := e.Rows[0]
	value := "|" + row.Value + "|"
	if row.Hidden {
		value = a.text("ui.profile.hidden", "bytes", row.Width)
	}
	return a.text("ui.profile.greeting", "by", e.By, "bytes", e.Bytes, "value", value)
}

func (a *app) sayExplained(n int, e protocol.Explained) error {
	if a.json {
		return a.explainedJSON(n, e)
	}
	fmt.Fprintln(a.out, a.text("ui.profile.telegram", "number", n, "kind", e.Kind, "title", e.Title, "bytes", e.Bytes))
	return a.explainedRows("  ", e)
}

// explainedRows are the rows of a telegram, and what is wrong with it.
func (a *app) explainedRows(indent string, e protocol.Explained) error {
	rows := make([][]string, len(e.Rows))
	for i, r := range e.Rows {
		value := "|" + r.Value + "|"
		if r.Hidden {
			value = a.text("ui.profile.hidden", "bytes", r.Width)
		}
		rows[i] = []string{strconv.Itoa(r.Offset), strconv.Itoa(r.Width), r.Field, r.Title, value}
	}
	if err := writeTable(a.out, indent, nil, rows); err != nil {
		return err
	}
	if e.Err != nil {
		sentence, _ := a.cat.Sentence(a.language(), e.Err)
		fmt.Fprintf(a.out, indent+"! %s [%s]\n", sentence, fault.CodeOf(e.Err))
	}
	return nil
}

func (a *app) explainedJSON(n int, e protocol.Explained) error {
	return a.writeJSON(a.out, a.explained(n, e))
}

// explained is a telegram for programs.
type explained struct {
	Number int              `json:"number,omitempty"`
	Sent   *bool            `json:"sent,omitempty"` // of a play: by the side that tells of it
	Kind   string           `json:"kind"`
	Title  string           `json:"title"`
	Bytes  int              `json:"bytes"`
	Fields []explainedField `json:"fields"`
	Error  *failure         `json:"error,omitempty"`
}

type explainedField struct {
	Field  string `json:"field,omitempty"`
	Title  string `json:"title"`
	Offset int    `json:"offset"`
	Bytes  int    `json:"bytes"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden,omitempty"`
}

func (a *app) explained(n int, e protocol.Explained) explained {
	out := explained{Number: n, Kind: e.Kind.String(), Title: e.Title, Bytes: e.Bytes, Fields: []explainedField{}}
	for _, r := range e.Rows {
		out.Fields = append(out.Fields, explainedField{r.Field, r.Title, r.Offset, r.Width, r.Value, r.Hidden})
	}
	if e.Err != nil {
		f := a.failure(e.Err)
		out.Error = &f
	}
	return out
}
