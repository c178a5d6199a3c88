package protocol

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/transfer"
)

// everyProfile are those that come with the program and those for tests.
func everyProfile(t testing.TB) []*Profile {
	t.Helper()
	var out []*Profile
	for name := range profileSources(t) {
		out = append(out, profile(t, name))
	}
	slices.SortFunc(out, func(a, b *Profile) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// profileSources are their texts by name.
func profileSources(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, dir := range []string{"profiles", filepath.Join("..", "testdata", "profiles")} {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			src, err := os.ReadFile(f)
			require.NoError(t, err)
			out[strings.TrimSuffix(filepath.Base(f), ".yaml")] = src
		}
	}
	return out
}

// said is a telegram of the kind with something in most of its rows; nil where
// the profile has none.
func said(p *Profile, k Kind) []byte {
	t := Telegram{Kind: k}
	for f := range numNumbers {
		t.SetNumber(f, 2)
	}
	for f := Type; f < firstOwn; f++ {
		t.SetText(f, "1")
	}
	t.SetText(Response, p.Code(OK))
	t.SetText(Data, "abcdefgh")
	p.SetMap(&t, 1, 2, 1, func(n int) bool { return n == 1 })
	b, err := p.Append(nil, &t)
	if err != nil {
		b, err = p.Append(nil, &Telegram{Kind: k})
	}
	if err != nil {
		return nil
	}
	return b
}

// FuzzReader: whatever comes, a telegram that the reader of any profile gives
// is as long as its digits say or ends where its delimiter stands, whether it is
// given at once or, with a whole file in it, in pieces; and every end has a name.
func FuzzReader(f *testing.F) {
	profiles := everyProfile(f)
	for i, p := range profiles {
		stream := []byte{}
		for _, k := range Kinds() {
			stream = append(stream, said(p, k)...)
		}
		f.Add(byte(i), stream, uint8(3))
		f.Add(byte(i), append(stream[:len(stream)/2:len(stream)/2], "0001"...), uint8(1))
		f.Add(byte(i), append(bytes.Clone(stream[:min(20, len(stream))]), "99999999"...), uint8(2))
		if p.Files.Whole {
			head, err := p.AppendWhole(nil, &Telegram{Kind: DataTelegram}, 60)
			require.NoError(f, err)
			f.Add(byte(i), append(append(head, strings.Repeat("x", 60)...), stream...), uint8(0x46))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, stream []byte, piece uint8) {
		p := profiles[int(which)%len(profiles)]
		r := p.NewReader(&pieces{stream, int(piece)%7 + 1}, make([]byte, p.FrameBuffer()))
		if piece&0x80 != 0 {
			r.First()
		}
		at, telegram := 0, 0 // where the next bytes are due, and where their telegram began
		for {
			frame, err := r.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					require.NotEmpty(t, fault.CodeOf(err))
				}
				break
			}
			if !r.GoesOn() {
				telegram = at
			}
			require.Equal(t, string(stream[at:at+len(frame)]), string(frame))
			require.LessOrEqual(t, len(frame), p.frame.maxTotal)
			at += len(frame)
			if r.rest == 0 { // else more of a file comes, which is all one telegram
				require.GreaterOrEqual(t, at-telegram, p.frame.minTotal)
				if l := p.frame.length; l.width > 0 {
					said, ok := l.num.parse(stream[telegram+l.at:telegram+l.at+l.width], l.num.zero)
					require.True(t, ok)
					require.Equal(t, int(said)+l.before, at-telegram)
				}
				ends := p.Delimiter()
				require.Equal(t, string(ends), string(stream[at:at+len(ends)]))
				require.True(t, len(ends) == 0 || !bytes.Contains(frame, ends))
				at += len(ends)
			}
			if piece&0x40 != 0 { // the buffer goes back where it came from while nothing comes
				r.Use(make([]byte, p.FrameBuffer()))
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

// FuzzDecode: what decodes under any profile also encodes, and decodes to the
// same again. What a person is shown of it and what is written down are as
// long as it is, and neither has a password of it.
func FuzzDecode(f *testing.F) {
	profiles := everyProfile(f)
	for i, p := range profiles {
		for _, k := range Kinds() {
			if b := said(p, k); b != nil {
				f.Add(byte(i), b[:len(b)-len(p.Delimiter())])
			}
		}
		if _, err := os.Stat(filepath.Join("..", "testdata", "vectors", p.Name+".txt")); err == nil {
			for _, v := range readVectors(f, p.Name) {
				f.Add(byte(i), v.bytes)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, frame []byte) {
		p := profiles[int(which)%len(profiles)]
		var tg, again Telegram
		err := p.Decode(frame, &tg)
		told := p.Explain(frame)
		require.Equal(t, tg.Kind, told.Kind)
		masked := p.Masked(nil, frame, err, true)
		require.Len(t, masked, len(frame))
		if err != nil {
			require.NotEmpty(t, fault.CodeOf(err))
			return
		}
		require.LessOrEqual(t, len(tg.Data()), len(frame))
		for _, secret := range []Field{SenderPassword, Password, Challenge} {
			if tg.Text(secret) != "" {
				require.NoError(t, p.Decode(masked, &again))
				require.Empty(t, strings.Trim(again.Text(secret), "*"))
			}
		}
		block, _ := p.Place(&tg)
		var missing transfer.SeqSet
		if p.Has(CheckReply) {
			p.Missing(&tg, block, p.Files.PerBlock, &missing)
		}
		p.NextBlock(&tg)
		p.RightBusiness(&tg)
		b, err := p.Append(nil, &tg)
		if err != nil { // a map or a password longer than we would write
			require.NotEmpty(t, fault.CodeOf(err))
			return
		}
		require.NoError(t, p.Decode(b[:len(b)-len(p.Delimiter())], &again))
		require.Equal(t, tg.Kind, again.Kind)
		for _, pl := range p.layouts[tg.Kind].places {
			if pl.field < numNumbers && pl.field != Length && pl.field != DataLength && pl.made == nil && pl.value == nil {
				require.Equal(t, tg.Number(pl.field), again.Number(pl.field), p.FieldName(pl.field))
			}
		}
		require.Equal(t, tg.Data(), again.Data())
	})
}

// FuzzProfile: no document, however broken, makes Parse or a profile that it
// accepts panic.
func FuzzProfile(f *testing.F) {
	for _, src := range profileSources(f) {
		f.Add(src)
	}
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
		for _, lang := range []string{"en", "ko"} {
			require.NotEmpty(t, p.Page(lang))
		}
		var tg Telegram
		for _, k := range Kinds() {
			if p.Has(k) {
				_ = said(p, k)
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
