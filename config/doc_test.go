package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keysOf lists the paths of every value that the file may have.
func keysOf(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
		return keysOf(t.Elem(), path+"[]")
	}
	if t.Kind() != reflect.Struct || t == typeSecret {
		return []string{path}
	}
	var out []string
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if key == "" {
			continue
		}
		out = append(out, keysOf(t.Field(i).Type, join(path, key))...)
	}
	return out
}

// TestReferenceNamesEveryKey compares docs/configuration.md with the structs,
// in both directions.
func TestReferenceNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	require.NoError(t, err)
	heading := regexp.MustCompile("^## (?:`([^`]+)`)?")
	row := regexp.MustCompile("^\\| `([^`]+)` \\|")
	var documented []string
	section := ""
	for line := range strings.Lines(string(text)) {
		if m := heading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		if m := row.FindStringSubmatch(line); m != nil {
			documented = append(documented, join(section, m[1]))
		}
	}
	require.ElementsMatch(t, keysOf(reflect.TypeFor[Config](), ""), documented)
}
