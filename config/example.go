package config

import _ "embed"

//go:embed example_en.yaml
var exampleEN string

//go:embed example_ko.yaml
var exampleKO string

// Example is the commented configuration that pabal init writes; lang is "ko"
// or "en" and chooses the language of the comments only.
func Example(lang string) string {
	if lang == "ko" {
		return exampleKO
	}
	return exampleEN
}
