package simulator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// docs/profiles.md is what somebody who writes a profile has. Its example is
// put together here from its pieces, and has to work.
func TestWalkThrough(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "profiles.md"))
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(text), "## From nothing")
	require.True(t, ok)
	before, _, ok := strings.Cut(after, "## Keys")
	require.True(t, ok)

	p, err := protocol.Parse("hanbit.yaml", []byte(strings.Join(fenced(before, "yaml"), "")))
	require.NoError(t, err)
	plays(t, p)

	golden := strings.TrimSuffix(fenced(before, "text")[0], "\n")
	open := protocol.Telegram{Kind: protocol.Open}
	open.SetText(protocol.Institution, "A001")
	open.SetText(protocol.Direction, "U")
	open.SetText(protocol.SenderName, "kim")
	open.SetText(protocol.Response, "00")
	open.Set(protocol.SentAt, protocol.Stamp(time.Date(2026, 6, 2, 13, 14, 15, 0, time.UTC)))
	got, err := p.Append(nil, &open)
	require.NoError(t, err)
	require.Equal(t, golden, string(got))
	require.Equal(t, protocol.Open, p.Explain([]byte(golden)).Kind)

	above, _, ok := strings.Cut(string(text), "## From nothing")
	require.True(t, ok)
	p, err = protocol.Parse("mybank.yaml", []byte(fenced(above, "yaml")[0]))
	require.NoError(t, err)
	plays(t, p)
}

// plays holds that a profile carries files both ways, clean and with faults.
func plays(t *testing.T, p *protocol.Profile) {
	t.Helper()
	require.NoError(t, SelfPlay(t.Context(), p, t.TempDir(), func(pl Played) {
		require.NoError(t, pl.Err, "%+v", pl)
		require.Equal(t, 4, pl.Files)
	}))
}

// fenced are the blocks of a language in a page.
func fenced(page, language string) []string {
	var out []string
	for _, part := range strings.Split(page, "```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		out = append(out, block)
	}
	return out
}
