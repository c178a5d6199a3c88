package protocol

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// unknownKeys lists the keys of n that the type they are read into does not
// have, each with path and line. yaml.v3 refuses unknown keys only in the
// outermost decoder, and forgets it inside UnmarshalYAML.
func unknownKeys(n *yaml.Node, t reflect.Type, path string) []fault.Problem {
	switch n.Kind {
	case yaml.SequenceNode:
		if t.Kind() != reflect.Slice {
			return nil // the decoder says that this is no list
		}
		var out []fault.Problem
		for i, item := range n.Content {
			out = append(out, unknownKeys(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return out
	case yaml.MappingNode:
		return unknownInMapping(n, t, path)
	}
	return nil
}

func unknownInMapping(n *yaml.Node, t reflect.Type, path string) []fault.Problem {
	var out []fault.Problem
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		switch t.Kind() {
		case reflect.Map:
			out = append(out, unknownKeys(value, t.Elem(), at)...)
		case reflect.Struct:
			known := keysOf(t)
			f, ok := known[key.Value]
			if !ok {
				out = append(out, fault.Problem{Path: at, Err: fault.New(CodeProfileSyntax, key.Value,
					"file", "", "path", at, "line", key.Line, "detail", "unknown key")})
				continue
			}
			out = append(out, unknownKeys(value, f, at)...)
		}
	}
	return out
}

func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if tag := f.Tag.Get("yaml"); tag != "" && tag != "-" {
			keys[tag] = f.Type
		}
	}
	return keys
}

// lineOf is the node that path names, or the nearest around it that the
// document has, and its line; nil and 0 without a document.
func lineOf(root *yaml.Node, path string) (n *yaml.Node, line int) {
	if root == nil {
		return nil, 0
	}
	n, line = root, root.Line
	for _, step := range steps(path) {
		next, at := child(n, step)
		if next == nil {
			break
		}
		n, line = next, at
	}
	return n, line
}

func steps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

func child(n *yaml.Node, step string) (next *yaml.Node, line int) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i].Line
		}
	}
	return nil, 0
}
