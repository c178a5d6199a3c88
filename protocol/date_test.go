package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A year that a telegram does not say is the one that brings its date nearest.
func TestFullDate(t *testing.T) {
	for _, test := range []struct{ near, text, want string }{
		{"20260602", "0602", "20260602"}, {"20260102", "1231", "20251231"}, {"20261231", "0101", "20270101"},
		{"20240301", "0229", "20240229"}, {"20230301", "0229", "20240229"}, {"20260301", "0229", ""},
		{"20260602", "1302", ""}, {"20260602", "    ", ""}, {"20260602", "0000", ""}, {"20260602", "", ""},
		{"20260602", "250709", "20250709"}, {"20260602", "251309", ""},
		{"20260602", "20250709", "20250709"}, {"20260602", "20250732", ""}, {"20260602", "2025070", ""},
	} {
		near, err := time.Parse("20060102", test.near)
		require.NoError(t, err)
		require.Equal(t, test.want, FullDate(test.text, near), "%q near %s", test.text, test.near)
	}
}
