package main

import (
	"strings"

	"pabal/internal/catalog"
)

// sentences is what explain needs of the catalogue.
type sentences interface {
	Explain(lang catalog.Lang, err error) string
}

func bothLanguages() []catalog.Lang { return []catalog.Lang{catalog.KO, catalog.EN} }

// languageFlag finds --lang before the command line is parsed, because the
// help texts are made before that.
func languageFlag(args []string) string {
	for n, arg := range args {
		if arg == "--" {
			break
		}
		if v, ok := strings.CutPrefix(arg, "--lang="); ok {
			return v
		}
		if arg == "--lang" && n+1 < len(args) {
			return args[n+1]
		}
	}
	return ""
}

// given finds a flag without a value before the command line is parsed.
func given(args []string, flag string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		if arg == flag {
			return true
		}
	}
	return false
}
