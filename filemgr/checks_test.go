package filemgr

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/transfer"
)

// check splits content and returns the failure, cutting the reads nowhere in
// particular; TestChecksDoNotDependOnReads cuts them everywhere.
func check(t *testing.T, form string, o CheckOptions, content string) (Result, error) {
	t.Helper()
	f, err := ParseForm(form)
	require.NoError(t, err)
	path := put(t, filepath.Join(t.TempDir(), "in"), []byte(content))
	return Split(context.Background(), path, SplitOptions{Form: f, Checks: o, Names: testNames,
		Geometry: transfer.Geometry{DataSize: 1000, PerBlock: 100}}, func(transfer.Block) error { return nil })
}

var testNames = Names{File: "SMALL.KFTC.CMS", WireName: "EB210320", FileID: "SMALL",
	BaseDate: time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)}

// A small file: H name(8) date(8), R kind(1) amount(6), T count(4) amount(8); records of 17.
var (
	smallChecks = CheckOptions{
		Header: &HeaderCheck{Mark: "H", Name: &Field{1, 8}, Date: &DateField{9, "yyyyMMdd"}},
		Trailer: &TrailerCheck{Mark: "T", Totals: []Total{
			{At: Field{1, 4}},
			{At: Field{5, 8}, Sum: &Field{2, 6}, Where: []Match{{1, "+"}}},
		}},
	}
	smallFile = []string{"HEB21032020260320", "R+000100         ", "R-000007         ", "R+000250         ", "T000300000350    "}
)

func small(change ...string) string {
	lines := append([]string(nil), smallFile...)
	for i := 0; i+1 < len(change); i += 2 {
		n := 0
		_, _ = fmt.Sscan(change[i], &n)
		lines[n] = change[i+1]
	}
	return strings.Join(lines, "")
}

func TestChecksPass(t *testing.T) {
	r, err := check(t, "fixed:17", smallChecks, small())
	require.NoError(t, err)
	require.Equal(t, int64(5), r.Records)
	_, err = check(t, "lines:lf:strip:17", smallChecks, strings.Join(smallFile, "\n")+"\n")
	require.NoError(t, err)
	_, err = check(t, "lines:crlf:keep", smallChecks, strings.Join(smallFile, "\r\n")+"\r\n")
	require.NoError(t, err)

	all := smallChecks
	all.Trailer = &TrailerCheck{Mark: "T", Totals: []Total{{At: Field{1, 4}, All: true}}}
	_, err = check(t, "fixed:17", all, small("4", "T0005            "))
	require.NoError(t, err)
}

// Bad content, each with its code, its place and both values.
func TestChecksFail(t *testing.T) {
	lf, crlf := strings.Join(smallFile, "\n")+"\n", strings.Join(smallFile, "\r\n")+"\r\n"
	for _, c := range []struct {
		name, form, content string
		code                fault.Code
		args                fault.Args
	}{
		{"empty", "fixed:17", "", CodeEmpty, nil},
		{"does not divide", "fixed:17", small() + "123", CodeRecordLength,
			fault.Args{"record": "6", "offset": "85", "size": "88", "length": "17", "rest": "3"}},
		{"header mark", "fixed:17", small("0", "hEB21032020260320"), CodeHeaderMark, fault.Args{"record": "1", "offset": "0", "want": "H", "got": "x"}},
		{"header name", "fixed:17", small("0", "HEB22032020260320"), CodeHeaderName, fault.Args{"record": "1", "offset": "1", "want": "EB210320", "got": "EB220320"}},
		{"header name is none", "fixed:17", small("0", "H1101234520260320"), CodeHeaderName, fault.Args{"record": "1", "offset": "1", "want": "EB210320", "got": "99999999"}},
		{"header date of birth", "fixed:17", small("0", "HEB21032019900101"), CodeHeaderDate, fault.Args{"record": "1", "offset": "9", "want": "20260320", "got": "99999999"}},
		{"header date", "fixed:17", small("0", "HEB21032020250320"), CodeHeaderDate, fault.Args{"record": "1", "offset": "9", "want": "20260320", "got": "20250320"}},
		{"header date is none", "fixed:17", small("0", "HEB210320\xb1\xe8      "), CodeHeaderDate, fault.Args{"record": "1", "offset": "9", "want": "20260320", "got": "가"}},
		{"trailer mark", "fixed:17", small("4", "R000300000350    "), CodeTrailerMark, fault.Args{"record": "5", "offset": "68", "want": "T", "got": "x"}},
		{"no trailer at all", "fixed:17", smallFile[0], CodeTrailerMark, fault.Args{"record": "1", "offset": "0", "want": "T", "got": ""}},
		{"count", "fixed:17", small("4", "T000400000350    "), CodeCount, fault.Args{"record": "5", "offset": "69", "want": "4", "got": "3"}},
		{"amount", "fixed:17", small("4", "T000300000351    "), CodeAmount, fault.Args{"record": "5", "offset": "73", "want": "351", "got": "350"}},
		{"trailer is no number", "fixed:17", small("4", "T00O300000350    "), CodeNumber, fault.Args{"record": "5", "offset": "69"}},
		{"amount is no number", "fixed:17", small("3", "R+00025x         "), CodeNumber, fault.Args{"record": "4", "offset": "53"}},
		{"amount in a skipped record", "fixed:17", small("2", "R-ABCDEF         "), "", nil},
		{"short line", "lines:lf:strip:17", strings.Replace(lf, "000100         ", "000100", 1), CodeLineLength, fault.Args{"record": "2", "offset": "18", "want": "17", "got": "8"}},
		{"long line", "lines:lf:strip:17", strings.Replace(lf, "000100", "000100+++++++", 1), CodeLineLength, fault.Args{"record": "2", "offset": "18", "want": "17", "got": ">17"}},
		{"long line by one", "lines:lf:strip:17", strings.Replace(lf, "000100", "000100+", 1), CodeLineLength, fault.Args{"record": "2", "offset": "18", "want": "17", "got": "18"}},
		{"CRLF for LF", "lines:lf:strip:17", crlf, CodeLineEnd, fault.Args{"record": "1", "offset": "0", "want": "LF", "got": "CRLF"}},
		{"LF for CRLF", "lines:crlf:strip:17", lf, CodeLineEnd, fault.Args{"record": "1", "offset": "0", "want": "CRLF", "got": "LF"}},
		{"one LF among CRLF", "lines:crlf:keep", strings.Replace(crlf, "\r\nT", "\nT", 1), CodeLineEnd, fault.Args{"record": "4", "offset": "57", "want": "CRLF", "got": "LF"}},
		{"a short line that CR would fill", "lines:lf:strip:17", strings.Replace(lf, "000250         \n", "000250        \r\n", 1), CodeLineEnd, fault.Args{"record": "4", "offset": "54", "want": "LF", "got": "CRLF"}},
		{"last line open", "lines:lf:keep", strings.TrimSuffix(lf, "\n"), CodeLastLineEnd, fault.Args{"record": "5", "offset": "72", "want": "LF"}},
		{"last line half open", "lines:crlf:keep", strings.TrimSuffix(crlf, "\n"), CodeLastLineEnd, fault.Args{"record": "5", "offset": "76", "want": "CRLF"}},
		{"line without end", "lines:lf:keep", smallFile[0] + "\n" + strings.Repeat("x", MaxRecord+5), CodeLineTooLong, fault.Args{"record": "2", "offset": "18", "limit": "1048576"}},
		{"too short for the header's fields", "lines:lf:keep", "HEB2103\nT\n", CodeField, fault.Args{"record": "1", "offset": "1", "length": "8"}},
		{"too short for the trailer's fields", "lines:lf:keep", smallFile[0] + "\nT00\n", CodeField, fault.Args{"record": "2", "offset": "19", "length": "4"}},
		{"too short for the amount", "lines:lf:keep", smallFile[0] + "\nR+00\nT00010000\n", CodeField, fault.Args{"record": "2", "offset": "20", "length": "6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := check(t, c.form, smallChecks, c.content)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			f := requireCode(t, c.code, err)
			require.Equal(t, c.args, f.Args)
			require.Equal(t, testNames.File, f.Subject)
			require.False(t, Waits(c.code))
		})
	}
}

func TestEmptyFiles(t *testing.T) {
	o := smallChecks
	o.SendEmpty = true
	for _, form := range []string{"raw", "fixed:17", "lines:lf:keep", "lines:lf:strip:17"} {
		oo := o
		if form == "raw" {
			oo = CheckOptions{SendEmpty: true}
		}
		r, err := check(t, form, oo, "")
		require.NoError(t, err)
		require.Equal(t, Result{FileDigest: digest(nil), WireDigest: digest(nil)}, r)
		oo.SendEmpty = false
		_, err = check(t, form, oo, "")
		requireCode(t, CodeEmpty, err)
	}
}

func TestDateFormats(t *testing.T) {
	for format, text := range map[string]string{"yyMMdd": "260320", "yyyyMMdd": "20260320", "MMdd": "0320", "yyyy/MM/dd": "2026/03/20", "yyyy-MM-dd": "2026-03-20"} {
		o := CheckOptions{Header: &HeaderCheck{Date: &DateField{1, format}}}
		_, err := check(t, "fixed:12", o, fmt.Sprintf("%-12s", "H"+text))
		require.NoError(t, err)
		_, err = check(t, "fixed:12", o, fmt.Sprintf("%-12s", "H"+strings.Replace(text, "20", "21", 1)))
		requireCode(t, CodeHeaderDate, err)
	}
}

func TestText(t *testing.T) {
	// KS X 1001: 가 = B0A1, 힝 = C8FE, 　 = A1A1, A = A3C1. Code page 949 only: 8C63 (똠).
	for _, c := range []struct {
		text         string
		euckr, cp949 int // index of the first bad byte, -1 = good
	}{
		{"ABC 123 ~", -1, -1}, {"\xB0\xA1\xC8\xFE", -1, -1}, {"\xA1\xA1\xA3\xC1", -1, -1},
		{"a\x8C\x63", 1, -1}, {"\xB0", 0, 0}, {"ok\xB0A", 2, -1}, {"\xB0\x20", 0, 0}, {"\x80\xA1", 0, 0}, {"\xFF\xFF", 0, 0},
		{"tab\t", 3, 3}, {"\x7F", 0, 0}, {"nul\x00", 3, 3}, {"\xB0\xA1\xB0", 2, 2}, {"\xC9\xA1", 0, 0}, {"\xEA\xB0\x80", 2, 2},
	} {
		require.Equal(t, c.euckr, badText(TextEUCKR, []byte(c.text)), "euc-kr %q", c.text)
		require.Equal(t, c.cp949, badText(TextCP949, []byte(c.text)), "cp949 %q", c.text)
	}
	// A character never straddles two records.
	_, err := check(t, "fixed:4", CheckOptions{Text: TextEUCKR}, "\xB0\xA1\xB0\xA1abc\xB0\xA1bcd")
	f := requireCode(t, CodeText, err)
	require.Equal(t, fault.Args{"record": "2", "offset": "7", "bytes": "B0", "charset": "euc-kr"}, f.Args)
	// Raw text is one piece; line ends are allowed in it.
	_, err = check(t, "raw", CheckOptions{Text: TextEUCKR}, "\xB0\xA1\r\n\xB0\xA1\n")
	require.NoError(t, err)
	_, err = check(t, "raw", CheckOptions{Text: TextEUCKR}, "ab\r\n\xB0\x20")
	require.Equal(t, "4", requireCode(t, CodeText, err).Args["offset"])
	_, err = check(t, "raw", CheckOptions{Text: TextEUCKR}, "ab\xB0")
	require.Equal(t, "2", requireCode(t, CodeText, err).Args["offset"])
}

func TestRules(t *testing.T) {
	rules := func(r ...Rule) CheckOptions { o := smallChecks; o.Rules = r; return o }
	for _, good := range []string{
		`header[0:1] == "H" && trailer[0:1] == "T"`, `records == 5 && size == 85`,
		`wire_name == "EB210320" && base_date == "20260320" && file_id == "SMALL"`,
		`num(field(trailer, 1, 4)) == records - 2`, `decimal(field(trailer, 5, 8)) > 349.5`,
		`mac("6465911134", "5911135911", "23121023617800000000051204512110389840000000110120") == "7370670538"`,
	} {
		_, err := check(t, "fixed:17", rules(Rule{Name: "r", Expr: good}), small())
		require.NoError(t, err, good)
	}
	_, err := check(t, "fixed:17", rules(Rule{Name: "kind", Expr: `number > 1 && record[1:2] in ["+", "-"]`, Each: true}), small())
	require.NoError(t, err)
	_, err = check(t, "fixed:17", rules(Rule{Name: "kind", Expr: `record[1:2] == "+"`, Each: true}), small())
	f := requireCode(t, CodeRule, err)
	require.Equal(t, fault.Args{"rule": "kind", "record": "3", "offset": "34"}, f.Args)
	_, err = check(t, "fixed:17", rules(Rule{Name: "few", Expr: "records < 5"}), small())
	requireCode(t, CodeRule, err)
	for _, leaky := range []string{`num(field(record, 2, 15)) > 0`, `decimal(record) > 0`, `int(record) > 0`, `float(record) > 0`,
		`mac("6465911134", "5911135911", record) != ""`, `date(record).Year() > 0`, `duration(record) > duration("1s")`, `fromJSON(record) == 1`} {
		_, err = check(t, "fixed:17", rules(Rule{Name: "n", Expr: leaky, Each: true}), small("1", "R+000100 SECRET  "))
		f = requireCode(t, CodeRuleFailed, err)
		require.NotContains(t, err.Error(), "SECRET", "record contents stay out of logs: %s", leaky)
		require.Equal(t, "2", f.Args["record"])
		require.NotEmpty(t, f.Args["why"])
	}
	_, err = check(t, "fixed:17", rules(Rule{Name: "range", Expr: `field(header, 10, 80) == ""`}), small())
	requireCode(t, CodeRuleFailed, err)
}

func TestOptionsThatCannotWork(t *testing.T) {
	fixed := Form{Kind: Fixed, Length: 17}
	for _, c := range []struct {
		form Form
		o    CheckOptions
		path string
	}{
		{Form{Kind: Raw}, CheckOptions{Header: &HeaderCheck{}}, "header"},
		{fixed, CheckOptions{Header: &HeaderCheck{Mark: strings.Repeat("H", 18)}}, "header.mark"},
		{fixed, CheckOptions{Header: &HeaderCheck{Name: &Field{10, 8}}}, "header.name"},
		{fixed, CheckOptions{Header: &HeaderCheck{Name: &Field{-1, 8}}}, "header.name"},
		{fixed, CheckOptions{Header: &HeaderCheck{Name: &Field{1, 0}}}, "header.name"},
		{fixed, CheckOptions{Header: &HeaderCheck{Date: &DateField{0, "ddMMyy"}}}, "header.date"},
		{fixed, CheckOptions{Header: &HeaderCheck{Date: &DateField{10, "yyyyMMdd"}}}, "header.date"},
		{fixed, CheckOptions{Trailer: &TrailerCheck{Totals: []Total{{At: Field{0, 18}}}}}, "trailer.totals[0].at"},
		{fixed, CheckOptions{Trailer: &TrailerCheck{Totals: []Total{{At: Field{0, 1}, Sum: &Field{17, 1}}}}}, "trailer.totals[0].sum"},
		{fixed, CheckOptions{Trailer: &TrailerCheck{Totals: []Total{{At: Field{0, 1}, Sum: &Field{1, 1}, All: true}}}}, "trailer.totals[0].all"},
		{fixed, CheckOptions{Trailer: &TrailerCheck{Totals: []Total{{At: Field{0, 1}, Where: []Match{{16, "ab"}}}}}}, "trailer.totals[0].where[0]"},
		{fixed, CheckOptions{Text: "utf-8"}, "text"},
		{fixed, CheckOptions{Rules: []Rule{{Expr: "true"}, {Expr: "recrods > 1"}}}, "rules[1].expr"},
		{fixed, CheckOptions{Rules: []Rule{{Expr: "1 + 1"}}}, "rules[0].expr"},
		{Form{Kind: Raw}, CheckOptions{Rules: []Rule{{Expr: "true", Each: true}}}, "rules[0].each"},
	} {
		problems := c.o.Validate(c.form)
		require.Len(t, problems, 1, c.path)
		require.Equal(t, c.path, problems[0].Path)
		_, err := check(t, c.form.String(), c.o, "x")
		require.Equal(t, problems[0].Err.Code, requireCode(t, problems[0].Err.Code, err).Code)
	}
	require.Empty(t, smallChecks.Validate(fixed))
	require.Empty(t, smallChecks.Validate(Form{Kind: Lines}))
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]string{"0000000176800.000": "176800", "0000000176800.250": "176800.25", "-5": "-5", "+007": "7", " 12 ": "12",
		"0.000001": "0.000001", "999999999999999999": "999999999999999999", "000000000000000000000000000001": "1"} {
		var s sum
		require.True(t, s.add([]byte(text)), text)
		require.Equal(t, want, s.String())
	}
	for _, text := range []string{"", " ", "-", ".5", "5.", "1.2.3", "1,000", "0x1", "1 2", "1.0000001", "9999999999999999999", "--1", "1-"} {
		var s sum
		require.False(t, s.add([]byte(text)), "%q", text)
	}
	var s sum
	for range 100 {
		s.add([]byte("999999999999999999.999999"))
		s.add([]byte("-0.999999"))
	}
	require.Equal(t, "99999999999999999900", s.String(), "beyond 64 bits, exactly")
	require.Zero(t, testing.AllocsPerRun(1000, func() { s.add([]byte("0000000176800.250")) }))
}

// The same content gives the same answer however the reads are cut.
func TestChecksDoNotDependOnReads(t *testing.T) {
	lines := strings.Join(smallFile, "\r\n") + "\r\n"
	for _, c := range []struct {
		form    string
		o       CheckOptions
		content string
	}{
		{"fixed:17", smallChecks, small()}, {"fixed:17", smallChecks, small("4", "T000400000350    ")}, {"lines:crlf:strip:17", smallChecks, lines},
		{"lines:crlf:keep", smallChecks, lines + "x"}, {"raw", CheckOptions{Text: TextEUCKR}, "\xB0\xA1\xC8\xFEab\r\n\xB0\xA1\xB0"},
	} {
		form, err := ParseForm(c.form)
		require.NoError(t, err)
		run := func(cuts []int) string {
			ch, err := newChecker(form, c.o, testNames)
			require.NoError(t, err)
			at := 0
			for _, cut := range append(cuts, len(c.content)) {
				if cut < at {
					continue
				}
				if _, err := ch.Write([]byte(c.content[at:cut])); err != nil {
					return err.Error()
				}
				at = cut
			}
			return fmt.Sprint(ch.Close(), ch.records)
		}
		whole := run(nil)
		rapid.Check(t, func(t *rapid.T) {
			cuts := rapid.SliceOfN(rapid.IntRange(0, len(c.content)), 0, 20).Draw(t, "cuts")
			require.Equal(t, whole, run(cuts))
		})
	}
}
