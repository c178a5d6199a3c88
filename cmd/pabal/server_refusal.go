package main

import (
	"errors"

	"pabal/config"
	"pabal/control"
)

// What a server that runs has to say of a configuration that it does not use
// goes into its log, each mistake as a record of its own: who collects logs
// finds code, place, sentence and next step as in any other record.

// notRead says why the file was not read again.
func (s *server) notRead(err error) {
	f := s.a.failure(err)
	var problems config.Problems
	if errors.As(err, &problems) {
		f = s.a.badConfiguration(problems)
		for _, p := range f.Problems {
			s.mistake("mistake in the configuration", p)
		}
		s.log.Error("the configuration was not read again, the server goes on as before", "config", s.a.configPath, "code", f.Code, "problems", len(f.Problems))
		return
	}
	s.log.Error("the configuration was not read again, the server goes on as before", "config", s.a.configPath,
		"code", f.Code, "sentence", f.Sentence, "next", f.Next, "err", err)
}

// refusals says what each host has found in a proposal of this one.
func (s *server) refusals(v *control.Verdict) {
	for _, an := range v.Answers {
		for _, p := range an.Problems {
			s.mistake("a host refuses the configuration", s.a.problemLine(p, v.Number, nil), "refused_by", an.Host)
		}
	}
}

func (s *server) mistake(what string, p problemLine, more ...any) {
	s.log.Error(what, append(more, "file", p.File, "line", p.Line, "column", p.Column, "path", p.Path,
		"code", p.Code, "sentence", p.Sentence, "next", p.Next)...)
}
