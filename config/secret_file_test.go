package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/config"
)

// TestSecretsFileIsNotOpen: a secret that everybody on the machine can read is
// refused, and not shown.
func TestSecretsFileIsNotOpen(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(secret, []byte("hush-hush"), 0o600))
	path := filepath.Join(dir, "pabal.yaml")
	text := strings.Replace(whole, `database: { url: "sqlite:pabal.db" }`, `database: { url: "sqlite:pabal.db", payload_keys: ["${file:key}"] }`, 1)
	require.NotEqual(t, whole, text)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	none := func(string) (string, bool) { return "", false }
	for mode, good := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o640: true, 0o644: false, 0o604: false} {
		require.NoError(t, os.Chmod(secret, mode))
		c, err := config.Load(path, none)
		if good {
			require.NoError(t, err)
			require.Equal(t, "hush-hush", c.Database.PayloadKeys[0].Reveal())
			continue
		}
		require.ErrorContains(t, err, "config.secret_open")
		require.NotContains(t, err.Error(), "hush")
		c, err = config.Load(path, nil)
		require.NoError(t, err, "who only looks does not read it")
		require.Empty(t, c.Database.PayloadKeys[0].Reveal())
	}
}
