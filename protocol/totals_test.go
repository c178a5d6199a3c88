package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTotalsMistakes(t *testing.T) {
	mistakes(t, "totals", []broken{
		{"totals of what is no closing", "  close: {body: leave}", "  end: {where: {work: \"003\"}, body: leave}", "", CodeProfileField, "telegrams.end", "close and close-reply"},
		{"a number that is no number", "field: total_files, type: N", "field: total_files, type: B, width: rest", "    - {title: 파일수", CodeProfileSyntax, "", "written twice"},
		{"wider than a number can be", "field: total_bytes, type: N, width: 12", "field: total_bytes, type: N, width: 20", "", CodeProfileWidth, "bodies.leave[4].width", "18 digits"},
		{"a code as wide as no other", `totals: "640"`, `totals: "64"`, "", CodeProfileWidth, "responses.totals", "3 characters"},
		{"a code that means yes", `totals: "640"`, `totals: "000"`, "", CodeProfileValue, "responses.totals", "must not read as success"},
	})
	p := testProfile(t, "totals")
	require.True(t, p.SaysTotals(Close))
	require.False(t, p.SaysTotals(End))
	require.Equal(t, "640", p.Code(BadTotals))
	require.Equal(t, Refused, p.Meaning("640"))
	require.Contains(t, p.Page("ko"), "| `640` | 업무종료 합계 불일치 | 거부 |")
}
