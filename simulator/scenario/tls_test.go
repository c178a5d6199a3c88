package scenario

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/internal/secure/securetest"
)

// What is wrong with certificates is said with its line, before anything runs.
func TestTLSMistakes(t *testing.T) {
	dir := t.TempDir()
	ca := securetest.NewCA(t, dir, "ca")
	ca.Issue(t, securetest.Ask{Name: "own", Client: true})
	ca.Issue(t, securetest.Ask{Name: "other"})
	open := ca.Issue(t, securetest.Ask{Name: "open"})
	require.NoError(t, os.Chmod(open.Key, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600))
	const calls, called = "scenario: a\nprofile: cms\nside: institution\ngive: [{name: EB21}]\n", "scenario: a\nprofile: cms\nside: centre\ntake: true\nrole: listen\n"
	for _, test := range []struct {
		text, path, expected string
		line                 int
	}{
		{calls + "tls: {colour: red}\n", "tls.colour", "", 5},
		{calls + "tls:\n  certificate: own.pem\n", "tls.key", "neither", 5},
		{calls + "tls:\n  key: own.key\n", "tls.certificate", "neither", 5},
		{calls + "tls:\n  ca: nowhere.pem\n", "tls.ca", "can be read", 6},
		{calls + "tls:\n  ca: empty.pem\n", "tls.ca", "with a certificate", 6},
		{calls + "tls:\n  certificate: own.pem\n  key: other.key\n", "tls.key", "the key of tls.certificate", 7},
		{calls + "tls:\n  certificate: open.pem\n  key: open.key\n", "tls.key", "chmod 600", 7},
		{calls + "tls:\n  ca: ca.pem\n  mutual: true\n", "tls.mutual", "made: true", 7},
		{calls + "tls:\n  made: true\n  ca: ca.pem\n", "tls.made", "no files", 6},
		{calls + "tls:\n  made: true\nserver:\n  tls: {ca: ca.pem}\n", "tls.made", "no files", 6},
		{calls + "tls:\n  made: true\naddress: 127.0.0.1:9\n", "tls.made", "no address", 6},
		{calls + "server:\n  tls: {ca: ca.pem}\n", "server.tls", "tls beside it", 6},
		{calls + "tls: {ca: ca.pem}\nserver:\n  tls: {ca: ca.pem}\n", "server.tls.certificate", "callers are shown", 7},
		{calls + "tls: {ca: ca.pem}\nserver:\n  tls: {certificate: other.pem, key: other.key, server_name: x}\n", "server.tls.server_name", "role: listen", 7},
		{called + "tls: {ca: ca.pem}\n", "tls.certificate", "callers are shown", 6},
		{called + "tls: {certificate: other.pem, key: other.key, server_name: x}\n", "tls.server_name", "role: connect", 6},
	} {
		_, err := Parse(filepath.Join(dir, "x.yaml"), []byte(test.text), Options{Today: today()})
		e := fault.As(err)
		require.NotNil(t, e, test.text)
		require.Equal(t, []string{test.path, strconv.Itoa(test.line)}, []string{e.Args["path"], e.Args["line"]}, "%s: %v", test.text, err)
		require.Contains(t, wanted(t, catalog.EN, e), test.expected, test.text)
	}
}

// Files beside the scenario are used by both ends; without any for the server
// that is made, and with made ones for one that is not, nothing is run.
func TestTLSOfBothEnds(t *testing.T) {
	dir := t.TempDir()
	ca := securetest.NewCA(t, dir, "ca")
	own := ca.Issue(t, securetest.Ask{Name: "own", Client: true})
	ca.Issue(t, securetest.Ask{Name: "server", DNS: []string{"pabal.test"}})
	text := `
scenario: a
profile: cms
side: institution
give: [{name: EB21}]
tls: {certificate: own.pem, key: own.key, ca: ca.pem, server_name: pabal.test}
server:
  tls: {certificate: server.pem, key: server.key, ca: ca.pem}
`
	parse := func(text string) *Scenario {
		s, err := Parse(filepath.Join(dir, "x.yaml"), []byte(text), Options{Today: today()})
		require.NoError(t, err)
		return s
	}
	s := parse(text)
	_, _, err := s.Prepare(t.TempDir(), true)
	require.NoError(t, err)
	require.Equal(t, &secure.Client{Files: secure.Files{Certificate: own.Certificate, Key: own.Key, CA: ca.File}, ServerName: "pabal.test"}, s.Who.TLS)
	require.Equal(t, own.Fingerprint, s.TLS.Caller, "whom the server expects")
	text, _, _ = strings.Cut(text, "server:")
	_, _, err = parse(text).Prepare(t.TempDir(), true)
	require.Equal(t, CodeServerTLS, fault.CodeOf(err))
	_, _, err = parse(text).Prepare(t.TempDir(), false)
	require.NoError(t, err, "there is a server that has its own")
	_, _, err = parse("scenario: a\nprofile: cms\nside: institution\ngive: [{name: EB21}]\ntls: {made: true}\n").Prepare(t.TempDir(), false)
	require.Equal(t, CodeMade, fault.CodeOf(err))
}
