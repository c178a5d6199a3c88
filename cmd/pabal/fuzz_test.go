package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

// FuzzCaptured: whatever was captured, in whatever form, people are shown text
// and programs JSON; as digits it says the same as in bytes; and nothing that is
// shown depends on a password or on content.
func FuzzCaptured(f *testing.F) {
	forms := []string{"auto", "raw", "hex", "log"}
	var profiles []*protocol.Profile
	for _, name := range append(protocol.Embedded(), protocoltest.Names(f)...) {
		profiles = append(profiles, protocoltest.Load(f, name).AnyBusiness())
	}
	for i, p := range profiles {
		var stream []byte
		for _, k := range protocol.Kinds() {
			t := protocol.Telegram{Kind: k}
			t.SetText(protocol.SenderPassword, "HUSH99")
			t.SetText(protocol.Password, "HUSH99")
			t.Set(protocol.Data, []byte("abc\xb0\xa1"))
			if b, err := p.Append(nil, &t); err == nil {
				stream = append(stream, b...)
			}
		}
		f.Add(byte(i), byte(i), i%2 == 0, stream)
		f.Add(byte(i), byte(2), i%2 == 1, []byte(hex.EncodeToString(stream)))
		f.Add(byte(i), byte(0), false, append(append([]byte("0001 |"), stream[:len(stream)/2]...), "|\r\n\x1b[31m"...))
		f.Add(byte(i), byte(3), i%2 == 0, fmt.Appendf(nil, "{\"at\":1,\"what\":\"telegram\",\"hex\":\"%x\"}\n{\"at\":1,\"what\":\"data\",\"way\":\"\\u001b\",\"bytes\":1}\n", stream[:len(stream)/3]))
	}
	cat, err := catalog.Load()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, which, form byte, asJSON bool, text []byte) {
		p := profiles[int(which)%len(profiles)]
		said := func(do func(*app) error) (string, error) {
			var out bytes.Buffer
			err := do(&app{out: &out, cat: cat, json: asJSON, lang: "ko"})
			if err != nil {
				require.NotEmpty(t, fault.CodeOf(err))
				sentence, next := cat.Sentence(catalog.EN, err)
				require.True(t, sentence != "" && next != "")
			}
			for line := range bytes.Lines(out.Bytes()) {
				line = bytes.TrimSuffix(line, []byte("\n"))
				require.True(t, utf8.Valid(line), "%q", line)
				require.False(t, slices.ContainsFunc([]rune(string(line)), unicode.IsControl), "%q", line)
				require.True(t, !asJSON || json.Valid(line), "%q", line)
			}
			return out.String(), err
		}
		as := func(form string, text []byte) (string, error) {
			return said(func(a *app) error { return a.decode(p, "-", form, text) })
		}
		out, err := as(forms[int(form)%len(forms)], text)
		if err == nil {
			require.NotEmpty(t, out)
		}
		raw, err := as("raw", text)
		digits, herr := as("hex", []byte(hex.EncodeToString(text)))
		require.Equal(t, raw, digits)
		require.Equal(t, fault.CodeOf(err), fault.CodeOf(herr))

		var tg protocol.Telegram
		if p.Decode(text, &tg) != nil {
			return
		}
		open, _ := said(func(a *app) error { return a.sayExplained(1, p.Explain(text)) })
		masked, _ := said(func(a *app) error { return a.sayExplained(1, p.Explain(p.Masked(nil, text, nil, true))) })
		require.Equal(t, masked, open)
	})
}
