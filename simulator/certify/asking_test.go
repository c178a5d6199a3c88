package certify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
)

// plain has no codes for what is found: the response code alone says it.
const plain = `
profile: plain
extends: cms
title: { en: No codes for what is found, ko: 조회 결과코드 없음 }
source: made for tests
bodies: { inquiry: { result: }, cancel: { result: } }
results: { inquiry: , cancel: }
`

// What is said of a file that was given, and of one that nobody knows, in the
// codes of the profile.
func TestFound(t *testing.T) {
	const given, unknown = "EB211122", "EB991122"
	cms, err := protocol.Load("cms")
	require.NoError(t, err)
	bare, err := protocol.Parse("plain.yaml", []byte(plain))
	require.NoError(t, err)
	inquiry, cancel := protocol.Inquiry, protocol.Cancel
	for name, test := range map[string]struct {
		p    *protocol.Profile
		kind protocol.Kind
		file string
		code string // in the row of what was found
		want fault.Code
	}{
		"whole":                      {cms, inquiry, given, "000", ""},
		"at work on it":              {cms, inquiry, given, "400", ""},
		"unfinished":                 {cms, inquiry, given, "411", CodeFound},
		"not there":                  {cms, inquiry, given, "415", CodeFound},
		"no such code":               {cms, inquiry, given, "987", CodeFound},
		"unknown, nothing":           {cms, inquiry, unknown, "415", ""},
		"unknown, whole":             {cms, inquiry, unknown, "000", CodeFound},
		"cancelled":                  {cms, cancel, given, "000", ""},
		"cancelled too late":         {cms, cancel, given, "513", ""},
		"cancelled, not there":       {cms, cancel, given, "511", CodeFound},
		"cancelled before":           {cms, cancel, given, "512", CodeFound},
		"cancelled, unknown":         {cms, cancel, unknown, "511", ""},
		"cancelled, of its kind":     {cms, cancel, unknown, "514", ""},
		"cancelled, unknown, done":   {cms, cancel, unknown, "000", CodeFound},
		"plain: whole":               {bare, inquiry, given, "000", ""},
		"plain: refused":             {bare, inquiry, given, "999", CodeRefused},
		"plain: unknown, refused":    {bare, inquiry, unknown, "999", ""},
		"plain: unknown, whole":      {bare, inquiry, unknown, "000", CodeFound},
		"plain: cannot be cancelled": {bare, cancel, given, "002", ""},
		"plain: unknown, done":       {bare, cancel, unknown, "000", CodeFound},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &try{w: &walk{p: test.p}, plan: &plan{}, gifts: []gift{{given, 300}},
				asked: []simulator.Question{{Kind: test.kind, Name: given}, {Kind: test.kind, Name: unknown}}}
			row := protocol.Response
			if test.p.Carries(test.kind.Reply(), protocol.Result) {
				row = protocol.Result
			}
			for _, kind := range []protocol.Kind{test.kind, test.kind.Reply()} {
				tg := protocol.Telegram{Kind: kind}
				tg.SetText(protocol.QueryName, test.file)
				if kind != test.kind {
					tg.SetText(row, test.code)
				}
				tr.heard(kind == test.kind, &tg, nil)
			}
			var got fault.Code
			if e := tr.answered(0, map[int64]int{}); e != nil {
				got = e.Code
			}
			require.Equal(t, test.want, got)
		})
	}
}
