package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// TestDoubts: what loads and is seldom meant is told, once, with its line.
func TestDoubts(t *testing.T) {
	for _, c := range []struct{ name, changes, path, code, subject, near string }{
		{"a field misspelt", "bodies:\n  info:\n    - {title: N, field: name, type: AN, width: 8}\n    - {title: S, field: size, type: N, width: 12}\n    - {title: M, field: mesage_size, type: N, width: 4}\n",
			"bodies.info[2].field", "profile.near", "mesage_size", "message_size"},
		{"a name among digits", "header: {name: {type: N}}\n", "header[6].type", "profile.zeros", "name", ""},
		{"a field of one's own", "bodies:\n  info:\n    - {title: N, field: name, type: AN, width: 8}\n    - {title: S, field: size, type: N, width: 12}\n    - {title: B, field: branch, type: N, width: 4}\n",
			"", "", "", ""},
		{"digits filled with blanks", "header: {name: {type: N, align: left, fill: \" \"}}\n", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse("a.yaml", []byte("profile: a\nextends: cms\n"+c.changes))
			require.NoError(t, err)
			if c.code == "" {
				require.Empty(t, p.Doubts)
				return
			}
			require.Len(t, p.Doubts, 1)
			e := fault.As(p.Doubts[0])
			require.Equal(t, []string{c.code, c.subject, c.path, c.near, "a.yaml"}, []string{string(e.Code), e.Subject, e.Args["path"], e.Args["near"], e.Args["file"]})
			require.NotEqual(t, "0", e.Args["line"])
		})
	}
}

// TestNoDoubts: the profiles that come with the program mean what they say.
func TestNoDoubts(t *testing.T) {
	for _, name := range Embedded() {
		p, err := NewLibrary().Load(name)
		require.NoError(t, err)
		require.Empty(t, p.Doubts, name)
	}
}

// TestDoubtBesideMistakes: what a misspelt field leaves missing is told together
// with the name that was misspelt.
func TestDoubtBesideMistakes(t *testing.T) {
	_, err := Parse("a.yaml", []byte("profile: a\nextends: cms\nbodies:\n  check:\n    - {title: B, field: blok, type: N, width: 4}\n    - {title: S, field: sequence, type: N, width: 3}\n"))
	var codes []string
	for _, e := range faults(err) {
		codes = append(codes, string(e.Code)+" "+e.Subject)
	}
	require.Equal(t, []string{"profile.near blok", "profile.missing block"}, codes)
}
