package protocol

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// Library holds profiles as they are written down, by name, so that one can
// extend another.
type Library struct {
	sources map[string]source
	names   NameCheck // nil = names are not checked
}

type source struct {
	file string
	text []byte
}

// NewLibrary has the profiles that come with the program.
func NewLibrary() *Library {
	l := &Library{sources: map[string]source{}}
	for _, name := range Embedded() {
		text, err := embedded.ReadFile("profiles/" + name + ".yaml")
		if err != nil {
			continue // Load says that there is none
		}
		l.sources[name] = source{name + ".yaml", text}
	}
	return l
}

// Names are those of all profiles, sorted.
func (l *Library) Names() []string { return slices.Sorted(maps.Keys(l.sources)) }

// Has reports whether there is a profile of this name.
func (l *Library) Has(name string) bool {
	_, ok := l.sources[name]
	return ok
}

// Add puts a profile in and returns its name. What is wrong with the profile
// is said by Load; here it must only be YAML and have a name. One that was
// there under that name is replaced.
func (l *Library) Add(file string, text []byte) (name string, err error) {
	root, err := document(file, text)
	if err != nil {
		return "", err
	}
	named, _ := child(root, "profile")
	if named == nil || named.Kind != yaml.ScalarNode || named.Value == "" {
		return "", fault.New(CodeProfileMissing, "profile", "file", file, "path", "profile", "line", root.Line, "expected", fault.Say("a_name"))
	}
	l.sources[named.Value] = source{file, text}
	return named.Value, nil
}

// Load compiles a profile. Every problem is a *fault.Error with file, path
// and line; in a profile that extends another the file may be that of the other.
func (l *Library) Load(name string) (*Profile, error) {
	src, ok := l.sources[name]
	if !ok {
		return nil, fault.New(CodeProfileUnknown, name, "known", strings.Join(l.Names(), ", "))
	}
	d := origins{}
	root, err := l.merged(name, nil, d)
	if err != nil {
		return nil, err
	}
	spec := Spec{root: root, origins: d, checkName: l.names}
	problems := unknownKeys(root, reflect.TypeFor[Spec](), "")
	if err := root.Decode(&spec); err != nil {
		return nil, errors.Join(joined(src.file, problems), syntax(src.file, err))
	}
	if len(problems) > 0 {
		return nil, joined(src.file, problems)
	}
	return Compile(src.file, &spec)
}

// origins are the files that nodes of a merged document come from.
type origins map[*yaml.Node]string

// merged is the profile with everything that it takes over from the one it
// extends. below are the names of those that extend it.
func (l *Library) merged(name string, below []string, from origins) (*yaml.Node, error) {
	src := l.sources[name]
	root, err := document(src.file, src.text)
	if err != nil {
		return nil, err
	}
	from.mark(root, src.file)
	parent, at := child(root, "extends")
	if parent == nil {
		return root, nil
	}
	below = append(below, name)
	bad := func(expected fault.Phrase) error {
		return fault.New(CodeProfileValue, parent.Value, "file", src.file, "path", "extends", "line", at, "expected", expected)
	}
	switch {
	case !l.Has(parent.Value):
		return nil, bad(fault.Say("one_of", "known", strings.Join(l.Names(), ", ")))
	case slices.Contains(below, parent.Value):
		return nil, bad(fault.Say("extends_itself", "chain", strings.Join(append(below, parent.Value), " → ")))
	}
	base, err := l.merged(parent.Value, below, from)
	if err != nil {
		return nil, err
	}
	for _, own := range []string{"certainty", "source", "notes"} { // said of the other document, not of this one
		remove(base, own)
	}
	m := merger{file: src.file, from: from}
	out := m.merge(base, root, "")
	if len(m.problems) > 0 {
		return nil, joined(src.file, m.problems)
	}
	return out, nil
}

func (o origins) mark(n *yaml.Node, file string) {
	o[n] = file
	for _, c := range n.Content {
		o.mark(c, file)
	}
}

// merger lays one document over another. Maps are merged key by key, and a
// key without a value takes the key away; everything else replaces what was
// there. A list of rows may be changed by a map from field names to what is
// different in their rows.
type merger struct {
	file     string
	from     origins
	problems []fault.Problem
}

func (m *merger) merge(base, over *yaml.Node, path string) *yaml.Node {
	switch {
	case over.Kind == yaml.MappingNode && base.Kind == yaml.MappingNode:
		return m.mergeMaps(base, over, path)
	case over.Kind == yaml.MappingNode && base.Kind == yaml.SequenceNode:
		return m.mergeRows(base, over, path)
	}
	return over
}

func (m *merger) mergeMaps(base, over *yaml.Node, path string) *yaml.Node {
	out := *over
	out.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		n := keyAt(out.Content, key.Value)
		switch {
		case value.Tag == "!!null" && n >= 0:
			out.Content = slices.Delete(out.Content, n, n+2)
		case value.Tag == "!!null":
		case n >= 0:
			out.Content[n], out.Content[n+1] = key, m.merge(out.Content[n+1], value, at)
		default:
			out.Content = append(out.Content, key, value)
		}
	}
	m.from[&out] = m.file
	return &out
}

// mergeRows changes rows by the names of their fields.
func (m *merger) mergeRows(base, over *yaml.Node, path string) *yaml.Node {
	out := *base
	out.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		n := slices.IndexFunc(out.Content, func(row *yaml.Node) bool {
			field, _ := child(row, "field")
			return field != nil && field.Value == key.Value
		})
		switch {
		case n < 0:
			at := path + "." + key.Value
			m.problems = append(m.problems, fault.Problem{Path: at, Err: fault.New(CodeProfileField, key.Value,
				"file", m.file, "path", at, "line", key.Line, "expected", fault.Say("extended_row"))})
		case value.Tag == "!!null":
			out.Content = slices.Delete(out.Content, n, n+1)
		default:
			out.Content[n] = m.merge(out.Content[n], value, path+"."+key.Value)
		}
	}
	m.from[&out] = m.from[base]
	return &out
}

// keyAt is where a key stands among the keys and values of a map, -1 if it
// does not.
func keyAt(content []*yaml.Node, key string) int {
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].Value == key {
			return i
		}
	}
	return -1
}

func remove(n *yaml.Node, key string) {
	if i := keyAt(n.Content, key); i >= 0 {
		n.Content = slices.Delete(n.Content, i, i+2)
	}
}

// document is the one mapping that a file holds.
func document(file string, text []byte) (*yaml.Node, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&root); err != nil {
		return nil, syntax(file, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fault.New(CodeProfileSyntax, file, "file", file, "path", "", "line", 1, "detail", fault.Say("one_document"))
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return nil, fault.New(CodeProfileSyntax, file, "file", file, "path", "", "line", 1, "detail", fault.Say("keys_and_values"))
	}
	return root.Content[0], nil
}

// Parse compiles one profile that may extend those that come with the program;
// file is its name for messages.
func Parse(file string, text []byte) (*Profile, error) {
	l := NewLibrary()
	name, err := l.Add(file, text)
	if err != nil {
		return nil, err
	}
	return l.Load(name)
}
