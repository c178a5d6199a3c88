package filemgr

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

func requireCode(t *testing.T, code fault.Code, err error) *fault.Error {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, fault.CodeOf(err), "%v", err)
	return fault.As(err)
}

func TestForms(t *testing.T) {
	for text, want := range map[string]Form{
		"raw":                  {Kind: Raw},
		"fixed:150":            {Kind: Fixed, Length: 150},
		"lines:lf:keep":        {Kind: Lines},
		"lines:crlf:keep":      {Kind: Lines, CRLF: true},
		"lines:lf:keep:120":    {Kind: Lines, Length: 120},
		"lines:lf:strip:150":   {Kind: Lines, Length: 150, Strip: true},
		"lines:crlf:strip:150": {Kind: Lines, Length: 150, Strip: true, CRLF: true},
	} {
		got, err := ParseForm(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
		require.NoError(t, got.Validate())
	}
	for _, text := range []string{"", "raw:1", "fixed", "fixed:", "fixed:0", "fixed:-1", "fixed:+5", "fixed:05", "fixed:1048577",
		"lines", "lines:lf", "lines:lf:strip", "lines:cr:keep", "lines:lf:drop:3", "lines:lf:keep:0", "lines:lf:keep:1:2", "csv"} {
		_, err := ParseForm(text)
		requireCode(t, CodeBadForm, err)
	}
	for _, f := range []Form{{}, {Kind: Fixed}, {Kind: Lines, Strip: true}, {Kind: Raw, Length: 1}, {Kind: Fixed, Length: 1, CRLF: true}} {
		requireCode(t, CodeBadForm, f.Validate())
	}
}

func TestEncodings(t *testing.T) {
	for _, text := range []string{"", "gzip", "ebcdic", "gzip+ebcdic"} {
		e, err := ParseEncoding(text)
		require.NoError(t, err)
		require.Equal(t, text, e.String())
	}
	_, err := ParseEncoding("zip")
	requireCode(t, CodeBadEncoding, err)
}

// Code page 037: 'A' is C1, '0' is F0, space is 40, LF is 25.
func TestEBCDICIsABijection(t *testing.T) {
	to, from := ebcdicTables()
	for b, want := range map[byte]byte{'A': 0xC1, 'J': 0xD1, 'S': 0xE2, 'a': 0x81, '0': 0xF0, '9': 0xF9, ' ': 0x40, '\n': 0x25, 0: 0} {
		require.Equal(t, want, to[b], "%q", b)
	}
	seen := map[byte]bool{}
	for b := range 256 {
		seen[to[b]] = true
		require.Equal(t, byte(b), from[to[b]])
	}
	require.Len(t, seen, 256)
}

func TestDataSize(t *testing.T) {
	for _, c := range []struct {
		limit, record int
		p             Packing
		want          int
	}{
		{4057, 150, PackAuto, 4050}, {4057, 150, PackWhole, 4050}, {4057, 150, PackFilled, 4057}, {4057, 150, PackOne, 150},
		{4057, 0, PackAuto, 4057}, {4057, 0, PackFilled, 4057},
		{1000, 1024, PackAuto, 1000}, {1024, 1024, PackAuto, 1024}, {1024, 1024, PackOne, 1024},
		{100_000, 7, PackAuto, 65534}, {100_000, 0, PackFilled, 65535},
	} {
		got, err := DataSize(c.limit, c.record, c.p)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%+v", c)
	}
	for _, c := range []struct {
		limit, record int
		p             Packing
	}{{1000, 1024, PackWhole}, {1000, 1024, PackOne}, {1000, 0, PackWhole}, {1000, 0, PackOne}, {0, 10, PackAuto}, {10, 1, "half"}, {10, -1, PackAuto}} {
		_, err := DataSize(c.limit, c.record, c.p)
		requireCode(t, CodeBadPacking, err)
	}
	strip, _ := ParseForm("lines:crlf:strip:150")
	keep, _ := ParseForm("lines:crlf:keep:150")
	require.Equal(t, 150, strip.WireRecord(Encoding{}))
	require.Equal(t, 152, keep.WireRecord(Encoding{EBCDIC: true}))
	require.Equal(t, 0, strip.WireRecord(Encoding{Gzip: true}), "compressed records have no length")
}

func source(parts ...[]byte) Source {
	return func(emit func([]byte) error) error {
		for _, p := range parts {
			if err := emit(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// The way back, from bytes written by hand.
func TestToFile(t *testing.T) {
	for _, c := range []struct{ name, form, encoding, wire, file string }{
		{"as it is", "raw", "", "a\x00\xffb", "a\x00\xffb"},
		{"LF put back", "lines:lf:strip:3", "", "abcdef", "abc\ndef\n"},
		{"CRLF put back", "lines:crlf:strip:2", "", "abcd", "ab\r\ncd\r\n"},
		{"nothing to put back", "lines:crlf:keep:2", "", "ab\r\n", "ab\r\n"},
		{"EBCDIC", "lines:lf:strip:2", "ebcdic", "\xC1\xC2\xF1\xF2", "AB\n12\n"},
		{"empty", "lines:lf:strip:2", "", "", ""},
	} {
		f, err := ParseForm(c.form)
		require.NoError(t, err)
		e, err := ParseEncoding(c.encoding)
		require.NoError(t, err)
		for cut := range len(c.wire) + 1 {
			var out bytes.Buffer
			wire := []byte(c.wire)
			require.NoError(t, ToFile(context.Background(), f, e, 0, source(wire[:cut], wire[cut:]), &out))
			require.Equal(t, c.file, out.String(), "%s cut at %d", c.name, cut)
		}
	}
}

func TestToFileRefuses(t *testing.T) {
	ctx := context.Background()
	var out bytes.Buffer
	strip := Form{Kind: Lines, Length: 3, Strip: true}
	raw := Form{Kind: Raw}
	requireCode(t, CodeWirePartial, ToFile(ctx, strip, Encoding{}, 0, source([]byte("abcd")), &out))
	requireCode(t, CodeGzip, ToFile(ctx, raw, Encoding{Gzip: true}, 0, source([]byte("this is not gzip at all")), &out))
	requireCode(t, CodeGzip, ToFile(ctx, raw, Encoding{Gzip: true}, 0, source(), &out))

	var z bytes.Buffer
	w := toWire(raw, Encoding{Gzip: true}, &z)
	_, err := w.Write(bytes.Repeat([]byte{0}, 1<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	requireCode(t, CodeInflated, ToFile(ctx, raw, Encoding{Gzip: true}, 1<<20-1, source(z.Bytes()), &out))
	require.NoError(t, ToFile(ctx, raw, Encoding{Gzip: true}, 1<<20, source(z.Bytes()), &out))
	requireCode(t, CodeGzip, ToFile(ctx, raw, Encoding{Gzip: true}, 0, source(z.Bytes()[:z.Len()-1]), &out))

	lost := fault.New("store.lost", "row 7")
	for _, e := range []Encoding{{}, {Gzip: true}} {
		broken := func(emit func([]byte) error) error { return lost }
		require.ErrorIs(t, ToFile(ctx, raw, e, 0, broken, &out), lost, "the source's own error comes through")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, ToFile(cancelled, raw, Encoding{}, 0, source([]byte("x")), &out), context.Canceled)
}
