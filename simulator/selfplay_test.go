package simulator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

func TestSelfPlay(t *testing.T) {
	strangers := []string{"../strangers/hankang", "../strangers/nara"} // that the table of the server's tests cannot set up
	for _, name := range append(append(protocol.Embedded(), protocoltest.Names(t)...), strangers...) {
		t.Run(name, func(t *testing.T) {
			var parts []Played
			require.NoError(t, SelfPlay(t.Context(), profile(t, name), t.TempDir(), func(p Played) { parts = append(parts, p) }))
			require.Len(t, parts, 6)
			for _, p := range parts {
				require.NoError(t, p.Err, "%+v", p)
				require.Equal(t, 4, p.Files)
			}
		})
	}
}

// A profile that loads and cannot work: its sides do not tell each other of
// what is missing.
func TestSelfPlayTells(t *testing.T) {
	p, err := protocol.Parse("deaf.yaml", []byte("profile: deaf\nextends: cms\nletters: {held: \"0\", missing: \"1\"}\nfiles: {rounds: 1}\nbodies:\n  check-reply:\n    map: {value: \"hex:30\", width: \"1\"}\n"))
	require.NoError(t, err)
	failed := 0
	require.NoError(t, SelfPlay(t.Context(), p, t.TempDir(), func(p Played) {
		if p.Err != nil {
			failed++
		}
	}))
	require.NotZero(t, failed)
}
