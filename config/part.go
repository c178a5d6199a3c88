package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// A configuration has two parts (design D10). What belongs to one host (its
// directories, its database, its secrets) stays in the host's file. What all
// hosts share is a document that is kept in the database, version by version.
// A file of a single host may hold both. The tag "part" of Config says for
// every key at the top which of the two it is.

// Source is a configuration file that has been read and not been proven yet.
type Source struct {
	path   string
	dir    string
	host   *yaml.Node // nil in a document
	shared *yaml.Node // nil in a host's own file
	only   string     // of the secrets only those below this path are looked up
}

// keyParts is the part of every key at the top.
func keyParts() map[string]string {
	parts := map[string]string{}
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			parts[key] = t.Field(i).Tag.Get("part")
		}
	}
	return parts
}

// ReadFile reads a file with the host's part, and perhaps the shared one.
// Errors: Problems.
func ReadFile(path string) (*Source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, whole(path, 1, fault.New(CodeCannotRead, path, "reason", fault.Reason(err)).Because(err))
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, whole(path, 1, fault.New(CodeCannotRead, path, "reason", fault.Reason(err)).Because(err))
	}
	return split(text, path, filepath.Dir(absolute))
}

func split(text []byte, path, dir string) (*Source, error) {
	if err := wantUTF8(text, path); err != nil {
		return nil, err
	}
	root, err := document(text, path)
	if err != nil {
		return nil, err
	}
	f := &Source{path: path, dir: dir, host: root}
	if root.Kind != yaml.MappingNode {
		return f, nil // its decoder says so
	}
	// An unknown key stays with the host's: it is refused wherever it stands.
	f.host, f.shared = emptyLike(root), emptyLike(root)
	parts := keyParts()
	for i := 0; i+1 < len(root.Content); i += 2 {
		into := f.host
		if parts[root.Content[i].Value] == partShared {
			into = f.shared
		}
		into.Content = append(into.Content, root.Content[i], root.Content[i+1])
	}
	if len(f.shared.Content) == 0 {
		f.shared = nil
		return f, nil
	}
	own := map[*yaml.Node]bool{}
	nodes(f.shared, own)
	standAlone(f.shared, own)
	return f, nil
}

// nodes notes a node and all below it.
func nodes(n *yaml.Node, into map[*yaml.Node]bool) {
	into[n] = true
	for _, c := range n.Content {
		nodes(c, into)
	}
}

// mostWritten bounds how many nodes aliases are written out to: a few lines
// can stand for any number of them, and an anchor for itself.
const mostWritten = 10000

// standAlone writes out what an alias stands for where its anchor is in the
// other part: the document is read without that part. What cannot be written
// out stays, and is refused when the document is read.
func standAlone(n *yaml.Node, own map[*yaml.Node]bool) {
	for i, c := range n.Content {
		if c.Kind != yaml.AliasNode || own[c.Alias] {
			standAlone(c, own)
			continue
		}
		left := mostWritten
		if w := written(c.Alias, &left); left > 0 {
			n.Content[i] = w
		}
	}
}

// written is a copy of a node without anchors and aliases.
func written(n *yaml.Node, left *int) *yaml.Node {
	for n.Kind == yaml.AliasNode && *left > 0 {
		*left--
		n = n.Alias
	}
	c := emptyLike(n)
	c.Anchor = ""
	for _, inner := range n.Content {
		if *left--; *left <= 0 {
			break
		}
		c.Content = append(c.Content, written(inner, left))
	}
	return c
}

const (
	partShared = "shared"
	partHost   = "host"
)

func emptyLike(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	return &c
}

// HasShared reports that the file holds both parts.
func (f *Source) HasShared() bool { return f.shared != nil }

// ReadDocument reads a document, which has the shared part and nothing else.
// name is what problems call it. Errors: Problems, among them CodeHostKey.
func ReadDocument(text, name string) (*Source, error) {
	f, err := split([]byte(text), name, "")
	if err != nil {
		return nil, err
	}
	if f.host.Kind != yaml.MappingNode {
		return nil, whole(name, 1, fault.New(CodeWantMapping, name))
	}
	var problems Problems
	parts := keyParts()
	kept := emptyLike(f.host)
	for i := 0; i+1 < len(f.host.Content); i += 2 {
		key := f.host.Content[i]
		if parts[key.Value] != partHost {
			kept.Content = append(kept.Content, key, f.host.Content[i+1])
			continue
		}
		problems = append(problems, Problem{Problem: fault.Problem{Path: key.Value, Err: fault.New(CodeHostKey, key.Value)},
			File: name, Line: key.Line, Column: key.Column})
	}
	if f.shared == nil {
		f.shared = emptyLike(f.host)
	}
	f.shared.Content = append(f.shared.Content, kept.Content...) // unknown keys are told with the rest
	f.host = nil
	return f, problems.asError()
}

// Document is the shared part of the file as text, in the form in which
// versions are kept: keys, order and comments as they were written, one way of
// indenting. It is "" where the file has none. References to secrets stay
// references; a secret that is written out does not pass Config, and in a
// comment it is replaced by ***.
func (f *Source) Document() (string, error) {
	if f.shared == nil {
		return "", nil
	}
	return encode(f.shared, f.path)
}

func encode(n *yaml.Node, file string) (string, error) {
	hideComments(n)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := e.Encode(n)
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		return "", notYAML(file, err)
	}
	return b.String(), nil
}

// Digest names a document: the SHA-256 of its text in hex.
func Digest(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// Config proves the file, with the shared part that it holds itself. A host's
// own file without one is proven as far as it goes; see Config.Complete.
func (f *Source) Config(lookupEnv func(string) (string, bool)) (*Config, error) {
	return build(f, f.shared, f.path, lookupEnv)
}

// Host proves the host's part alone.
func (f *Source) Host(lookupEnv func(string) (string, bool)) (*Config, error) {
	return build(f, nil, f.path, lookupEnv)
}

// With proves the host's part of f together with the shared part of a
// document, whatever shared part f has itself.
func (f *Source) With(document *Source, lookupEnv func(string) (string, bool)) (*Config, error) {
	return build(f, document.shared, document.path, lookupEnv)
}

// Mask replaces every secret that is written out in a document by ***.
// References such as ${env:NAME} stay: they tell nothing.
func Mask(text string) string {
	root, err := document([]byte(text), "")
	if err != nil {
		return masked
	}
	hide(root, reflect.TypeFor[Config](), "")
	out, err := encode(root, "")
	if err != nil {
		return masked
	}
	return out
}

// hide walks the nodes beside the types that they are decoded into. What is
// called a password is hidden also where no type knows it.
func hide(n *yaml.Node, t reflect.Type, key string) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if (t == typeSecret || strings.Contains(plain(key), "password")) && literalSecret(key, n.Value) {
			n.Value, n.Tag, n.Style = masked, "!!str", yaml.DoubleQuotedStyle
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			hide(item, elem(t, reflect.Slice), key)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			inside := elem(t, reflect.Map)
			if t != nil && t.Kind() == reflect.Struct {
				inside = fieldType(t, n.Content[i].Value)
			}
			hide(n.Content[i+1], inside, n.Content[i].Value)
		}
	}
}

func elem(t reflect.Type, kind reflect.Kind) reflect.Type {
	if t == nil || t.Kind() != kind {
		return nil
	}
	return t.Elem()
}

func fieldType(t reflect.Type, key string) reflect.Type {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == key {
			return t.Field(i).Type
		}
	}
	return nil
}

// literalSecret: the value itself is written, not where to find it. Options
// that are switches are no secrets.
func literalSecret(key, text string) bool {
	if _, err := strconv.ParseBool(text); err == nil && !strings.Contains(plain(key), "password") {
		return false
	}
	return text != "" && !strings.HasPrefix(text, "${")
}

// passwordIn finds what stands behind a word for passwords in a comment.
var passwordIn = regexp.MustCompile(`(?i)(password\w*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,}"']+)`)

// hideComments hides passwords that were only commented out: comments are
// stored too.
func hideComments(n *yaml.Node) {
	for _, c := range []*string{&n.HeadComment, &n.LineComment, &n.FootComment} {
		*c = passwordIn.ReplaceAllStringFunc(*c, func(found string) string {
			parts := passwordIn.FindStringSubmatch(found)
			if strings.HasPrefix(strings.Trim(parts[2], `"'`), "${") {
				return found
			}
			return parts[1] + masked
		})
	}
	for _, inside := range n.Content {
		hideComments(inside)
	}
}

// Environment reads what a file says of its environment and nothing else, so
// that also a file with mistakes protects what it belongs to. It is "" where
// there is no file or no such key.
func Environment(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	var top struct {
		Environment string `yaml:"environment"`
	}
	if yaml.Unmarshal(text, &top) != nil || !slices.Contains(environments(), top.Environment) {
		return ""
	}
	return top.Environment
}

func environments() []string { return []string{"production", "test", "dev"} }

// fileOf says in which of the two files a path stands.
func (x index) fileOf(path string) string {
	if x.isShared(path) {
		return x.sharedFile
	}
	return x.file
}

// isShared reports that the value of a path stands in the shared part.
func (x index) isShared(path string) bool {
	top, _, _ := strings.Cut(x.written(path), ".")
	top, _, _ = strings.Cut(top, "[")
	return slices.Contains(x.sharedKeys, top)
}

// written is where the value of a path stands: the addresses of an instance
// may stand in the host's file.
func (x index) written(path string) string {
	for from, to := range x.moved {
		if rest, ok := strings.CutPrefix(path, from); ok && (rest == "" || rest[0] == '[' || rest[0] == '.') {
			return to + rest
		}
	}
	return path
}
