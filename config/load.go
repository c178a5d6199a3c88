package config

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
	"pabal/internal/strictyaml"
)

// Load reads and checks the file. lookupEnv serves ${env:NAME}; pass
// os.LookupEnv. With nil, secrets from the environment and from files are not
// looked up and stay empty: an operator who lists transfers has no business
// with the passwords of the server, and often cannot read them. A bad configuration is an error of type Problems that has every
// mistake with its line.
func Load(path string, lookupEnv func(string) (string, bool)) (*Config, error) {
	return load(path, lookupEnv, "")
}

// LoadForContent is Load for commands that show stored content: of the secrets
// it looks up those of the database alone.
func LoadForContent(path string, lookupEnv func(string) (string, bool)) (*Config, error) {
	return load(path, lookupEnv, "database.")
}

func load(path string, lookupEnv func(string) (string, bool), only string) (*Config, error) {
	f, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	f.only = only
	return f.Config(lookupEnv)
}

// whole is a problem of the file rather than of one value.
func whole(file string, line int, f *fault.Error) Problems {
	return Problems{{Problem: fault.Problem{Err: f}, File: file, Line: line, Column: 1}}
}

// parse is Load for a text.
func parse(text []byte, file, dir string, lookupEnv func(string) (string, bool)) (*Config, error) {
	f, err := split(text, file, dir)
	if err != nil {
		return nil, err
	}
	return f.Config(lookupEnv)
}

func wantUTF8(text []byte, file string) error {
	if utf8.Valid(text) {
		return nil
	}
	line := 1
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		rest = rest[n:]
	}
	return whole(file, line, fault.New(CodeNotUTF8, file))
}

// build proves the host's part of f together with a shared part, or alone
// where that is nil.
func build(f *Source, shared *yaml.Node, sharedFile string, lookupEnv func(string) (string, bool)) (*Config, error) {
	c := &Config{complete: shared != nil, secrets: lookupEnv != nil && f.only == "", index: index{file: f.path, sharedFile: sharedFile, places: map[string]place{}, moved: map[string]string{}}}
	for key, part := range keyParts() {
		if part == partShared {
			c.index.sharedKeys = append(c.index.sharedKeys, key)
		}
	}
	root := f.host
	d := &decoder{dir: f.dir, lookupEnv: lookupEnv, only: f.only, fromShared: map[*yaml.Node]bool{}}
	if shared != nil {
		root = emptyLike(f.host)
		root.Content = append(append(root.Content, f.host.Content...), shared.Content...)
		for _, n := range shared.Content {
			d.fromShared[n] = true
		}
	}
	d.index = c.index
	if d.decode(root, reflect.ValueOf(c).Elem(), ""); root.Kind != yaml.MappingNode {
		return nil, d.problems
	}
	v := &validator{c: c, problems: d.problems, bad: map[string]bool{}, broken: map[string]bool{}}
	for _, p := range d.problems {
		v.bad[p.Path] = true
	}
	for _, path := range d.broken {
		v.broken[path] = true
	}
	for _, path := range d.meant {
		v.bad[path] = true // it is not missing, only misspelt
	}
	v.resolve(f.dir)
	v.check()
	v.literals(d.literals)
	if err := v.problems.asError(); err != nil {
		return nil, err
	}
	return c, nil
}

// document reads the one document of the file.
func document(text []byte, file string) (*yaml.Node, error) {
	var doc, another yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && doc.Content[0].Tag == "!!null" {
		return nil, whole(file, 1, fault.New(CodeEmpty, file))
	}
	if err != nil {
		return nil, notYAML(file, err)
	}
	switch err := dec.Decode(&another); {
	case err == nil:
		return nil, whole(file, another.Line, fault.New(CodeSeveralDocuments, file))
	case !errors.Is(err, io.EOF):
		return nil, notYAML(file, err)
	}
	return doc.Content[0], nil
}

func notYAML(file string, err error) Problems {
	t := strictyaml.Troubles(err)[0] // of a document that is no YAML there is one
	return whole(file, t.Line, fault.New(CodeNotYAML, file, "reason", t.What).Because(err))
}
