package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What has no public source says so, in its list entry and on its page, and so
// do those of which nothing but a code is their own (protocols §0).
func TestCertaintyIsSaid(t *testing.T) {
	want := map[string]string{
		"cms": "certain", "cms-bank": "certain", "edi": "certain",
		"kfb": "assumed", "kca": "assumed", "dpt": "assumed", "skc": "assumed", "fpd": "template", "pos": "template",
	}
	for name, certainty := range want {
		p, err := Load(name)
		require.NoError(t, err)
		require.Equal(t, certainty, p.Certainty, name)
		page := p.Page("en")
		require.Contains(t, page, "Certainty: "+certainty+".", name)
		if certainty != "certain" {
			require.Contains(t, strings.ToLower(strings.Join(p.Notes, " ")), strings.TrimSuffix(certainty, "ed"), name)
		}
	}
}
