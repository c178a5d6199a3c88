package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

// decoder fills structs from YAML nodes. It goes on after a mistake, so that one
// run shows all of them, and notes where every path stands.
type decoder struct {
	dir       string // of the file, for ${file:…}
	lookupEnv func(string) (string, bool)
	only      string // if set, only secrets below this path are looked up
	index     index
	problems  Problems
	meant     []string // paths that misspelt keys probably stand for
	broken    []string // paths under which nothing could be decoded
	literals  []string // paths of secrets of the shared part that are written out

	fromShared map[*yaml.Node]bool // keys and values at the top of the shared part
}

func (d *decoder) problem(node *yaml.Node, path string, f *fault.Error) {
	file := d.index.fileOf(path)
	if d.fromShared[node] {
		file = d.index.sharedFile
	}
	d.problems = append(d.problems, Problem{Problem: fault.Problem{Path: path, Err: f},
		File: file, Line: node.Line, Column: node.Column})
}

// defaulter fills in what a mapping may leave out.
type defaulter interface{ setDefaults() }

// Types that are decoded whole, from one scalar.
var (
	typeSecret    = reflect.TypeFor[Secret]()
	typeDuration  = reflect.TypeFor[time.Duration]()
	typeSize      = reflect.TypeFor[Size]()
	typeTimeOfDay = reflect.TypeFor[TimeOfDay]()
	typeMode      = reflect.TypeFor[Mode]()
	typeNetwork   = reflect.TypeFor[Network]()
)

func (d *decoder) decode(node *yaml.Node, into reflect.Value, path string) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Tag == "!!null" {
		return // a key without a value is a key that is not there
	}
	switch {
	case into.Kind() == reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(node, into.Elem(), path)
	case into.Kind() == reflect.Struct && into.Type() != typeSecret:
		d.structure(node, into, path)
	case into.Kind() == reflect.Slice:
		d.list(node, into, path)
	case into.Kind() == reflect.Map:
		d.texts(node, into, path)
	default:
		d.scalar(node, into, path)
	}
}

// mapping calls entry for each key; one that is there again is a problem.
func (d *decoder) mapping(node *yaml.Node, path string, entry func(key, value *yaml.Node, path string)) {
	if node.Kind != yaml.MappingNode {
		d.problem(node, path, fault.New(CodeWantMapping, path))
		d.broken = append(d.broken, path)
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if first, twice := lines[key.Value]; twice {
			d.problem(key, path, fault.New(CodeDuplicateKey, key.Value, "first", first))
			continue
		}
		lines[key.Value] = key.Line
		inside := key.Value
		if path != "" {
			inside = path + "." + key.Value
		}
		at := place{key.Line, key.Column}
		if value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
			at = place{value.Line, value.Column}
		}
		d.index.places[inside] = at
		entry(key, value, inside)
	}
}

func (d *decoder) structure(node *yaml.Node, into reflect.Value, path string) {
	if def, ok := into.Addr().Interface().(defaulter); ok {
		def.setDefaults()
	}
	fields := map[string]reflect.Value{}
	var known []string
	for i := range into.NumField() {
		if name := into.Type().Field(i).Tag.Get("yaml"); name != "" {
			fields[name] = into.Field(i)
			known = append(known, name)
		}
	}
	d.mapping(node, path, func(key, value *yaml.Node, inside string) {
		field, ok := fields[key.Value]
		if ok {
			d.decode(value, field, inside)
			return
		}
		if n := near(key.Value, known); n != "" {
			d.problem(key, path, fault.New(CodeUnknownKeyNear, key.Value, "near", n))
			d.meant = append(d.meant, join(path, n))
			return
		}
		d.problem(key, path, fault.New(CodeUnknownKey, key.Value, "known", strings.Join(known, ", ")))
	})
}

func (d *decoder) list(node *yaml.Node, into reflect.Value, path string) {
	if node.Kind != yaml.SequenceNode {
		d.problem(node, path, fault.New(CodeWantList, path))
		d.broken = append(d.broken, path)
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		inside := fmt.Sprintf("%s[%d]", path, i)
		d.index.places[inside] = place{item.Line, item.Column}
		if item.Tag == "!!null" {
			d.problem(item, inside, fault.New(CodeEmptyEntry, inside))
			d.broken = append(d.broken, inside)
			continue
		}
		d.decode(item, into.Index(i), inside)
	}
}

// texts decodes a mapping whose keys are free.
func (d *decoder) texts(node *yaml.Node, into reflect.Value, path string) {
	into.Set(reflect.MakeMap(into.Type()))
	d.mapping(node, path, func(key, value *yaml.Node, inside string) {
		text := reflect.New(into.Type().Elem()).Elem()
		d.decode(value, text, inside)
		into.SetMapIndex(reflect.ValueOf(key.Value), text)
	})
}

func (d *decoder) scalar(node *yaml.Node, into reflect.Value, path string) {
	if node.Kind != yaml.ScalarNode {
		d.problem(node, path, fault.New(CodeWantText, path))
		return
	}
	text := node.Value
	if into.Type() == typeSecret {
		// Which options there are the profile knows: of those that are no
		// passwords it refuses every value but those of a switch.
		key := plain(path[strings.LastIndexByte(path, '.')+1:])
		if literalSecret(key, text) && d.index.isShared(path) && (strings.Contains(key, "password") || !strings.Contains(path, ".options.")) {
			d.literals = append(d.literals, path)
		}
		value, f := d.secret(text, path)
		if f != nil {
			d.problem(node, path, f)
		}
		into.Set(reflect.ValueOf(NewSecret(value)))
		return
	}
	if strings.Contains(text, "${env:") || strings.Contains(text, "${file:") {
		d.problem(node, path, fault.New(CodeSecretMisplaced, path))
		return
	}
	var value any
	var f *fault.Error
	switch into.Type() {
	case typeDuration:
		value, f = parseDuration(text)
	case typeSize:
		value, f = parseSize(text)
	case typeMode:
		value, f = parseMode(text)
	case typeNetwork:
		value, f = parseNetwork(text)
	case typeTimeOfDay:
		value, f = parseTimeOfDay(text)
	default:
		d.plain(node, into, path)
		return
	}
	if f != nil {
		d.problem(node, path, f)
		return
	}
	into.Set(reflect.ValueOf(value))
}

// plain decodes what Go and YAML both have. Text takes a scalar as it is
// written, so that 0012 and 03:00 need no quotes.
func (d *decoder) plain(node *yaml.Node, into reflect.Value, path string) {
	switch into.Kind() {
	case reflect.String:
		into.SetString(node.Value)
	case reflect.Int:
		n, err := strconv.Atoi(node.Value)
		if err != nil || node.Tag != "!!int" {
			d.problem(node, path, fault.New(CodeWantNumber, node.Value))
			return
		}
		into.SetInt(int64(n))
	case reflect.Bool:
		if node.Tag != "!!bool" {
			d.problem(node, path, fault.New(CodeWantBool, node.Value))
			return
		}
		into.SetBool(strings.EqualFold(node.Value, "true"))
	}
}

// secret resolves ${env:NAME} and ${file:/path}. No fault shows the value.
func (d *decoder) secret(text, path string) (string, *fault.Error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	inside, ok := strings.CutPrefix(text, "${")
	source, closed := strings.CutSuffix(inside, "}")
	kind, name, named := strings.Cut(source, ":")
	if !ok || !closed || !named || name == "" || strings.ContainsAny(name, "${}") {
		return "", fault.New(CodeSecretForm, "")
	}
	if (d.lookupEnv == nil || !strings.HasPrefix(path, d.only)) && (kind == "env" || kind == "file") {
		return "", nil // not wanted, see Load
	}
	switch kind {
	case "env":
		value, _ := d.lookupEnv(name)
		if value = strings.TrimRight(value, "\r\n"); value == "" {
			return "", fault.New(CodeSecretEnv, name)
		}
		return value, nil
	case "file":
		if !filepath.IsAbs(name) {
			name = filepath.Join(d.dir, name)
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return "", fault.New(CodeSecretFile, name, "reason", fault.Reason(err)).Because(err)
		}
		if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o007 != 0 {
			return "", fault.New(CodeSecretOpen, name, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
		}
		value := strings.TrimRight(string(content), "\r\n")
		if value == "" {
			return "", fault.New(CodeSecretFile, name, "reason", fault.Say("nothing_in_it"))
		}
		return value, nil
	}
	return "", fault.New(CodeSecretForm, "")
}
