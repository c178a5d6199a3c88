package simulator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol/protocoltest"
)

// Whoever opens and whoever closes, files arrive both ways: in one session where
// ends or the answer to a fetch say how many there are.
func TestTurnsPlayed(t *testing.T) {
	for _, c := range []struct{ base, session string }{
		{"cms", "opens: centre"},
		{"cms", "opens: centre, closes: receiver"},
		{"cms", "opens: receiver, closes: institution"},
		{"cms", "opens: sender, closes: receiver"},
		{"edi", "closes: receiver"},
		{"edi", "closes: institution"},
		{"edi", "closes: centre, nothing: close"},
		{"edi", "opens: centre, closes: receiver"},
		{"kfb", "closes: receiver"},
		{"kfb", "closes: centre"},
		{"login", "opens: centre, closes: receiver"},
	} {
		t.Run(c.base+" "+c.session, func(t *testing.T) {
			t.Parallel()
			p := protocoltest.Parse(t, "profile: t\nextends: "+c.base+"\nsession: {"+c.session+"}\n")
			parts := 0
			require.NoError(t, SelfPlay(t.Context(), p, t.TempDir(), func(pl Played) {
				require.NoError(t, pl.Err, "%+v", pl)
				require.NotZero(t, pl.Files)
				parts++
			}))
			require.Equal(t, 6, parts)
		})
	}
}
