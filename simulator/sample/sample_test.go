package sample

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/korean"

	"pabal/filemgr"
	"pabal/transfer"
)

var (
	day  = time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	base = Options{Records: 200, Date: day, Institution: "9912345678", Seed: 7}
)

func write(t *testing.T, k Kind, o Options) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, k, o))
	return b.String()
}

// records cuts a file into its records.
func records(t *testing.T, k Kind, content string) []string {
	t.Helper()
	n := RecordLength(k)
	require.Zero(t, len(content)%n)
	var out []string
	for ; content != ""; content = content[n:] {
		out = append(out, content[:n])
	}
	return out
}

func num(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	require.NoError(t, err)
	return n
}

// checksFor are the registrations that a site would write for these files, by
// the tables of protocols §5.2, §5.3 and §5.5.
func checksFor(k Kind) filemgr.CheckOptions {
	header := &filemgr.HeaderCheck{Mark: "H00000000", Name: &filemgr.Field{Offset: 19, Length: 8},
		Date: &filemgr.DateField{Offset: 27, Format: "yyMMdd"}}
	where := func(offset int, text string) []filemgr.Match { return []filemgr.Match{{Offset: offset, Text: text}} }
	count := func(offset int, m []filemgr.Match) filemgr.Total {
		return filemgr.Total{At: filemgr.Field{Offset: offset, Length: 8}, Where: m}
	}
	amount := func(offset int, m []filemgr.Match) filemgr.Total {
		return filemgr.Total{At: filemgr.Field{Offset: offset, Length: 13}, Sum: &filemgr.Field{Offset: 42, Length: 13}, Where: m}
	}
	o := filemgr.CheckOptions{Header: header, Text: filemgr.TextEUCKR}
	switch k {
	case EB13:
		o.Trailer = &filemgr.TrailerCheck{Mark: "T99999999", Totals: []filemgr.Total{count(27, nil),
			count(35, where(25, "1")), count(51, where(25, "3")), count(59, where(25, "7"))}}
	case EB21:
		o.Trailer = &filemgr.TrailerCheck{Mark: "T99999999", Totals: []filemgr.Total{count(27, where(0, "R")),
			count(35, where(116, "1")), amount(43, where(116, "1")), count(56, where(116, "0")), amount(64, where(116, "0"))}}
	case EB22:
		o.Trailer = &filemgr.TrailerCheck{Mark: "T99999999", Totals: []filemgr.Total{count(27, nil),
			count(35, where(68, "N")), amount(43, where(68, "N")), count(56, where(68, "P")), amount(64, where(68, "P"))}}
		o.Rules = []filemgr.Rule{{Name: "failed only", Each: true, Expr: `record[68:69] in ["N", "P"] && record[69:73] != "    "`}}
	case C02:
		o.Header = &filemgr.HeaderCheck{Mark: "H", Date: &filemgr.DateField{Offset: 21, Format: "yyyy/MM/dd"}}
		o.Trailer = &filemgr.TrailerCheck{Mark: "T", Totals: []filemgr.Total{count(1, where(0, "D"))}}
		o.Rules = []filemgr.Rule{{Name: "taxes", Each: true, Expr: `decimal(record[741:758]) + decimal(record[758:775]) == decimal(record[229:246])`}}
	}
	return o
}

func split(t *testing.T, k Kind, form string, content string) (filemgr.Result, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	f, err := filemgr.ParseForm(form)
	require.NoError(t, err)
	return filemgr.Split(context.Background(), path, filemgr.SplitOptions{
		Form: f, Checks: checksFor(k), Geometry: transfer.Geometry{DataSize: 4057, PerBlock: 100},
		Names: filemgr.Names{File: "sample", WireName: WireName(k, day), BaseDate: day, FileID: string(k)},
	}, func(transfer.Block) error { return nil })
}

func TestFilesPassTheChecksOfTheirRegistration(t *testing.T) {
	for _, k := range Kinds() {
		for _, n := range []int64{0, 1, 2, 1000} {
			t.Run(fmt.Sprint(k, n), func(t *testing.T) {
				o := base
				o.Records = n
				r, err := split(t, k, fmt.Sprintf("fixed:%d", RecordLength(k)), write(t, k, o))
				require.NoError(t, err)
				require.Equal(t, n+2, r.Records)
				o.LineEnd = "\r\n"
				r, err = split(t, k, fmt.Sprintf("lines:crlf:strip:%d", RecordLength(k)), write(t, k, o))
				require.NoError(t, err)
				require.Equal(t, (n+2)*int64(RecordLength(k)), r.WireSize)
			})
		}
	}
}

// A file that was damaged anywhere in its totals is refused, so the test above
// can fail.
func TestDamagedFilesAreRefused(t *testing.T) {
	for _, k := range Kinds() {
		r := records(t, k, write(t, k, base))
		without := strings.Join(slices.Delete(r, 5, 6), "")
		_, err := split(t, k, fmt.Sprintf("fixed:%d", RecordLength(k)), without)
		require.Error(t, err, k)
	}
}

func TestHeaders(t *testing.T) {
	// Bytes from the tables of protocols §5.
	h := records(t, EB13, write(t, EB13, base))[0]
	require.Equal(t, "H000000009912345678EB130320260320"+strings.Repeat(" ", 87), h)
	h = records(t, EB21, write(t, EB21, base))[0]
	require.Equal(t, "H000000009912345678EB210320260320", h[:33])
	require.Regexp(t, `^[0-9]{7}$`, h[33:40])
	require.Regexp(t, `^[0-9]{11,14} *$`, h[40:56])
	require.Equal(t, strings.Repeat(" ", 94), h[56:])
	h = records(t, C02, write(t, C02, base))[0]
	require.Equal(t, "H2026032001COAQ      2026/03/2002:00:00", h[:39])
	require.Empty(t, strings.TrimSpace(h[39:]))
}

// Every field of the data records, by the tables of protocols §5.
func TestDataRecords(t *testing.T) {
	type field struct {
		offset, length int
		pattern        string
	}
	failed := `0012|0014|0017|0019|0021|0022|0031|0034|0035|0041|0051|A013|A016`
	korean16 := `[가-힣]+ *`
	for k, fields := range map[Kind][]field{
		EB13: {{0, 1, "R"}, {9, 10, "9912345678"}, {19, 6, "260320"}, {25, 1, "[137]"}, {26, 20, `\d{10} {10}`}, {46, 7, `\d{3}0000`},
			{53, 16, `\d{11,14} *`}, {69, 16, `(\d{6}|\d{10}) *`}, {85, 12, " *"}, {97, 12, `010\d{8} `}, {109, 11, " *"}},
		EB21: {{0, 1, "R"}, {9, 10, "9912345678"}, {19, 7, `\d{3}0000`}, {26, 16, `\d{11,14} *`}, {42, 13, `0{8}\d{5}`}, {55, 13, `(\d{6}|\d{10}) *`},
			{68, 5, " *"}, {73, 16, korean16}, {89, 2, "  "}, {91, 20, `\d{10} {10}`}, {111, 5, " *"}, {116, 1, "[01]"}, {117, 12, `010\d{8} `}, {129, 21, " *"}},
		EB22: {{0, 1, "R"}, {26, 16, `\d{11,14} *`}, {42, 13, `0{8}\d{5}`}, {68, 1, "[NP]"}, {69, 4, failed}, {73, 16, korean16}, {129, 21, " *"}},
		C02: {{0, 1, "D"}, {1, 20, "9912345678 {10}"}, {21, 10, "2026/03/20"}, {39, 1, "F"}, {40, 1, "[ABR]"}, {41, 16, `\d{16}`}, {57, 12, `\d{8} {4}`},
			{69, 32, `\d{16} {16}`}, {101, 12, `\d{8} {4}`}, {113, 10, `2026/03/1[789]`}, {123, 10, "2026/03/20"}, {133, 8, `\d\d:\d\d:\d\d`}, {141, 3, "KRW"},
			{144, 17, `\d{13}\.000`}, {161, 17, `\d{13}\.000`}, {178, 17, `\d{13}\.000`}, {195, 17, `\d{13}\.000`}, {212, 17, `\d{13}\.000`}, {229, 17, `\d{13}\.000`},
			{246, 1, "1"}, {247, 10, "2026/04/09"}, {257, 1, "N"}, {258, 1, "Y"}, {259, 10, `\d{10}`}, {269, 12, `\d{9} {3}`}, {281, 50, `[가-힣 ]+`}, {331, 50, `[가-힣]+ *`},
			{381, 14, `02\d{8} {4}`}, {395, 6, `\d{5} `}, {401, 100, `[가-힣 ]+`}, {501, 100, `\d+ *`}, {601, 50, `[가-힣]+ *`}, {651, 4, `\d{4}`}, {655, 3, "NNN"},
			{658, 32, " *"}, {690, 17, `\d{13}\.000`}, {707, 17, `\d{13}\.000`}, {724, 17, `\d{13}\.000`}, {741, 17, `\d{13}\.000`}, {758, 17, `\d{13}\.000`}, {775, 17, `\d{13}\.000`},
			{792, 50, `[가-힣]* *`}, {842, 10, `\d{10}| *`}, {852, 4, `01  `}, {856, 8, "20260320"}, {864, 8, `202603(17|18|19)`}, {872, 2, "[A-Z]{2}"}},
	} {
		rs := records(t, k, write(t, k, base))
		require.Len(t, rs, 202)
		for i, r := range rs[1:201] {
			serial := r[1:9]
			if k == C02 {
				serial = r[31:39]
			}
			require.Equal(t, int64(i+1), num(t, serial))
			for _, f := range fields {
				text, err := korean.EUCKR.NewDecoder().String(r[f.offset : f.offset+f.length])
				require.NoError(t, err)
				require.Regexp(t, "^("+f.pattern+")$", text, "%s record %d offset %d", k, i+1, f.offset)
			}
		}
	}
}

func TestTrailers(t *testing.T) {
	rs := records(t, EB21, write(t, EB21, base))
	trailer := rs[201]
	require.Equal(t, "T999999999912345678EB210320", trailer[:27])
	var count, amount [2]int64
	mac, err := filemgr.NewMACState("6465911134", "5911135911")
	require.NoError(t, err)
	for _, r := range rs[1:201] {
		kind := num(t, r[116:117])
		count[kind]++
		amount[kind] += num(t, r[42:55])
		require.NoError(t, mac.Add(strings.ReplaceAll(r[26:42], " ", "0")+r[42:55]))
	}
	require.NotZero(t, count[0])
	require.Equal(t, fmt.Sprintf("%08d%08d%013d%08d%013d", 200, count[1], amount[1], count[0], amount[0]), trailer[27:77])
	require.Empty(t, strings.TrimSpace(trailer[77:140]))
	sum := mac.Sum()
	require.Equal(t, sum[len(sum)-10:], trailer[140:])

	trailer = records(t, EB22, write(t, EB22, base))[201]
	require.Equal(t, "T999999999912345678EB220320", trailer[:27])
	require.GreaterOrEqual(t, num(t, trailer[77:85]), int64(200*19), "most items succeed")
	require.NotZero(t, num(t, trailer[85:98]))
	require.Empty(t, strings.TrimSpace(trailer[98:140]))
	require.Regexp(t, regexp.MustCompile(`^\d{10}$`), trailer[140:])

	trailer = records(t, EB13, write(t, EB13, base))[201]
	require.Equal(t, "T999999999912345678EB130320", trailer[:27])
	require.Equal(t, int64(200), num(t, trailer[35:43])+num(t, trailer[51:59])+num(t, trailer[59:67]))
	require.Equal(t, "00000000", trailer[43:51])
	require.Empty(t, strings.TrimSpace(trailer[67:110]))
	require.Regexp(t, regexp.MustCompile(`^\d{10}$`), trailer[110:])

	trailer = records(t, C02, write(t, C02, base))[201]
	require.Equal(t, "T000002002026/03/2002:05:00", strings.TrimRight(trailer, " "))
}

func TestSizes(t *testing.T) {
	for _, k := range Kinds() {
		n := int64(RecordLength(k))
		for size, want := range map[int64]int64{2 * n: 2 * n, 3*n - 1: 2 * n, 3 * n: 3 * n, 10*n + 1: 10 * n} {
			o := base
			o.Records, o.Size = 0, size
			require.Len(t, write(t, k, o), int(want))
		}
		o := base
		o.Records, o.Size, o.LineEnd = 0, 5*(n+1), "\n"
		require.Len(t, write(t, k, o), int(5*(n+1)))
		require.Equal(t, 5, strings.Count(write(t, k, o), "\n"))
	}
}

func TestSeeds(t *testing.T) {
	for _, k := range Kinds() {
		other := base
		other.Seed++
		require.Equal(t, write(t, k, base), write(t, k, base))
		require.NotEqual(t, write(t, k, base), write(t, k, other))
	}
}

func TestRefusals(t *testing.T) {
	with := func(change func(*Options)) Options { o := base; change(&o); return o }
	require.Error(t, Write(io.Discard, "EB99", base))
	for _, o := range []Options{
		with(func(o *Options) { o.Date = time.Time{} }),
		with(func(o *Options) { o.Size = 1000 }),
		with(func(o *Options) { o.Records, o.Size = 0, 299 }),
		with(func(o *Options) { o.Records = -1 }),
		with(func(o *Options) { o.Records = MaxRecords + 1 }),
		with(func(o *Options) { o.Institution = "12345678901" }),
		with(func(o *Options) { o.Institution = "기관" }),
		with(func(o *Options) { o.LineEnd = "\r" }),
		with(func(o *Options) { o.MACKeys = [2]string{"1", "2"} }),
	} {
		require.Error(t, Write(io.Discard, EB21, o))
	}
	require.ErrorIs(t, Write(full{}, EB21, with(func(o *Options) { o.Records = 1 })), io.ErrShortWrite)
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestNames(t *testing.T) {
	require.Equal(t, "EB21.KFTC.CMS.20260320", FileName(EB21, "KFTC", "CMS", day))
	require.Equal(t, "EB210320", WireName(EB21, day))
	require.Equal(t, "C02", WireName(C02, day))
}

func BenchmarkWrite(b *testing.B) {
	for _, k := range Kinds() {
		b.Run(string(k), func(b *testing.B) {
			o := base
			o.Records, o.Size = 0, 16<<20
			b.SetBytes(o.Size)
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, k, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
