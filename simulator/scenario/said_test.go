package scenario

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

// sentences is the catalogue, which is read once.
var sentences = sync.OnceValues(catalog.Load)

// wanted is what the sentence of a mistake says was expected; "" where it says
// something else.
func wanted(t testing.TB, lang catalog.Lang, e *fault.Error) string {
	t.Helper()
	say, err := sentences()
	require.NoError(t, err)
	p := e.Args.Phrase("expected")
	if !p.Said() {
		return ""
	}
	text := say.Text(lang, p.Key(), p.Args())
	require.NotContains(t, text, fault.Phrases)
	require.NotContains(t, text, "?", "a phrase lacks a value")
	return text
}
