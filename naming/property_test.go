package naming

import (
	"testing"

	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/transfer"
)

// bookGen draws books whose codes cannot be taken for dates.
func bookGen(t *rapid.T) (*Book, []Registration) {
	code := rapid.StringMatching(`[A-Z][A-Z0-9_-]{3,7}`)
	regs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Registration {
		return Registration{
			FileID: code.Draw(t, "file ID"), Institution: code.Draw(t, "institution"), Job: code.Draw(t, "job"),
			Direction: transfer.Send,
			WireName: rapid.SampledFrom([]string{"", byDay, "${FILE_ID}", "${JOB}+_+${yyyyMMdd}", "${FILE_ID}+.+${yyMMdd}",
				"${INSTITUTION:2}+${SEQ:3}", "fixed"}).Draw(t, "wire name"),
			Suffixes: rapid.SampledFrom([][]string{nil, {".dat"}, {".csv", ".tar.gz", ".gz"}}).Draw(t, "suffixes"),
		}
	}), 1, 5).Draw(t, "registrations")
	b, problems := NewBook(regs)
	if b == nil {
		t.Skip(problems[0].Error()) // two that collide: drawn again
	}
	return b, regs
}

func TestParseLeadsBackToFormat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, regs := bookGen(t)
		r := rapid.SampledFrom(regs).Draw(t, "one")
		day := march20.AddDate(0, 0, rapid.IntRange(-5000, 5000).Draw(t, "days"))
		n := Name{FileID: r.FileID, Institution: r.Institution, Job: r.Job, BaseDate: day.Format("20060102")}
		if len(r.Suffixes) > 0 {
			n.Suffix = rapid.SampledFrom(r.Suffixes).Draw(t, "suffix")
		}
		if r.WireName == "" {
			n.WireName = rapid.StringMatching(`[A-Za-z0-9_]{1,12}`).Draw(t, "wire")
		} else {
			s, err := CompileScript(r.WireName)
			if err != nil {
				t.Fatal(err)
			}
			serial := rapid.StringMatching(`[0-9]{3}`).Draw(t, "serial")
			if n.WireName, err = s.Expand(Vars{FileID: r.FileID, Institution: r.Institution, Job: r.Job, BaseDate: n.BaseDate, Serial: serial}); err != nil {
				t.Fatal(err)
			}
			if s.draws(varSerial) {
				n.Serial = serial
			}
		}
		text, err := b.Format(n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Parse(text, march20)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got != n {
			t.Fatalf("%s: got %+v, want %+v", text, got, n)
		}
	})
}

// What Parse accepts in any form, short or full, Format writes in full and
// Parse reads again as the same.
func TestAcceptedNamesAreStable(t *testing.T) {
	b, problems := NewBook(cms())
	if b == nil {
		t.Fatal(problems)
	}
	piece := rapid.SampledFrom([]string{"EB21", "EB22", "100", "SQ", "DOT", "KFTC", "KSNET", "VAN", "CMS", "CARD", "J", "EB210320", "SQ007",
		"DOT", "0320", "20260320", "20260319", "20261399", "dat", "csv", "${FILE_ID}", "${MMdd}", "", "X"})
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for i, p := range rapid.SliceOfN(piece, 1, 7).Draw(t, "parts") {
			if i > 0 {
				text += "."
			}
			text += p
		}
		n, err := b.Parse(text, march20)
		if err != nil {
			if fault.CodeOf(err) == "" {
				t.Fatalf("%s: no code: %v", text, err)
			}
			return
		}
		full, err := b.Format(n)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := b.Parse(full, march20.AddDate(0, 3, 0)); err != nil || again != n {
			t.Fatalf("%s → %s: %+v, %v; want %+v", text, full, again, err, n)
		}
	})
}

func FuzzParse(f *testing.F) {
	b, problems := NewBook(append(cms()[:5], edi()))
	if b == nil {
		f.Fatal(problems)
	}
	for _, seed := range []string{"EB21.KFTC.CMS", "EB21.EB210320.KFTC.CMS.20260320.dat", "EB21.${FILE_ID:4}+${MMdd:4}.KFTC.CMS",
		"KSNET_20260319_007.edi", "..", "C02.KSNET.CARD", "EB21.KFTC.CMS.\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := b.Parse(text, march20)
		if err == nil && !(validDate(n.BaseDate) && n.WireName != "") {
			t.Fatalf("%q: accepted as %+v", text, n)
		}
		if err != nil && fault.CodeOf(err) == "" {
			t.Fatalf("%q: no code: %v", text, err)
		}
		if _, name, err := b.Receive("KFTC", text, march20); err == nil {
			if _, err := b.ReceivedName(name, march20); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
