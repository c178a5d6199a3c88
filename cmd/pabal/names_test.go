package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What reads names after a restored database goes by the profile's rule, as the
// server does.
func TestRecoveryNamesByTheProfile(t *testing.T) {
	dir := t.TempDir()
	rule := "profile: ruled\nextends: cms\nfiles: {name: \"${FILE_ID:4}+${RECORD@29:4}\"}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ruled.yaml"), []byte(rule), 0o600))
	text := strings.Replace(site1, "    profile: cms\n", "    profile: ruled\n", 1)
	text = strings.Replace(text, "    wire_name: \"${FILE_ID:4}+${MMdd:4}\"\n", "", 1)
	text = strings.Replace(text, "id: TXT,", "id: TEXT,", 1) // the rule takes four characters
	r, err := recovery(nil, loadText(t, text+"profiles: { directory: "+dir+" }\n"))
	require.NoError(t, err)
	first := func(n int) ([]byte, error) { return []byte(strings.Repeat("x", 29) + "0602"), nil }
	name, err := r.Book.ParseFile("EB21.KFTC.CMS", time.Now(), first)
	require.NoError(t, err)
	require.Equal(t, "EB210602", name.WireName)
}
