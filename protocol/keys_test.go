package protocol

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"

	"pabal/internal/strictyaml"
)

// A value of another kind than its key takes is refused with file and line,
// whatever the key: a list for a word, a number or a map, a word for a list.
func TestEveryKeyOfAnotherKind(t *testing.T) {
	var look func(typ reflect.Type, before []string)
	tried := 0
	look = func(typ reflect.Type, before []string) {
		for key, inner := range strictyaml.Keys(typ) {
			path := append(before[:len(before):len(before)], key)
			switch inner.Kind() {
			case reflect.Struct:
				look(inner, path)
			case reflect.Map:
				if e := inner.Elem(); e.Kind() == reflect.Struct {
					look(e, append(path, map[string]string{"telegrams": "open"}[key]))
				}
			case reflect.Slice:
				if e := inner.Elem(); e.Kind() == reflect.Struct && key == "header" {
					look(e, append(path, "type"))
				}
			}
			wrong := "[[1], [2]]"
			if inner.Kind() == reflect.Slice {
				wrong = "word"
			}
			if key == "extends" || key == "profile" || strings.Contains(strings.Join(path, "."), "..") {
				continue // said where documents are put together
			}
			text, line := "profile: a\nextends: cms\n", 2
			for i, step := range path {
				text += strings.Repeat("  ", i) + step + ":"
				if line++; i < len(path)-1 {
					text += "\n"
				}
			}
			text += " " + wrong + "\n"
			tried++
			_, err := Parse("my.yaml", []byte(text))
			require.Error(t, err, text)
			told := false
			for _, e := range faults(err) {
				require.NotEmpty(t, e.Args["file"], text)
				n, _ := strconv.Atoi(e.Args["line"])
				told = told || e.Args["file"] == "my.yaml" && n >= 3 && n <= line
			}
			require.True(t, told, "%s\n%v", text, err)
		}
	}
	look(reflect.TypeFor[Spec](), nil)
	require.Greater(t, tried, 80, "every key but those of bodies, which are those of the header")
}

// A value out of range, or one that names what is not there, is refused at its
// path with what was expected.
func TestKeysOutOfRange(t *testing.T) {
	for _, c := range []struct{ changes, path, expected string }{
		{"charset: utf-8", "charset", "euc-kr, ascii, ebcdic"},
		{"certainty: maybe", "certainty", "assumed"},
		{"framing: {offset: 3}", "framing.offset", "a header row for the length"},
		{"framing: {width: 0}", "framing.width", "1…10"},
		{"framing: {width: 11}", "framing.width", "1…10"},
		{"framing: {counts: most}", "framing.counts", "rest, self, body, all"},
		{"framing: {max: -1}", "framing.max", "at most"},
		{"framing: {max: 2000000}", "framing.max", "at most"},
		{"framing: {max: 20}", "telegrams.open", "at most 20 bytes"},
		{"framing: {ends: X}", "framing.ends", "either ends, or"},
		{"framing: {offset: , width: , counts: , ends: \"hex:F\"}", "framing.ends", "1…16 bytes"},
		{"header: {business: {type: Z}}", "header[1].type", "N, A, AN, C, H, B, I, IL"},
		{"header: {business: {width: 0}}", "header[1].width", "a number"},
		{"header: {business: {width: 10000}}", "header[1].width", "1…9999"},
		{"header: {business: {value: \"hex:0\"}}", "header[1].value", "hex:02FF"},
		{"header: {business: {align: middle}}", "header[1].align", "left, right"},
		{"header: {business: {fill: ab}}", "header[1].fill", "one character"},
		{"header: {business: {counts: rest}}", "header[1].counts", "only a length counts"},
		{"header: {business: {format: MMdd}}", "header[1].format", "sent_at, date"},
		{"header: {business: {max: -1}}", "header[1].max", "at least 1"},
		{"header: {length: {counts: half}}", "header[0].counts", "framing.counts says"},
		{"telegrams: {open: {type: \"06\"}}", "telegrams.open.type", "4 characters"},
		{"telegrams: {open: {body: nobody}}", "telegrams.open.body", "a layout under bodies"},
		{"telegrams: {open: {where: {nobody: x}}}", "telegrams.open.where.nobody", "a field of this telegram"},
		{"telegrams: {open: {where: {work: \"0012\"}}}", "telegrams.open.where.work", "at most 3 bytes"},
		{"telegrams: {open: {override: {nobody: {type: N, width: 1}}}}", "telegrams.open.override.nobody", "a field of the header"},
		{"telegrams: {open: {override: {name: {field: name, type: AN, width: 7}}}}", "telegrams.open.override.name.width", "8"},
		{"telegrams: {opening: {type: \"0600\"}}", "telegrams.opening", "open"},
		{"letters: {direction: {sideways: X}}", "letters.direction.sideways", "upload, download"},
		{"letters: {issuer: {nobody: X}}", "letters.issuer.nobody", "institution, centre"},
		{"letters: {direction: {upload: RR}}", "letters.direction.upload", "one character"},
		{"letters: {direction: {download: R}}", "letters.direction.download", "another letter"},
		{"letters: {missing: \"1\"}", "letters.missing", "another letter"},
		{"session: {opens: nobody}", "session.opens", "sender"},
		{"session: {closes: driver}", "session.closes", "institution, centre, sender, receiver"},
		{"session: {connects: anybody}", "session.connects", "either"},
		{"session: {closes: receiver, more: unsaid}", "session.closes", "sender, where session.more is unsaid"},
		{"session: {opens: receiver, fetch: request}", "session.fetch", "open, where session.opens is receiver"},
		{"session: {fetch: never}", "session.fetch", "open, request"},
		{"session: {cipher: rot13}", "session.cipher", "kftc"},
		{"session: {nothing: silence}", "session.nothing", "end-close"},
		{"session: {resends: 101}", "session.resends", "0…100"},
		{"session: {reply: 0s}", "session.reply", "60s"},
		{"session: {first: 0s}", "session.first", "60s"},
		{"files: {name_width: 0}", "files.name_width", "1…255"},
		{"files: {per_block: 1000}", "files.per_block", "1…999"},
		{"files: {per_block: 0}", "files.per_block", "1…999"},
		{"files: {max_block: 0}", "files.max_block", "1…"},
		{"files: {first_block: 2}", "files.first_block", "0…1"},
		{"files: {first_sequence: 2}", "files.first_sequence", "0…1"},
		{"files: {sequences: walking}", "files.sequences", "restart, running"},
		{"files: {packing: loose}", "files.packing", "whole, filled, one"},
		{"files: {counts: most}", "files.counts", "rest, all, data"},
		{"files: {announce: never}", "files.announce", "always, upload"},
		{"files: {announce_size: half}", "files.announce_size", "full, zeros"},
		{"files: {check: file}", "files.check", "block, none"},
		{"files: {map: letters}", "files.map", "marks, numbers"},
		{"files: {map_width: 99}", "files.map_width", "per_block at least"},
		{"files: {map_width: 1000}", "files.map_width", "per_block at least"},
		{"files: {resend: never}", "files.resend", "batch, rest, each"},
		{"files: {rounds: 1001}", "files.rounds", "1…1000"},
		{"files: {pause: -1s}", "files.pause", "5s"},
		{"files: {resume: records}", "files.resume", "bytes"},
		{"files: {settle: never}", "files.settle", "again, inquiry"},
		{"files: {repeat: never}", "files.repeat", "refuse, absorb, new"},
		{"files: {sizes: none}", "files.sizes", "wire, file"},
		{"files: {proofs: {send: [luck]}}", "files.proofs.send", "end_reply"},
		{"files: {proofs: {receive: [luck]}}", "files.proofs.receive", "blocks"},
		{"responses: {fine: \"000\"}", "responses.fine", "ok"},
		{"responses: {other: }", "responses", "a code"},
		{"results: {look: {whole: \"000\"}}", "results.look", "inquiry, cancel"},
		{"results: {inquiry: {fine: \"000\"}}", "results.inquiry.fine", "unfinished"},
		{"results: {inquiry: {done: \"001\"}}", "results.inquiry.done", "unfinished"},
		{"results: {inquiry: {whole: \"0\"}}", "results.inquiry.whole", "3 characters"},
		{"results: {inquiry: {data: [\"413\", \"415\"]}}", "results.inquiry.data", "another code than results.inquiry.nothing"},
		{"results: {inquiry: {whole: }}", "results.inquiry", "\"000\""},
		{"results: {cancel: {late: []}}", "results.cancel", "\"000\""},
		{"results: {cancel: }", "results.cancel", "row result in telegrams.cancel-reply"},
		{"bodies: {inquiry: {result: }}\nresults: {inquiry: {whole: \"001\"}}", "results.inquiry.whole", "000, which is responses.ok"},
		{"meanings: {\"001\": fine}", "meanings.001", "retry"},
		{"meanings: {\"000\": retry}", "meanings.000", "ok"},
	} {
		_, err := Parse("my.yaml", []byte("profile: a\nextends: cms\n"+c.changes+"\n"))
		if err == nil {
			t.Errorf("%s is let in", c.changes)
			continue
		}
		var seen []string
		told := false
		for _, e := range faults(err) {
			seen = append(seen, e.Error())
			told = told || e.Args["path"] == c.path && e.Args["line"] != "" && strings.Contains(wanted(t, catalog.EN, e), c.expected)
		}
		if !told {
			t.Errorf("%s: %s %q not in\n%s", c.changes, c.path, c.expected, strings.Join(seen, "\n"))
		}
	}
}
