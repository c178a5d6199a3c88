package naming

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
)

var seoul = time.FixedZone("KST", 9*60*60)

// march20 is the day of the example in design §5.
var march20 = time.Date(2026, 3, 20, 23, 59, 1, 0, seoul)

func TestScriptExpand(t *testing.T) {
	vars := Vars{FileID: "EA11", Institution: "KFTC", Job: "CMS", Serial: "0012",
		BaseDate: "20260320", Clock: "235901"}
	for script, want := range map[string]string{
		"${FILE_ID:4}+${MMdd:4}":               "EA110320",
		"${FILE_ID}":                           "EA11",
		"${FILE_ID:2}+${yyMMdd}":               "EA260320",
		"${yyyyMMdd:6}":                        "202603",
		"${INSTITUTION}+_+${JOB:1}":            "KFTC_C",
		" ${FILE_ID} + ${SEQ:3} ":              "EA11001",
		"${HHmmss:4}":                          "2359",
		"literal":                              "literal",
		"KB_${yyyyMMdd}.txt":                   "KB_20260320.txt",
		"${FILE_ID:4}${MMdd:4}":                "EA110320",
		"한글+${MMdd}":                           "한글0320",
		"${INSTITUTION:4}+${JOB:3}+${SEQ}+end": "KFTCCMS0012end",
	} {
		s, err := CompileScript(script)
		require.NoError(t, err, script)
		got, err := s.Expand(vars)
		require.NoError(t, err, script)
		require.Equal(t, want, got, script)
	}
}

func TestScriptTakesCharactersNotBytes(t *testing.T) {
	s, err := CompileScript("${JOB:2}")
	require.NoError(t, err)
	got, err := s.Expand(Vars{Job: "출금이체"})
	require.NoError(t, err)
	require.Equal(t, "출금", got)
	_, err = s.Expand(Vars{Job: "출"})
	require.Equal(t, CodeScriptShort, fault.CodeOf(err))
}

func TestScriptRefusals(t *testing.T) {
	for script, want := range map[string]fault.Code{
		"":                     CodeScriptEmptyPart,
		"${FILE_ID}+":          CodeScriptEmptyPart,
		"+A":                   CodeScriptEmptyPart,
		"A++B":                 CodeScriptEmptyPart,
		"${FILE_ID":            CodeScriptUnclosed,
		"${FILE_ID+${MMdd}":    CodeScriptUnclosed,
		"${FILEID}":            CodeScriptUnknownName,
		"${mmdd}":              CodeScriptUnknownName,
		"${WIRE_NAME}":         CodeScriptUnknownName,
		"${}":                  CodeScriptUnknownName,
		"${FILE_ID:0}":         CodeScriptWidth,
		"${FILE_ID:x}":         CodeScriptWidth,
		"${FILE_ID:}":          CodeScriptWidth,
		"${FILE_ID:-4}":        CodeScriptWidth,
		"${MMdd:5}":            CodeScriptWidth,
		"${FILE_ID:256}":       CodeScriptWidth,
		"$(FILE_ID)":           CodeScriptStray,
		"{FILE_ID}":            CodeScriptStray,
		"${SEQ:2}+-+${SEQ:2}":  CodeScriptSerialTwice,
		"${FILE_ID:4}}+${JOB}": CodeScriptStray,
	} {
		_, err := CompileScript(script)
		require.Equal(t, want, fault.CodeOf(err), "%q: %v", script, err)
	}
	for script, want := range map[string]fault.Code{
		"${FILE_ID:5}": CodeScriptShort,
		"${JOB}":       CodeScriptShort,
		"${MMdd}":      CodeScriptShort,
		"${SEQ}":       CodeSerialMissing,
	} {
		s, err := CompileScript(script)
		require.NoError(t, err, script)
		_, err = s.Expand(Vars{FileID: "EA11"})
		require.Equal(t, want, fault.CodeOf(err), script)
	}
}

func TestScriptMatch(t *testing.T) {
	newYear := time.Date(2027, 1, 2, 3, 0, 0, 0, seoul)
	leap := time.Date(2028, 3, 1, 0, 0, 0, 0, seoul)
	known := Vars{FileID: "EB22", Institution: "KFTC", Job: "CMS"}
	for _, tc := range []struct {
		script, wire string
		near         time.Time
		date, serial string
		ok           bool
	}{
		{"${FILE_ID:4}+${MMdd:4}", "EB220320", march20, "20260320", "", true},
		{"${FILE_ID:4}+${MMdd:4}", "EB221231", newYear, "20261231", "", true},
		{"${FILE_ID:4}+${MMdd:4}", "EB220103", time.Date(2026, 12, 31, 0, 0, 0, 0, seoul), "20270103", "", true},
		{"${FILE_ID:4}+${MMdd:4}", "EB221320", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB220230", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB220229", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB220229", leap, "20280229", "", true},
		{"${FILE_ID:4}+${MMdd:4}", "EB22032", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB2203200", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB210320", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB22O320", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "EB22٠٣٢٠", march20, "", "", false},
		{"${FILE_ID:4}+${MMdd:4}", "", march20, "", "", false},
		{"${FILE_ID:5}", "EB22", march20, "", "", false},
		{"${FILE_ID}", "EB22", march20, "", "", true},
		{"A+${yyMMdd}", "A991231", march20, "19991231", "", true},
		{"A+${yyMMdd}", "A250101", march20, "20250101", "", true},
		{"A+${yyyyMMdd}", "A18991231", march20, "18991231", "", true},
		{"A+${yyyyMMdd}+${MMdd}", "A202603200320", march20, "20260320", "", true},
		{"A+${yyyyMMdd}+${MMdd}", "A202603200321", march20, "", "", false},
		{"A+${yyyyMMdd:6}", "A202613", march20, "", "", false},
		{"A+${yyyyMMdd:6}", "A202612", march20, "", "", true},
		{"A+${HHmmss}", "A235959", march20, "", "", true},
		{"A+${HHmmss}", "A246060", march20, "", "", false},
		{"A+${SEQ:3}", "A012", march20, "", "012", true},
		{"A+${SEQ:3}", "A12", march20, "", "", false},
		{"A+${SEQ}", "A0012", march20, "", "0012", true},
		{"A+${SEQ}", "A", march20, "", "", false},
		{"A+${SEQ}+${MMdd}", "A00120320", march20, "20260320", "0012", true},
		{"A+${SEQ}+9", "A999", march20, "", "99", true},
	} {
		s, err := CompileScript(tc.script)
		require.NoError(t, err)
		got, ok := s.Match(tc.wire, known, tc.near)
		require.Equal(t, tc.ok, ok, "%s %s", tc.script, tc.wire)
		require.Equal(t, Found{BaseDate: tc.date, Serial: tc.serial}, got, "%s %s", tc.script, tc.wire)
	}
	s, err := CompileScript("${FILE_ID:4}+${MMdd:4}")
	require.NoError(t, err)
	known.BaseDate = "20260321"
	_, ok := s.Match("EB220320", known, march20)
	require.False(t, ok, "a known base date must agree")
}

// scriptGen draws scripts in which an open SEQ stands before a letter, so that
// what was expanded can be told apart again.
func scriptGen() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"${FILE_ID:4}", "${FILE_ID}", "${INSTITUTION:2}", "${JOB}", "${MMdd}", "${yyMMdd}", "${yyyyMMdd}",
			"${yyyyMMdd:4}", "${HHmmss:4}", "${HHmmss}", "A", "b-", "한", ".x",
		}), 1, 6).Draw(t, "parts")
		if rapid.Bool().Draw(t, "seq") {
			parts = append(parts, rapid.SampledFrom([]string{"${SEQ:3}", "Z+${SEQ}"}).Draw(t, "SEQ"))
		}
		text := parts[0]
		for _, p := range parts[1:] {
			text += "+" + p
		}
		return text
	})
}

func TestMatchReadsWhatExpandWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := scriptGen().Draw(t, "script")
		s, err := CompileScript(text)
		if err != nil {
			t.Fatal(err)
		}
		day := march20.AddDate(0, 0, rapid.IntRange(-150, 150).Draw(t, "days"))
		vars := Vars{FileID: "EB21XY", Institution: "KFTC", Job: "CMS",
			Serial:   rapid.StringMatching(`[0-9]{3}`).Draw(t, "serial"),
			BaseDate: day.Format("20060102"), Clock: day.Format("150405")}
		wire, err := s.Expand(vars)
		if err != nil {
			t.Fatal(err)
		}
		found, ok := s.Match(wire, Vars{FileID: vars.FileID, Institution: vars.Institution, Job: vars.Job}, march20)
		if !ok {
			t.Fatalf("%s made %s and does not match it", text, wire)
		}
		if found.BaseDate != "" && found.BaseDate != vars.BaseDate {
			t.Fatalf("%s: date %s of %s, want %s", text, found.BaseDate, wire, vars.BaseDate)
		}
		if found.Serial != "" && found.Serial != vars.Serial {
			t.Fatalf("%s: serial %s of %s, want %s", text, found.Serial, wire, vars.Serial)
		}
	})
}
