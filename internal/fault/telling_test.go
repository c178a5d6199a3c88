package fault

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTelling: a sentence that gives another as its reason has the values of
// both, and its own where they have the same name. Neither is changed.
func TestTelling(t *testing.T) {
	why := New("store.away", "db", "code", 1, "seconds", 3)
	e := New("instance.given_up", "file", "because", "store.away", "code", 2)
	told := e.Telling(why)
	require.Equal(t, Args{"because": "store.away", "code": "2", "seconds": "3"}, told.Args)
	require.Equal(t, "file", told.Subject)
	require.Len(t, e.Args, 2)
	require.Equal(t, "1", why.Args["code"])
	require.Equal(t, Args{"a": "1"}, New("x", "", "a", 1).Telling(New("y", "")).Args)
}
