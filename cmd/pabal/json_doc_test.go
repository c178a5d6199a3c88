package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/control"
)

// TestEveryJSONKeyIsExplained: programs rest on what --json prints, so each key
// stands in docs/operations.md.
func TestEveryJSONKeyIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## What --json prints\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	seen := map[reflect.Type]bool{}
	keys := 0
	var look func(typ reflect.Type)
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || !strings.HasPrefix(typ.PkgPath(), "pabal/") {
			return
		}
		seen[typ] = true
		for n := range typ.NumField() {
			f := typ.Field(n)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if key != "" && key != "-" {
				keys++
				require.Contains(t, section, "`"+key+"`", "%s.%s", typ, f.Name)
			}
			if f.IsExported() && key != "-" {
				look(f.Type)
			}
		}
	}
	for _, object := range []any{control.Detail{}, control.Status{}, control.Session{}, control.Audited{}, control.Request{}, control.Report{}, control.Prospect{}, swept{}} {
		look(reflect.TypeOf(object))
	}
	require.Greater(t, keys, 100)
}
