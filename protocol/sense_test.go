package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What can never work, or would endanger data, is refused when it is loaded.
func TestSenseMistakes(t *testing.T) {
	for _, c := range []struct{ name, base, changes, path, expected string }{
		{"telegrams that both are", "cms", "telegrams:\n  close: {where: {work: \"003\", direction: R}}\n", "telegrams.close.where", "another value than telegrams.end of the same type"},
		{"telegrams told by different rows", "cms", "telegrams:\n  close: {where: {work: , direction: R}}\n", "telegrams.close.where", "another value than telegrams.open of the same type"},
		{"a field twice in a body", "cms", "bodies:\n  check:\n    - {title: a, field: block, type: N, width: 4}\n    - {title: b, field: sequence, type: N, width: 3}\n    - {title: c, field: sequence, type: N, width: 3}\n", "bodies.check[2].field", "telegrams.check has a row of it before this one"},
		{"digits that end a telegram", "hyundai", "framing: {ends: \"00\"}\n", "framing.ends", "digits and blanks fill the rows"},
		{"a constant that ends a telegram", "hyundai", "framing: {ends: FTE}\n", "framing.ends", "of telegrams.info contains them"},
		{"a refusal that reads as whole", "cms", "responses: {size: \"630\"}\n", "responses.size", "another code than one with the meaning complete"},
		{"a meaning that is wrong for it", "cms", "meanings: {\"632\": complete}\n", "responses.name", "another code than one with the meaning complete"},
		{"a refusal that reads as nothing", "cms", "meanings: {\"310\": nothing}\n", "responses.sender", "another code than one with the meaning nothing"},
		{"a gap between rows", "cms", "bodies:\n  check: {sequence: {at: 37}}\n", "bodies.check[1].at", "36, which is where the row before it ends"},
		{"a header row that begins too soon", "cms", "header: {name: {at: 20}}\n", "header[6].at", "21, which is"},
		{"a row of a part that is elsewhere", "kfb", "parts: {trailer: {rows: [{title: x, field: name, type: AN, width: 8, at: 1}]}}\n", "parts.trailer.rows[0].at", "2, which is"},
		{"a total that its rows do not have", "cms", "telegrams: {check: {bytes: 40}}\n", "telegrams.check.bytes", "39, which is what its rows have"},
		{"files larger than their size can say", "cms", "bodies:\n  info: {size: {width: 6}}\nlimits: {size: 2000000}\n", "limits.size", "at most 999999, which is what the rows of size"},
		{"files larger than can be numbered", "cms", "limits: {size: 99999999999}\n", "limits.size", "at most 4056594300,"},
	} {
		t.Run(c.name, func(t *testing.T) { refusedChanges(t, c.base, c.changes, c.path, c.expected) })
	}
}

// A file whose size the telegrams cannot say is refused when it is stored.
func TestLargestSaid(t *testing.T) {
	p, err := Parse("a.yaml", []byte("profile: a\nextends: cms\nbodies:\n  info: {size: {width: 6}}\n"))
	require.NoError(t, err)
	require.EqualValues(t, 999999, p.MaxFile(4057))
	require.Contains(t, p.Page("en"), "| largest file in bytes | 999999 |")
	p, err = Parse("a.yaml", []byte("profile: a\nextends: cms\nbodies:\n  info: {size: {width: 6}}\nfiles: {announce_size: zeros, resume: none, proofs: {receive: [blocks]}}\n"))
	require.NoError(t, err)
	require.EqualValues(t, 9999*100*4057, p.MaxFile(4057), "nobody says it")
}

// Offsets and totals of the document are compared where they are said.
func TestOffsetsOfTheDocument(t *testing.T) {
	_, err := Parse("a.yaml", []byte("profile: a\nextends: cms\nheader: {length: {at: 0}, name: {at: 21}}\nbodies:\n  check: {sequence: {at: 36}}\ntelegrams: {check: {bytes: 39}, data: {bytes: 43}}\n"))
	require.NoError(t, err)
}
