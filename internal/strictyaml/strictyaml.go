// Package strictyaml finds in a YAML document what its decoder passes over or
// forgets: keys that nobody reads, and the lines on which things stand.
package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Key is a key that the type which a document is read into does not have.
type Key struct {
	Name string
	Path string // where it stands, as in files[2].name
	Line int
}

// Unknown lists the keys of n that t does not have. yaml.v3 refuses unknown
// keys only in the outermost decoder, and forgets it inside UnmarshalYAML. A
// field without a tag, or with "-", has no key.
func Unknown(n *yaml.Node, t reflect.Type, path string) []Key {
	return types{}.unknown(n, t, path)
}

// types are the keys of those that were seen: most documents have many rows of
// few types.
type types map[reflect.Type]map[string]reflect.Type

func (seen types) unknown(n *yaml.Node, t reflect.Type, path string) []Key {
	switch {
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		var out []Key
		for i, item := range n.Content {
			out = append(out, seen.unknown(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return out
	case n.Kind == yaml.MappingNode:
		return seen.inMapping(n, t, path)
	}
	return nil // of another kind: the decoder says so
}

func (seen types) inMapping(n *yaml.Node, t reflect.Type, path string) []Key {
	var out []Key
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		switch t.Kind() {
		case reflect.Map:
			out = append(out, seen.unknown(value, t.Elem(), at)...)
		case reflect.Struct:
			if seen[t] == nil {
				seen[t] = Keys(t)
			}
			f, ok := seen[t][key.Value]
			if !ok {
				out = append(out, Key{key.Value, at, key.Line})
				continue
			}
			out = append(out, seen.unknown(value, f, at)...)
		}
	}
	return out
}

// Keys are the keys of a struct, with the types of their values.
func Keys(t reflect.Type) map[string]reflect.Type {
	keys := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if tag := f.Tag.Get("yaml"); tag != "" && tag != "-" {
			keys[tag] = f.Type
		}
	}
	return keys
}

// Find is the node that path names, or the nearest around it that the document
// has, and its line; nil and 0 without a document.
func Find(root *yaml.Node, path string) (n *yaml.Node, line int) {
	if root == nil {
		return nil, 0
	}
	n, line = root, root.Line
	for _, step := range steps(path) {
		next, at := Child(n, step)
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

// Child is the value of a key, or the item of a number, and the line of the
// key or item; nil where there is none.
func Child(n *yaml.Node, step string) (next *yaml.Node, line int) {
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
