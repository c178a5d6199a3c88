package catalog

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/transfer"
)

func TestEveryStatusAndDirectionHasALabel(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	seen := map[string]transfer.Status{}
	for _, s := range transfer.Statuses() {
		require.Equal(t, string(s), c.Status(EN, string(s)), "English keeps the word that commands take")
		label := c.Status(KO, string(s))
		require.NotContains(t, label, "ui.")
		require.NotContains(t, seen, label, "%s and %s look the same", s, seen[label])
		seen[label] = s
	}
	for _, d := range []transfer.Direction{transfer.Send, transfer.Receive, transfer.BothWays} {
		require.Equal(t, string(d), c.Direction(EN, string(d)))
		require.NotContains(t, c.Direction(KO, string(d)), "ui.")
	}
}

func TestExplain(t *testing.T) {
	c := sample(t, "ui.next: {en: '> {next}', ko: '> 조치: {next}'}")
	require.Equal(t, "odd: x\n> look", c.Explain(EN, errors.New("x")))
	require.Equal(t, "이상: x\n> 조치: 보십시오", c.Explain(KO, errors.New("x")))
}
