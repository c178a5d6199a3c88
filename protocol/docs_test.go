package protocol

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/strictyaml"
)

// Everything that can be written into a profile stands on the page for those
// who write one.
func TestEveryKeyIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "profiles.md"))
	require.NoError(t, err)
	page := string(text)
	var look func(typ reflect.Type)
	look = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Map, reflect.Pointer:
			look(typ.Elem())
		case reflect.Struct:
			for key, inner := range strictyaml.Keys(typ) {
				require.Contains(t, page, "`"+key+"`", "%s", typ.Name())
				look(inner)
			}
		}
	}
	look(reflect.TypeFor[Spec]())
	for _, name := range fieldNames() {
		require.Contains(t, page, "`"+name+"`")
	}
	for _, k := range Kinds() {
		require.Contains(t, page, "`"+k.String()+"`")
	}
	for _, a := range questions() {
		for _, f := range a.all() {
			require.Contains(t, page, "`"+string(f)+"`")
		}
	}
	for _, r := range append(reasons(), meanings()...) {
		require.Contains(t, page, "`"+string(r)+"`")
	}
}
