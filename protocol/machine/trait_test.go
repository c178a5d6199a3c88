package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// Every profile has a conversation that no other profile can hold, even under
// the same business code: there is a reason why each of them exists. Those
// that differ in nothing but codes say so on their pages.
func TestEveryProfileHasATraitOfItsOwn(t *testing.T) {
	alike := [][]string{
		{"citi", "dpt", "lotte"}, // codes, and who connects
		{"cms-bank", "fpd"},      // the business code
	}
	for _, group := range alike {
		for _, name := range group[1:] {
			p, err := protocol.Load(name)
			require.NoError(t, err)
			require.NotEqual(t, "certain", p.Certainty)
			require.Contains(t, strings.Join(p.Notes, " "), "code", name)
		}
	}
	for _, name := range protocol.Embedded() {
		files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "transcripts", name, "*.txt"))
		require.NoError(t, err)
		require.NotEmpty(t, files, "%s has no transcript", name)
		own := slices.Clone(files) // those that no other profile can hold
		for _, other := range protocol.Embedded() {
			same := slices.ContainsFunc(alike, func(g []string) bool { return slices.Contains(g, name) && slices.Contains(g, other) })
			p := disguised(t, other, name)
			held := 0
			for _, file := range files {
				if holds(t, p, file) {
					held++
					if !same && name != other {
						own = slices.DeleteFunc(own, func(f string) bool { return f == file })
					}
				}
			}
			require.Equal(t, same || name == other, held == len(files), "%s under the profile %s", name, other)
		}
		require.NotEmpty(t, own, "%s: each of its transcripts holds under some other profile", name)
	}
}

// disguised is a profile under the business code of another, where both have one.
func disguised(t *testing.T, name, as string) *protocol.Profile {
	p, err := protocol.Load(as)
	require.NoError(t, err)
	b, err := p.Append(nil, &protocol.Telegram{Kind: protocol.Open})
	require.NoError(t, err)
	var open protocol.Telegram
	require.NoError(t, p.Decode(b[:len(b)-len(p.Delimiter())], &open))
	code := open.Text(protocol.Business)
	p, err = protocol.Load(name)
	require.NoError(t, err)
	if code == "" || !p.Carries(protocol.Open, protocol.Business) {
		return p
	}
	p, err = protocol.Parse("disguised.yaml", fmt.Appendf(nil,
		"profile: disguised\nextends: %s\nheader: {business: {value: %s}}\n", name, code))
	require.NoError(t, err)
	return p
}

// holds plays a transcript under a profile, as both sides.
func holds(t *testing.T, p *protocol.Profile, file string) bool {
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimRight(string(src), "\n"), "\n")
	ok := true
	for _, side := range []protocol.Side{protocol.InstitutionSide, protocol.CentreSide} {
		if ok && playedBy(lines, side) {
			done := make(chan bool, 1)
			go func() {
				held := false
				defer func() { done <- held }()
				(&player{t: quiet{}, p: p, side: side, lines: slices.Clone(lines)}).play()
				held = true
			}()
			ok = <-done
		}
	}
	return ok
}

// quiet ends what is tried at the first thing that does not hold.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}
func (quiet) FailNow()              { runtime.Goexit() }
func (quiet) Fatalf(string, ...any) { runtime.Goexit() }
