package scenario

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
)

// FuzzParse: whatever a file says, it is a scenario that can be run, or each of
// its mistakes says where it stands and what was expected. What can be run stays
// within its directory and within what this machine is to do at most.
func FuzzParse(f *testing.F) {
	dir := filepath.Join("..", "..", "testdata", "scenarios")
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(string(text))
	}
	const good = "scenario: a\nprofile: cms\nside: institution\n"
	for _, more := range []string{
		"give: [{name: EB21}, {name: EB21}]\n", "give: [{name: ../EB21}]\n", "give: [{name: .EB21}]\n",
		"give: [{name: EB21, blocks: 9000000000000000000}]\n", "give: &a [*a]\n", "give: [{name: \"A${n:3}\", copies: 10000, bytes: 1}]\n",
		"take: true\nfetch: true\nrole: listen\ntls: {made: true, mutual: true}\nserver: {sends: [{name: EB22, sample: EB22}]}\n",
		"take: true\nanswers: [{to: check, map: listed, missing: [0, -1, 999999999]}]\nfaults: {lose: \"1:1,2:99\", delay: \"data:5ms\", cut: \"after-check@2:3\"}\n",
	} {
		f.Add(good + more)
	}
	known := map[string]*protocol.Profile{}
	for _, name := range protocol.Embedded() {
		p, err := protocol.Load(name)
		require.NoError(f, err)
		known[name] = p
	}
	o := Options{Today: today(), Env: func(string) (string, bool) { return "SECRET", true }, Profiles: func(name string) (*protocol.Profile, error) {
		if p := known[name]; p != nil {
			return p, nil
		}
		return nil, fault.New(protocol.CodeProfileUnknown, name)
	}}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz.yaml", []byte(text), o)
		if err != nil {
			require.Nil(t, s)
			for _, one := range faults(err) {
				require.NotNil(t, one, "%v", err)
				line, err := strconv.Atoi(one.Args["line"])
				require.NoError(t, err, one)
				require.Positive(t, line, one)
				require.NotEmpty(t, one.Args["file"])
				require.NotEmpty(t, one.Args["expected"]+one.Args["detail"], one)
				require.NotContains(t, one.Error(), "SECRET")
			}
			return
		}
		require.NotNil(t, s.Profile)
		require.True(t, len(s.Gifts) > 0 || s.Take)
		require.True(t, s.Sessions >= 1 && s.Sessions <= mostSessions && s.Calls >= 1 && s.Calls <= mostSessions)
		require.True(t, s.Pause > 0 && s.Within > 0 && s.Who.Reply > 0 && s.Who.Idle > 0 && s.Who.First > 0 && s.Server.Reply > 0)
		require.True(t, s.Expect.Given >= 0 && s.Expect.Given <= len(s.Gifts))
		require.NoError(t, s.Who.Validate())
		for _, gifts := range [][]Gift{s.Gifts, s.Server.Sends} {
			names := map[string]bool{}
			for _, g := range gifts {
				require.False(t, names[g.Name], "twice %q", g.Name)
				names[g.Name] = true
				require.Equal(t, g.Name, filepath.Base(g.Name))
				require.True(t, filepath.IsLocal(g.Name) && !strings.HasPrefix(g.Name, "."), "%q", g.Name)
				require.LessOrEqual(t, len(g.Wire), s.Profile.Files.NameWidth)
				require.True(t, g.Size >= 0 && g.Size <= mostBytes, g.Size)
			}
		}
		again, err := Parse("fuzz.yaml", []byte(text), o)
		require.NoError(t, err)
		require.Equal(t, s.Gifts, again.Gifts)
		require.Equal(t, s.Expect, again.Expect)
	})
}

// faults are the errors that err joins; nil in place of one that is none of ours.
func faults(err error) (out []*fault.Error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			out = append(out, faults(one)...)
		}
		return out
	}
	return []*fault.Error{fault.As(err)}
}
