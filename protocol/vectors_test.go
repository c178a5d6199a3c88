package protocol

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// vector is one golden telegram of testdata/vectors, copied from the documents.
type vector struct {
	kind   string
	fields map[string]string
	bytes  []byte
}

func readVectors(t testing.TB, profile string) []vector {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", profile+".txt"))
	require.NoError(t, err)
	var out []vector
	for line := range strings.Lines(string(src)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "|"):
			b := strings.Trim(line, "|")
			if head, n, ok := strings.Cut(b, "*"); ok {
				k, err := strconv.Atoi(n)
				require.NoError(t, err)
				b = head + filling(k)
			}
			out[len(out)-1].bytes = []byte(b)
		case strings.HasPrefix(line, "@"):
			out[len(out)-1].bytes = placed(t, strings.TrimSuffix(line, "."))
		default:
			kind, rest, _ := strings.Cut(line, " | ")
			v := vector{kind: strings.TrimSpace(kind), fields: map[string]string{}}
			for _, f := range strings.Fields(rest) {
				name, value, _ := strings.Cut(f, "=")
				if strings.HasPrefix(value, "*") {
					k, err := strconv.Atoi(value[1:])
					require.NoError(t, err)
					value = filling(k)
				}
				v.fields[name] = value
			}
			out = append(out, v)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// placed reads "@offset text" pairs over a telegram of blanks.
func placed(t testing.TB, line string) []byte {
	t.Helper()
	words := strings.Fields(line)
	var out []byte
	for i := 0; i < len(words); i++ {
		at, err := strconv.Atoi(strings.TrimPrefix(words[i], "@"))
		require.NoError(t, err)
		for len(out) < at {
			out = append(out, ' ')
		}
		if i+1 == len(words) || strings.HasPrefix(words[i+1], "@") {
			continue
		}
		i++
		text := words[i]
		if n, ok := strings.CutPrefix(text, "*"); ok {
			k, err := strconv.Atoi(n)
			require.NoError(t, err)
			text = filling(k)
		}
		out = append(out, text...)
	}
	return out
}

func filling(n int) string { return strings.Repeat("0123456789", n/10+1)[:n] }

func fieldByName(t *testing.T, name string) Field {
	t.Helper()
	for i, n := range fieldNames() {
		if n == name {
			return Field(i)
		}
	}
	t.Fatalf("no field %q", name)
	return noField
}

func kindByName(t *testing.T, name string) Kind {
	t.Helper()
	for _, k := range Kinds() {
		if k.String() == name {
			return k
		}
	}
	t.Fatalf("no kind %q", name)
	return NoKind
}

// profile is an embedded one, or one of testdata/profiles.
func profile(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		file := filepath.Join("..", "testdata", "profiles", name+".yaml")
		src, readErr := os.ReadFile(file)
		require.NoError(t, readErr)
		p, err = Parse(file, src)
	}
	require.NoError(t, err)
	return p
}

func TestGoldenMessages(t *testing.T) {
	institution := map[string]string{"cms": "12345678", "cms-bank": "057"}
	for _, name := range []string{"cms", "edi", "cms-bank"} {
		p := profile(t, name)
		for _, v := range readVectors(t, name) {
			t.Run(name+"/"+v.kind, func(t *testing.T) {
				tg := Telegram{Kind: kindByName(t, v.kind)}
				if code, ok := institution[name]; ok {
					tg.SetText(Institution, code)
				}
				for f, value := range v.fields {
					if f := fieldByName(t, f); f.IsNumber() {
						n, err := strconv.ParseInt(value, 10, 64)
						require.NoError(t, err)
						tg.SetNumber(f, n)
					} else {
						tg.SetText(f, value)
					}
				}
				got, err := p.Append(nil, &tg)
				require.NoError(t, err)
				require.Equal(t, string(v.bytes), string(got))

				var back Telegram
				require.NoError(t, p.Decode(v.bytes, &back))
				require.Equal(t, v.kind, back.Kind.String())
				for f, value := range v.fields {
					if f := fieldByName(t, f); f.IsNumber() {
						require.Equal(t, value, strconv.FormatInt(back.Number(f), 10), "field %s", p.FieldName(f))
					} else {
						require.Equal(t, value, back.Text(f), "field %s", p.FieldName(f))
					}
				}
				twice := append(bytes.Clone(v.bytes), v.bytes...)
				for _, src := range []io.Reader{bytes.NewReader(twice), iotest.OneByteReader(bytes.NewReader(twice)), iotest.DataErrReader(bytes.NewReader(twice))} {
					r := p.NewReader(src, make([]byte, p.FrameBuffer()))
					for range 2 {
						frame, err := r.Next()
						require.NoError(t, err)
						require.Equal(t, string(v.bytes), string(frame))
					}
					_, err = r.Next()
					require.ErrorIs(t, err, io.EOF)
				}
			})
		}
	}
}

// protocols §1.8 and §1.11.
func TestKFTCPassword(t *testing.T) {
	for _, v := range []struct{ code, day, sender, password, want string }{
		{"12345678", "200602", "Honggildong", "123ABC", "T1W129SVBPPJ8BFE"},
		{"057", "250709", "TESTER", "ABC123", "695XT11BW6LNFT2R"},
	} {
		at, err := time.Parse("060102", v.day)
		require.NoError(t, err)
		require.Equal(t, v.want, KFTCCipher.Encipher(v.code, v.sender, v.password, at))
		require.True(t, KFTCCipher.Matches(v.want, v.code, v.sender, v.password, at.AddDate(0, 0, 1)), "the day after")
		require.True(t, KFTCCipher.Matches(v.want, v.code, v.sender, v.password, at.AddDate(0, 0, -1)), "the day before")
		require.False(t, KFTCCipher.Matches(v.want, v.code, v.sender, v.password, at.AddDate(0, 0, 2)))
		require.False(t, KFTCCipher.Matches(v.want, v.code, v.sender, "wrong1", at))
	}
	require.Empty(t, KFTCCipher.Encipher("12345678", "A", "", time.Now()))
}

func TestTemplateEqualsEncoder(t *testing.T) {
	for _, name := range Embedded() {
		p, err := Load(name)
		require.NoError(t, err)
		tg := Telegram{Kind: DataTelegram}
		tg.SetText(Name, "C02")
		tg.SetNumber(Block, 7)
		tg.SetNumber(Sequence, 42)
		tg.Set(Data, []byte("some data"))
		tg.SetNumber(DataLength, 9)
		want, err := p.Append(nil, &tg)
		require.NoError(t, err)
		tpl, err := p.Template(&tg, p.MostData())
		require.NoError(t, err)
		buf := make([]byte, 0, 4096)
		got, err := tpl.Append(buf, 7, 42, []byte("some data"))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))

		var back Telegram
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := tpl.Append(buf, 7, 42, tg.Data()); err != nil {
				t.Error(err)
			}
			if err := p.Decode(got, &back); err != nil {
				t.Error(err)
			}
		})
		require.Zero(t, allocs, "the data path allocates nothing per telegram")
	}
}

func BenchmarkCodec(b *testing.B) {
	p, err := Load("cms")
	require.NoError(b, err)
	tg := Telegram{Kind: DataTelegram}
	tg.SetText(Name, "EB210602")
	tpl, err := p.Template(&tg, p.MostData())
	require.NoError(b, err)
	data := make([]byte, 4050)
	buf := make([]byte, 0, 8192)
	frame, err := tpl.Append(nil, 1, 1, data)
	require.NoError(b, err)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			if _, err := tpl.Append(buf, 1, 42, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		var t Telegram
		for b.Loop() {
			if err := p.Decode(frame, &t); err != nil {
				b.Fatal(err)
			}
		}
	})
}
