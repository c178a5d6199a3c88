package protocol

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

// A profile that extends another says only what is different.
func TestExtends(t *testing.T) {
	p, err := Parse("mine.yaml", []byte(`profile: mine
extends: cms-bank
header:
  business: {value: KTB}
  institution: {width: 8}
letters:
  issuer: {institution: E}
files: {message_size: 2048}
`))
	require.NoError(t, err)
	require.Equal(t, "mine", p.Name)
	require.Equal(t, "own", p.Certainty, "what the other says of itself is not said of this one")
	require.Empty(t, p.Source)
	require.Equal(t, 2048-39, p.MaxData(p.Files.MessageSize), "widths come from both")
	require.False(t, p.Has(Inquiry), "what the one in the middle takes away is away")

	tg := Telegram{Kind: Info}
	tg.Set(Institution, []byte("12345678"))
	tg.Set(Issuer, p.Letters.Institution)
	tg.Set(Direction, p.Letters.Upload)
	tg.SetText(Name, "EB210602")
	tg.SetNumber(MessageSize, 2048)
	b, err := p.Append(nil, &tg)
	require.NoError(t, err)
	require.Equal(t, "0052KTB123456780630REEB210602000EB2106020000000000002048", string(b))
}

func TestExtendsMistakes(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       fault.Code
		file, path string
		line       int
		expected   string
	}{
		{"nobody", "profile: a\nextends: b\n", CodeProfileValue, "a.yaml", "extends", 2, "cms"},
		{"itself", "profile: a\nextends: a\n", CodeProfileValue, "a.yaml", "extends", 2, "a → a"},
		{"a row that is not there", "profile: a\nextends: cms\nheader:\n  bank: {width: 3}\n", CodeProfileField, "a.yaml", "header.bank", 4, "extended"},
		{"a key that is none", "profile: a\nextends: cms\nheader:\n  institution: {wide: 3}\n", CodeProfileSyntax, "a.yaml", "header[2].wide", 4, "unknown key"},
		{"a value that does not fit the other's width", "profile: a\nextends: cms\nheader:\n  business: {value: LONGER}\n", CodeProfileWidth, "a.yaml", "header[1].value", 4, "at most 3"},
		{"the other's value no longer fits", "profile: a\nextends: cms\nheader:\n  type: {width: 3}\n", CodeProfileWidth, "cms.yaml", "telegrams.open.type", 0, "3 characters"},
		{"a telegram that is needed", "profile: a\nextends: cms\ntelegrams:\n  close:\n", CodeProfileMissing, "a.yaml", "telegrams", 3, "layout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("a.yaml", []byte(c.text))
			require.Error(t, err)
			var seen []string
			for _, e := range faults(err) {
				seen = append(seen, e.Error())
				if e.Code == c.code && e.Args["file"] == c.file && e.Args["path"] == c.path &&
					(c.line == 0 || e.Args["line"] == strconv.Itoa(c.line)) && strings.Contains(wanted(t, catalog.EN, e), c.expected) {
					return
				}
			}
			require.Fail(t, "not told", "%+v in\n%s", c, strings.Join(seen, "\n"))
		})
	}
}
