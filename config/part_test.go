package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// TestEveryKeyHasItsPart: who adds a key at the top decides whose it is.
func TestEveryKeyHasItsPart(t *testing.T) {
	for key, part := range keyParts() {
		require.Contains(t, []string{partHost, partShared}, part, key)
	}
}

const hostPart = `environment: test
host: bat01
database: { url: "sqlite:pabal.db" }
system: { SCAN_DIRECTORY_NAME: s, WORK_DIRECTORY_NAME: w, RECEIVE_DIRECTORY_NAME: r }
`

const sharedPart = `# what all hosts share
zone: Asia/Seoul
instances:
  - {id: instance_A, listen: [{address: "0.0.0.0:9100", profile: cms}]}
  - {id: instance_B, listen: [{address: "0.0.0.0:9101", profile: cms}]}
routers: [{id: fileScanRouter, kind: instance, instance: instance_A}]
institutions:
  # the clearing centre
  - code: KFTC
    profile: cms
    side: institution
    wire_code: "00012345"
    instance: instance_A
    connect: "127.0.0.1:9001"
    sender: {name: kim, password: "${env:KFTC}"}
    options: {gzip: "true"}
`

func secrets(name string) (string, bool) { return "value of " + name, true }

func source(t *testing.T, text string) *Source {
	t.Helper()
	f, err := split([]byte(text), "pabal.yaml", "/site")
	require.NoError(t, err)
	return f
}

// TestAnchorsBetweenTheParts: what one part takes from the other by an alias
// stands in the document, which is read without that other part. Aliases
// within a part stay as they are written.
func TestAnchorsBetweenTheParts(t *testing.T) {
	text := strings.Replace(hostPart, "host: bat01", "host: &here bat01\nruns: [ { instance: instance_A, listen: &both [ { address: \"127.0.0.1:9100\", profile: &p cms } ] } ]", 1) +
		strings.NewReplacer(
			`listen: [{address: "0.0.0.0:9100", profile: cms}]`, "listen: *both",
			"    profile: cms", "    profile: *p",
			`code: KFTC`, "code: &code KFTC\n    name: *code",
		).Replace(sharedPart)
	both := source(t, text)
	whole, err := both.Config(secrets)
	require.NoError(t, err)
	document, err := both.Document()
	require.NoError(t, err)
	require.NotContains(t, document, "*both")
	require.NotContains(t, document, "*p")
	require.Contains(t, document, "name: *code")
	shared, err := ReadDocument(document, "version 1")
	require.NoError(t, err, document)
	apart, err := source(t, text).With(shared, secrets)
	require.NoError(t, err, document)
	require.Equal(t, whole.Instances, apart.Instances)
	require.Equal(t, "127.0.0.1:9100", apart.Instances[0].Listen[0].Address)
	require.Equal(t, []string{"KFTC", "KFTC", "cms"}, []string{apart.Institutions[0].Code, apart.Institutions[0].Name, apart.Institutions[0].Profile})

	// A part of the shared one that the host uses is not touched by it.
	back := source(t, "zone: &z Asia/Seoul\n"+strings.Replace(hostPart, "host: bat01", "host: *z", 1)+strings.Replace(sharedPart, "zone: Asia/Seoul\n", "", 1))
	c, err := back.Config(secrets)
	require.NoError(t, err)
	require.Equal(t, "Asia/Seoul", c.Host)

	// What cannot be written out is refused, and takes neither time nor memory.
	for _, odd := range []string{
		"host: &x [*x]\njobs: *x\n",
		"host: [&a [x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d]]\njobs: *e\n",
	} {
		f, err := split([]byte(odd), "odd.yaml", "/site")
		if err != nil {
			continue
		}
		text, err := f.Document()
		if err == nil {
			require.Less(t, len(text), 1<<20)
			_, err = ReadDocument(text, "odd.yaml")
		}
		require.Error(t, err)
	}
}

// TestPartsTogetherAreTheWhole: one file with both parts means what the two
// mean apart, and the document is the same text, wherever it came from.
func TestPartsTogetherAreTheWhole(t *testing.T) {
	for _, text := range []string{hostPart + sharedPart, sharedPart + hostPart, Example("ko"), Example("en")} {
		both := source(t, text)
		whole, err := both.Config(secrets)
		require.NoError(t, err)
		require.True(t, whole.Complete())
		text, err := both.Document()
		require.NoError(t, err)
		require.NotContains(t, text, "DIRECTORY_NAME")

		document, err := ReadDocument(text, "version 1")
		require.NoError(t, err)
		again, err := document.Document()
		require.NoError(t, err)
		require.Equal(t, text, again, "a document that is read and written stays as it is")

		apart, err := both.With(document, secrets)
		require.NoError(t, err)
		apart.index, whole.index = index{}, index{}
		require.Equal(t, whole, apart)
	}
	text, err := source(t, hostPart+sharedPart).Document()
	require.NoError(t, err)
	require.Equal(t, sharedPart, text, "comments and order are kept")
}

func TestAHostsOwnFile(t *testing.T) {
	own := source(t, hostPart+"runs: [{instance: instance_B, listen: [{address: \"10.0.0.1:77\", profile: edi}, {address: nonsense, profile: edi}]}]\n")
	require.False(t, own.HasShared())
	c, err := own.Config(secrets)
	require.NoError(t, err)
	require.False(t, c.Complete())
	require.True(t, c.RunsHere("instance_B"))
	require.False(t, c.RunsHere("instance_A"))

	document, err := ReadDocument(sharedPart, "version 3")
	require.NoError(t, err)
	_, err = own.With(document, secrets)
	var problems Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 1)
	require.Equal(t, "pabal.yaml", problems[0].File, "the addresses are the host's")
	require.Equal(t, 5, problems[0].Line)
	require.Equal(t, CodeBadAddress, problems[0].Err.Code)

	document, err = ReadDocument(strings.Replace(sharedPart, "side: institution", "side: both", 1), "version 3")
	require.NoError(t, err)
	_, err = source(t, hostPart+"runs: [{instance: instance_C}]\n").With(document, secrets)
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 2)
	require.Equal(t, []string{"pabal.yaml", "version 3"}, []string{problems[0].File, problems[1].File})
	require.Equal(t, []int{5, 11}, []int{problems[0].Line, problems[1].Line})
	require.Equal(t, CodeNoInstance, problems[0].Err.Code)

	// Instances of other hosts may have the same address.
	document, err = ReadDocument(strings.Replace(sharedPart, "9101", "9100", 1), "version 3")
	require.NoError(t, err)
	_, err = source(t, hostPart+"runs: [{instance: instance_B}]\n").With(document, secrets)
	require.NoError(t, err)
	_, err = source(t, hostPart).With(document, secrets)
	require.Equal(t, CodeAddressTwice, fault.CodeOf(err))

	// Where an instance of another host listens may stand in that host's file.
	quiet := strings.Replace(sharedPart, `, listen: [{address: "0.0.0.0:9100", profile: cms}]`, "", 1)
	quiet = regexp.MustCompile(`(?m)^ *connect:.*\n`).ReplaceAllString(quiet, "")
	require.NotContains(t, quiet, "connect:")
	document, err = ReadDocument(quiet, "version 3")
	require.NoError(t, err)
	_, err = source(t, hostPart+"runs: [{instance: instance_B}]\n").With(document, secrets)
	require.NoError(t, err)
	_, err = source(t, hostPart+"runs: [{instance: instance_A}]\n").With(document, secrets)
	require.Equal(t, CodeNobodyConnects, fault.CodeOf(err))

	_, err = source(t, strings.Replace(hostPart, "sqlite:pabal.db", "postgres://db/pabal", 1)).Config(nil)
	require.Equal(t, CodeRequired, fault.CodeOf(err), "hosts that share a database say what they run")
}

func TestADocumentHasNothingOfAHost(t *testing.T) {
	_, err := ReadDocument(hostPart+sharedPart, "shared.yaml")
	var problems Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 4)
	for n, p := range problems {
		require.Equal(t, CodeHostKey, p.Err.Code)
		require.Equal(t, []any{"shared.yaml", n + 1}, []any{p.File, p.Line})
	}
	document, err := ReadDocument("zoone: UTC\n"+sharedPart, "shared.yaml")
	require.NoError(t, err)
	_, err = source(t, hostPart).With(document, nil)
	require.ErrorAs(t, err, &problems)
	require.Equal(t, CodeUnknownKeyNear, problems[0].Err.Code)
	require.Equal(t, "shared.yaml", problems[0].File)

	for _, text := range []string{"", "- a\n", "zone: [\n", "a: 1\n---\nb: 1\n"} {
		_, err := ReadDocument(text, "shared.yaml")
		require.ErrorAs(t, err, &problems, "%q", text)
	}
}

// TestSecretsOfADocument: references stay, what is written out is refused in
// every environment and never shown: a document is stored.
func TestSecretsOfADocument(t *testing.T) {
	open := strings.Replace(sharedPart, `"${env:KFTC}"`, "geheim", 1)
	open = strings.Replace(open, `{gzip: "true"}`, `{gzip: "true", transfer_password: geheim2}`, 1)
	for _, environment := range environments() {
		host := strings.Replace(hostPart, "test", environment, 1)
		_, err := source(t, host+open).Config(nil)
		var problems Problems
		require.ErrorAs(t, err, &problems)
		require.Len(t, problems, 2)
		require.Equal(t, CodeSecretLiteral, problems[0].Err.Code)
		require.NotContains(t, err.Error(), "geheim")
		document, err := ReadDocument(open, "shared.yaml")
		require.NoError(t, err)
		_, err = source(t, host).With(document, nil)
		require.ErrorAs(t, err, &problems)
		_, err = source(t, host+sharedPart).Config(secrets)
		require.NoError(t, err)
		_, err = source(t, strings.Replace(host, `"sqlite:pabal.db"`, `"sqlite:pabal.db", password: geheim`, 1)+sharedPart).Config(secrets)
		require.NoError(t, err, "the host's own part is stored nowhere")
	}

	require.Equal(t, sharedPart, Mask(sharedPart), "references and switches stay")
	shown := Mask(open)
	require.NotContains(t, shown, "geheim")
	require.Equal(t, 2, strings.Count(shown, `"***"`))
	require.NotContains(t, Mask("sender: { pass_word: geheim, other: [ { password: geheim } ] }\n"), "geheim", "also where no key is known")
	require.NotContains(t, Mask("password: [geheim\n"), "geheim", "also what cannot be read")
}

func TestEnvironmentOfABrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pabal.yaml")
	require.Empty(t, Environment(path))
	require.NoError(t, os.WriteFile(path, []byte("environment: production\nhosts: 3\n"), 0o600))
	require.Equal(t, "production", Environment(path))
}

// TestMaskKnowsEverySecret: wherever the type is used, the value is hidden.
func TestMaskKnowsEverySecret(t *testing.T) {
	var count func(reflect.Type) int
	count = func(t reflect.Type) int {
		n := 0
		switch {
		case t == typeSecret:
			return 1
		case t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
			return count(t.Elem())
		case t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Config]().PkgPath():
			for i := range t.NumField() {
				if t.Field(i).Tag.Get("yaml") != "" {
					n += count(t.Field(i).Type)
				}
			}
		}
		return n
	}
	require.GreaterOrEqual(t, count(reflect.TypeFor[Institution]()), 3)
	require.NotContains(t, Mask("institutions: [{sender: {password: geheim}, expect: {password: geheim}, options: {x: geheim}}]\n"), "geheim")
}

// TestCommentsKeepNoSecret: a document is stored with its comments. A password
// that somebody has only commented out is not.
func TestCommentsKeepNoSecret(t *testing.T) {
	text := "# password: geheim\n" + sharedPart
	text = strings.Replace(text, "  # the clearing centre\n", "  # sender: { name: kim, password: 'geheim 1' } # and PASSWORD = \"geheim 2\"\n", 1)
	text = strings.Replace(text, `    options: {gzip: "true"}`, `    options: {gzip: "true"} # transfer_password: geheim3, or ${env:KFTC}`, 1) + "# expect: { password: geheim4 }\n"
	text = strings.Replace(text, "zone: Asia/Seoul\n", "zone: Asia/Seoul # password: \"${file:/etc/pw}\"\n", 1)
	stored, err := source(t, hostPart+text).Document()
	require.NoError(t, err)
	require.NotContains(t, stored, "geheim")
	require.Contains(t, stored, `password: "${file:/etc/pw}"`)
	require.Contains(t, stored, "# sender: { name: kim, password: *** }")
	require.Contains(t, stored, "or ${env:KFTC}")
	require.NotContains(t, Mask(text), "geheim")
	again, err := ReadDocument(stored, "version 1")
	require.NoError(t, err)
	twice, err := again.Document()
	require.NoError(t, err)
	require.Equal(t, stored, twice)
}
