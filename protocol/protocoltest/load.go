// Package protocoltest gives tests the profiles of testdata/profiles, which do
// not come with the program: each is for one way of talking that none of those
// that do has.
package protocoltest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// dir is testdata/profiles of the module. A binary that was built with -trimpath
// does not say where its sources are; then it is above where the test runs.
func dir() string {
	_, here, _, _ := runtime.Caller(0)
	if filepath.IsAbs(here) {
		return filepath.Join(filepath.Dir(here), "..", "..", "testdata", "profiles")
	}
	for up := "."; ; up = filepath.Join(up, "..") {
		root, err := filepath.Abs(up)
		if _, missing := os.Stat(filepath.Join(root, "go.mod")); err != nil || missing == nil || root == filepath.Dir(root) {
			return filepath.Join(root, "testdata", "profiles")
		}
	}
}

// Source is a profile of testdata/profiles as it is written.
func Source(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir(), name+".yaml"))
	require.NoError(t, err)
	return string(text)
}

// Load is a profile that comes with the program, or else one of testdata/profiles.
func Load(t testing.TB, name string) *protocol.Profile {
	t.Helper()
	p, err := Open(name)
	require.NoError(t, err)
	return p
}

// Open is Load where there is no test to fail.
func Open(name string) (*protocol.Profile, error) {
	if slices.Contains(protocol.Embedded(), name) {
		return protocol.Load(name)
	}
	text, err := os.ReadFile(filepath.Join(dir(), name+".yaml"))
	if err != nil {
		return nil, err
	}
	return protocol.Parse(name+".yaml", text)
}

// Parse is a profile written in a test, which may extend those of testdata/profiles.
func Parse(t testing.TB, text string) *protocol.Profile {
	t.Helper()
	l := protocol.NewLibrary()
	for _, name := range Names(t) {
		_, err := l.Add(name+".yaml", []byte(Source(t, name)))
		require.NoError(t, err)
	}
	name, err := l.Add("test.yaml", []byte(text))
	require.NoError(t, err)
	p, err := l.Load(name)
	require.NoError(t, err)
	return p
}

// Names are the profiles of testdata/profiles, sorted.
func Names(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir(), "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".yaml")
	}
	return files
}
