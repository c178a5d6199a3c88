package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// FuzzReader: whatever comes, a telegram that the reader gives is as long as
// its digits say, and every end has a name.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"cms", "edi"} {
		for _, v := range readVectors(f, name) {
			f.Add(v.bytes, uint8(3))
			f.Add(append(bytes.Clone(v.bytes), "0001"...), uint8(1))
		}
	}
	profiles := []*Profile{profile(f, "cms"), profile(f, "edi")}
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		for _, p := range profiles {
			r := p.NewReader(&pieces{stream, int(piece)%7 + 1}, make([]byte, p.FrameBuffer()))
			at := 0
			for {
				frame, err := r.Next()
				if err != nil {
					if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
						require.NotEmpty(t, fault.CodeOf(err))
					}
					break
				}
				require.Equal(t, string(stream[at:at+len(frame)]), string(frame))
				require.LessOrEqual(t, len(frame), p.frame.maxTotal)
				at += len(frame)
			}
		}
	})
}

type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// FuzzDecode: what decodes also encodes, and decodes to the same again.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"cms", "edi", "cms-bank"} {
		for _, v := range readVectors(f, name) {
			f.Add(v.bytes)
		}
	}
	profiles := []*Profile{profile(f, "cms"), profile(f, "edi"), profile(f, "cms-bank")}
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, p := range profiles {
			var tg, again Telegram
			if err := p.Decode(frame, &tg); err != nil {
				require.NotEmpty(t, fault.CodeOf(err))
				continue
			}
			require.LessOrEqual(t, len(tg.Data()), len(frame))
			b, err := p.Append(nil, &tg)
			if err != nil { // a map or a password longer than we would write
				require.NotEmpty(t, fault.CodeOf(err))
				continue
			}
			require.NoError(t, p.Decode(b, &again))
			require.Equal(t, tg.Kind, again.Kind)
			for fd := range numNumbers {
				if fd != Length && fd != DataLength {
					require.Equal(t, tg.Number(fd), again.Number(fd), p.FieldName(fd))
				}
			}
			require.Equal(t, tg.Data(), again.Data())
		}
	})
}

// FuzzProfile: no document, however broken, makes Parse or a profile that it
// accepts panic.
func FuzzProfile(f *testing.F) {
	f.Add(sourceOf(f, "cms"))
	f.Add(sourceOf(f, "edi"))
	f.Add([]byte("profile: a\nheader:\n  - {field: type, type: N, width: 4}\n"))
	f.Add([]byte("a: &a {b: *a}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := Parse("fuzz.yaml", src)
		if err != nil {
			for _, e := range faults(err) {
				require.NotNil(t, e)
				require.NotEmpty(t, e.Args["line"])
			}
			return
		}
		var tg Telegram
		for _, k := range Kinds() {
			if p.Has(k) {
				b, err := p.Append(nil, &Telegram{Kind: k})
				if err == nil {
					_ = p.Decode(b, &tg)
				}
			}
		}
		if tpl, err := p.Template(&Telegram{Kind: DataTelegram}, p.MostData()); err == nil {
			_, _ = tpl.Append(nil, 1, 1, []byte("x"))
		}
		r := p.NewReader(bytes.NewReader(src), make([]byte, p.FrameBuffer()))
		for err == nil {
			_, err = r.Next()
		}
	})
}

// FuzzSorter: whatever the telegrams of a file begin with, its parts are taken
// apart or refused, and what is taken is what came behind the tags of data.
func FuzzSorter(f *testing.F) {
	p, err := Load("kfb")
	require.NoError(f, err)
	f.Add([]byte("11057GR15550720250709|22abc|330000000001000000000003"))
	f.Add([]byte("22|33|11|"))
	f.Fuzz(func(t *testing.T, telegrams []byte) {
		s := p.Parts.Sort(PartFacts{Name: "GR155507", Date: "20250709"}, func(d string) string { return d })
		var taken int64
		for telegram := range bytes.SplitSeq(telegrams, []byte("|")) {
			data, err := s.Telegram(telegram)
			if err != nil {
				require.NotEmpty(t, fault.CodeOf(err))
				return
			}
			taken += int64(len(data))
			require.True(t, len(data) == 0 || bytes.HasPrefix(telegram, []byte("22")))
		}
		_, n, err := s.End()
		require.Equal(t, taken, n)
		require.True(t, err == nil || fault.CodeOf(err) == CodePart)
	})
}
