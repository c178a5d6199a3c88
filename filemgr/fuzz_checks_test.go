package filemgr

import (
	"bytes"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

var amountForm = regexp.MustCompile(`^[+-]?0*\d{1,18}(\.\d{1,6})?$`)

// adds reports whether a file of smallChecks is as it should be: by the words of
// the documentation, with nothing of the code that is tested.
func adds(records []string) bool {
	if len(records) < 2 {
		return false
	}
	amount := func(text string) *big.Rat {
		text = strings.Trim(text, " ")
		if r, ok := new(big.Rat).SetString(text); ok && amountForm.MatchString(text) {
			return r
		}
		return nil
	}
	head, last := records[0], records[len(records)-1]
	if !strings.HasPrefix(head, "H") || len(head) < 17 || strings.TrimRight(head[1:9], " ") != "EB210320" || head[9:17] != "20260320" ||
		!strings.HasPrefix(last, "T") || len(last) < 13 {
		return false
	}
	want := new(big.Rat)
	for _, r := range records[1 : len(records)-1] {
		if len(r) < 2 || r[1] != '+' {
			continue
		}
		if len(r) < 8 || amount(r[2:8]) == nil {
			return false
		}
		want.Add(want, amount(r[2:8]))
	}
	count, sum := amount(last[1:5]), amount(last[5:13])
	return count != nil && sum != nil && count.Cmp(big.NewRat(int64(len(records)-2), 1)) == 0 && sum.Cmp(want) == 0
}

// FuzzChecks: header, trailer, counts and amounts pass exactly where they are
// right, however the file comes in pieces, and what is wrong is said the same way.
func FuzzChecks(f *testing.F) {
	forms := []string{"fixed:17", "lines:lf:strip:17", "lines:crlf:keep", "lines:lf:keep"}
	for i, end := range []string{"", "\n", "\r\n", "\n"} {
		for _, change := range [][]string{nil, {"3", "R+1.0005         "}, {"2", "R+00010          ", "4", "T000300000360.000"}, {"4", "T0003     350    "},
			{"0", "HEB21032020260321"}, {"1", "R+ -0010        ", "4", "T000300000240    "}, {"4", "T9999999999999   "}} {
			lines := ""
			for text := small(change...); len(text) >= 17; text = text[17:] {
				lines += text[:17] + end
			}
			f.Add(byte(i), byte(7), []byte(lines))
		}
	}
	f.Fuzz(func(t *testing.T, which, piece byte, content []byte) {
		form, err := ParseForm(forms[int(which)%len(forms)])
		require.NoError(t, err)
		judge := func(piece int) (records int64, err error) {
			o := smallChecks
			o.Rules = []Rule{{Name: "sizes", Expr: "size >= records && len(header) > 0 && len(trailer) > 0"}, {Name: "each", Expr: "number > 1 && len(record) < size", Each: true}}
			c, err := newChecker(form, o, testNames)
			require.NoError(t, err)
			for rest := content; err == nil && len(rest) > 0; {
				n := min(piece, len(rest))
				_, err = c.Write(bytes.Clone(rest[:n]))
				rest = rest[n:]
			}
			if err == nil {
				err = c.Close()
			}
			return c.records, err
		}
		n, err := judge(max(1, len(content)))
		_, again := judge(int(piece)%40 + 1)
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(again), "in pieces of %d", int(piece)%40+1)
		if err != nil {
			require.Equal(t, fault.As(err).Args, fault.As(again).Args)
			require.Equal(t, testNames.File, fault.As(err).Subject)
		}
		var records []string
		fits := len(content) > 0
		switch text := string(content); {
		case form.Kind == Fixed:
			fits = fits && len(text)%17 == 0
			for ; len(text) >= 17; text = text[17:] {
				records = append(records, text[:17])
			}
		default:
			end := form.lineEnd()
			fits = fits && strings.HasSuffix(text, end)
			for _, line := range strings.Split(strings.TrimSuffix(text, end), end) {
				// A CR before the line end is part of it, and an LF always ends a line.
				fits = fits && (form.Length == 0 || len(line) == form.Length) && !strings.Contains(line, "\n") && !strings.HasSuffix(line, "\r")
				records = append(records, line)
			}
		}
		require.Equal(t, fits && adds(records), err == nil, "%v", err)
		if err == nil {
			require.Equal(t, int64(len(records)), n)
		}
	})
}
