package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
)

// refusedChanges holds that changes to a profile are refused at a path, with what was expected.
func refusedChanges(t *testing.T, base, changes, path, expected string) {
	t.Helper()
	_, err := Parse("a.yaml", []byte("profile: a\nextends: "+base+"\n"+changes))
	require.Error(t, err, changes)
	var seen []string
	for _, e := range faults(err) {
		seen = append(seen, e.Error())
		if e.Args["path"] == path && strings.Contains(wanted(t, catalog.EN, e), expected) {
			require.NotEmpty(t, e.Args["file"])
			require.NotEmpty(t, e.Args["line"])
			return
		}
	}
	require.Fail(t, "not told", "%q: %s %q not in\n%s", changes, path, expected, strings.Join(seen, "\n"))
}

// A row that is too narrow for what must stand in it one day is found when the
// profile is loaded.
func TestRoomMistakes(t *testing.T) {
	for _, c := range []struct{ name, base, changes, path, expected string }{
		{"a name wider than its row", "cms", "files: {name_width: 12}\n", "files.name_width", "at most 8, which is the row of the name in telegrams.info"},
		{"… than a row elsewhere", "cms", "bodies:\n  inquiry: {query_name: {width: 6}}\n", "files.name_width", "at most 6, which is the row of the name in telegrams.inquiry"},
		{"… than a row of a part", "kfb", "parts: {trailer: {rows: [{title: x, field: name, type: AN, width: 3}]}}\n", "files.name_width", "at most 3, which is the row of the name in parts.trailer"},
		{"a telegram longer than its length", "cms", "framing: {max: 20000}\n", "framing.max", "at most 10003, which is what a length of 4 digits can say; one in binary has type I or IL"},
		{"… than two bytes can say", "cms", "header: {length: {type: I, width: 2}}\nframing: {width: 2, max: 70000}\n", "framing.max", "at most 65537, which is what a length of 2 bytes can say"},
		{"a binary length typed as text", "cms", "header: {length: {type: AN, width: 2}}\nframing: {width: 2}\n", "files.message_size", "can say: its length has 2 digits; one in binary has type I or IL"},
		{"… and telegrams that are longer", "cms", "header: {length: {type: AN, width: 1}}\nframing: {width: 1}\n", "telegrams.open", "its length has 1 digits"},
		{"a number in bytes", "cms", "bodies:\n  info: {size: {type: B}}\n", "bodies.info[1].type", "I or IL in binary"},
		{"a length of data that is too narrow", "cms", "bodies:\n  data: {data_length: {width: 3}}\n", "files.message_size", "at most 1037, as the row data_length of telegrams.data holds numbers up to 999"},
		{"an agreed size that is too narrow", "cms", "bodies:\n  info: {message_size: {width: 3}}\n", "files.message_size", "at most 999, which is what the row message_size of telegrams.info holds"},
		{"more missing than can be said", "cms", "bodies:\n  check-reply: {missing: {width: 2}}\n", "files.per_block", "at most 99, as so many can be missing"},
		{"a further length that is too narrow", "cms", "header:\n  business: {field: length, width: 3, value: , type: N}\n", "telegrams.data", "a further length, at offset 4, that can say the 4100 bytes"},
		{"a map of fixed width that is not said", "cms", "bodies:\n  check-reply: {map: {width: 100}}\n", "files.map_width", "100, which is the row map of telegrams.check-reply; or width last"},
		{"… and too narrow", "cms", "bodies:\n  check-reply: {map: {width: 50, type: AN}}\n", "files.map_width", "50, which is the row map"},
		{"a map up to the last one of fixed width", "cms", "files: {map_width: 100}\n", "files.map_width", "0, as the row map of telegrams.check-reply ends with the last sequence; or 100"},
		{"a list that has no room", "cms", "files: {map: numbers, per_block: 999}\nframing: {max: 2000}\nbodies:\n  check-reply: {map: {width: rest}}\n", "files.per_block", "at most 652, as a list"},
		{"codes of two widths", "cms", "telegrams:\n  info-reply: {override: {response: {field: ours, type: N, width: 3}}}\nbodies:\n  info:\n    message_size: {field: response, type: N, width: 4}\n", "telegrams.info-reply", "a row response of 3 bytes, as telegrams.open-reply has"},
		{"a code of the centre that does not fit", "edi", "session: {hub: CENTRECENTRECENTRECENTRE}\n", "session.hub", "bytes, which is what the row from of telegrams."},
		{"a cipher without room", "cms", "bodies:\n  work: {sender_password: {width: 12}}\n", "session.cipher", "a row sender_password of 16 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) { refusedChanges(t, c.base, c.changes, c.path, c.expected) })
	}
}

// Where no length bounds a telegram the profile does, also upwards.
func TestLongestOfDelimited(t *testing.T) {
	p, err := Parse("a.yaml", []byte("profile: a\nextends: cms\nframing: {offset: , width: , counts: , ends: \"hex:FFEF\", max: 40000}\n"))
	require.NoError(t, err)
	require.Equal(t, 40000, p.frame.maxTotal)
}
