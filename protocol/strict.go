package protocol

import (
	"reflect"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
	"pabal/internal/strictyaml"
)

// unknownKeys lists the keys of n that the type they are read into does not
// have, each with path and line.
func unknownKeys(n *yaml.Node, t reflect.Type, path string) []fault.Problem {
	var out []fault.Problem
	for _, k := range strictyaml.Unknown(n, t, path) {
		out = append(out, fault.Problem{Path: k.Path, Err: fault.New(CodeProfileSyntax, k.Name,
			"file", "", "path", k.Path, "line", k.Line, "detail", fault.Say("unknown_key", "key", k.Path))})
	}
	return out
}

// lineOf is the node that path names, or the nearest around it that the
// document has, and its line; nil and 0 without a document.
func lineOf(root *yaml.Node, path string) (n *yaml.Node, line int) {
	return strictyaml.Find(root, path)
}

func child(n *yaml.Node, step string) (next *yaml.Node, line int) { return strictyaml.Child(n, step) }
