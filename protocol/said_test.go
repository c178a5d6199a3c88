package protocol

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

// sentences is the catalogue, which is read once.
var sentences = sync.OnceValues(catalog.Load)

// wanted is what the sentence of a mistake says was expected, or what cannot be read.
func wanted(t testing.TB, lang catalog.Lang, e *fault.Error) string {
	t.Helper()
	c, err := sentences()
	require.NoError(t, err)
	var out strings.Builder
	for _, name := range []string{"expected", "detail", "reason"} {
		if p := e.Args.Phrase(name); p.Said() {
			out.WriteString(c.Text(lang, p.Key(), p.Args()))
		} else {
			out.WriteString(e.Args[name])
		}
	}
	require.NotContains(t, out.String(), fault.Phrases)
	require.NotContains(t, out.String(), "?", "a phrase lacks a value")
	return out.String()
}
