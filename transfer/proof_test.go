package transfer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// TestWordsOfProofs: what rows keep has words, and what has none stays as it is.
func TestWordsOfProofs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kept string
		want any
	}{
		{InOrder(-1, -1), fault.Say("parts_in_order")},
		{InOrder(120, -1), fault.Say("parts_records", "records", 120)},
		{InOrder(-1, 7200), fault.Say("parts_bytes", "bytes", 7200)},
		{InOrder(0, 0), fault.Say("parts_counted", "records", 0, "bytes", 0)},
		{"parts in order, 120 records, 7200 bytes", fault.Say("parts_counted", "records", 120, "bytes", 7200)},
		{WithGaps("12"), fault.Say("with_gaps", "blocks", 12)},
		{Passed, fault.Say("checks_passed")},
		{"check.count", "check.count"},
		{"7200", "7200"},
		{"", ""},
		{"parts in order, or not", "parts in order, or not"},
	} {
		require.Equal(t, test.want, Words(test.kept), test.kept)
	}
}
