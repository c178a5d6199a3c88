package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
)

// A header with everything in it that no value of ours stands in: a running
// number, an expression, a row that answers repeat and one that they leave blank.
const madeHeader = `
header:
  - {title: length, field: length, type: N, width: 4}
  - {title: type, field: type, type: N, width: 4}
  - {title: number, field: telegram_number, type: N, width: 3, counter: {last: 5, after: wrap}}
  - {title: of the file, type: I, width: 2, counter: {in: file, first: 0}}
  - {title: when, field: sent_at, type: N, width: 6, format: HHmmss, reply: echo}
  - {title: name, field: name, type: AN, width: 6, reply: blank}
  - {title: short, type: AN, width: 4, expr: 'upper(name[0:2]) + "-"'}
  - {title: thousands, type: N, width: 5, expr: 'size / 1000 + 1'}
  - {title: code, field: response, type: N, width: 3}
files: {name_width: 6}
`

func TestMadeRows(t *testing.T) {
	p := small(t, madeHeader)
	info := Telegram{Kind: Info}
	info.SetText(Name, "ab0602")
	info.SetNumber(Size, 4999)
	info.SetText(SentAt, "20260602131415")
	info.SetCounts(Counts{Telegrams: 6, InFile: 258})
	b, err := p.Append(nil, &info)
	require.NoError(t, err)
	// Number 6 of five is the second again; 258 is 0102; 4999 div 1000 + 1 is 5.
	require.Equal(t, "0057"+"0630"+"002"+"\x01\x02"+"131415"+"ab0602"+"AB- "+"00005"+"000"+"ab0602  "+"000000004999"+"0000", string(b))

	var got, kept Telegram
	require.NoError(t, p.Decode(b, &got))
	kept.Keep(&got, nil)
	kept.Kind = InfoReply
	kept.SetText(SentAt, "20260602235959") // ours, which does not travel
	kept.SetCounts(Counts{})
	b, err = p.Append(nil, &kept)
	require.NoError(t, err)
	require.Equal(t, "0057"+"0640"+"001"+"\x00\x00"+"131415"+"      "+"AB- "+"00005"+"000"+"ab0602  "+"000000004999"+"0000", string(b))
	require.NoError(t, p.Decode(b, &got))
	require.Equal(t, "ab0602", got.Text(Name), "a blank name in the header leaves that of the body")

	rows := p.Explain(b).Rows
	require.Equal(t, Told{Title: "number", Field: "telegram_number", Offset: 8, Width: 3, Value: "001"}, rows[2])
	require.Equal(t, Told{Title: "of the file", Offset: 11, Width: 2, Value: "0"}, rows[3])

	for _, c := range []struct {
		change func(*Telegram)
		code   fault.Code
		row    string
	}{
		{func(t *Telegram) { t.SetCounts(Counts{InFile: 65536}) }, CodeCounter, "of the file"},
		{func(t *Telegram) { t.SetNumber(Size, 100_000_000) }, CodeDoesNotFit, "thousands"},
		{func(t *Telegram) { t.SetText(Name, "글0602") }, CodeCharset, "short"},
	} {
		bad := info
		c.change(&bad)
		_, err := p.Append(nil, &bad)
		require.Equal(t, c.code, fault.CodeOf(err), c.row)
		require.Equal(t, c.row, fault.As(err).Subject)
	}
}

// Data telegrams are counted one by one, without an allocation.
func TestCountersOfData(t *testing.T) {
	p := small(t, madeHeader)
	head := Telegram{Kind: DataTelegram}
	head.SetText(Name, "ab0602")
	head.SetCounts(Counts{Telegrams: 3, InFile: 1})
	tpl, err := p.Template(&head, 10)
	require.NoError(t, err)
	for n, want := range []string{"004\x00\x01", "005\x00\x02", "001\x00\x03"} {
		b, err := tpl.Append(nil, 1, n+1, []byte("data"))
		require.NoError(t, err)
		require.Equal(t, want, string(b[8:13]))
		head.SetNumber(Block, 1)
		head.SetNumber(Sequence, int64(n+1))
		head.Set(Data, []byte("data"))
		head.SetCounts(Counts{Telegrams: int64(3 + n), InFile: int64(1 + n)})
		one, err := p.Append(nil, &head)
		require.NoError(t, err)
		require.Equal(t, string(one), string(b))
	}
	buf := make([]byte, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = tpl.Append(buf, 1, 1, []byte("data")) }))
	var got Telegram
	b, err := tpl.Append(nil, 1, 1, []byte("data"))
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = p.Decode(b, &got) }))
}

// What an echo repeats are bytes, whatever they mean to us.
func TestEchoIsBytes(t *testing.T) {
	p := small(t, "\nheader:\n  - {title: length, field: length, type: N, width: 4}\n  - {title: type, field: type, type: N, width: 4}\n"+
		"  - {title: size, field: message_size, type: N, width: 5, reply: echo}\n  - {title: code, field: response, type: N, width: 3}\n"+
		"bodies:\n  info:\n    - {title: file, field: name, type: AN, width: 8}\n    - {title: size, field: size, type: N, width: 12}\n"+
		"telegrams:\n  info-reply: {override: {message_size: {field: message_size, type: N, width: 5}}}\n")
	var got Telegram
	require.NoError(t, p.Decode([]byte("0061"+"0600"+"   77"+"000"+"001"+"R"+"BANK"+"TESTER    "), &got))
	require.EqualValues(t, 77, got.Number(MessageSize))
	reply := got
	reply.Kind = OpenReply
	reply.SetNumber(MessageSize, 1)
	b, err := p.Append(nil, &reply)
	require.NoError(t, err)
	require.Equal(t, "   77", string(b[8:13]))
	fresh := Telegram{Kind: OpenReply}
	b, err = p.Append(nil, &fresh)
	require.NoError(t, err)
	require.Equal(t, "     ", string(b[8:13]), "nothing was asked")
}

// Mistakes in such rows name the line, and of expressions the column.
func TestMadeMistakes(t *testing.T) {
	for _, c := range []struct {
		row      string
		code     fault.Code
		path     string
		expected string
	}{
		{`{title: x, type: AN, width: 4, expr: 'nome + "x"'}`, CodeProfileExpression, "header[2].expr", "column 1: unknown name nome"},
		{`{title: x, type: AN, width: 4, expr: 'pad(nome, 4, "*")'}`, CodeProfileExpression, "header[2].expr", "column 5: unknown name nome; name is meant, or one of block, business, "},
		{`{title: x, type: N, width: 4, expr: 'size / siez'}`, CodeProfileExpression, "header[2].expr", "column 8: unknown name siez; size is meant"},
		{`{title: x, type: AN, width: 4, expr: 'pad(sender_password, 4, "*")'}`, CodeProfileExpression, "header[2].expr", "column 5: unknown name sender_password"},
		{`{title: x, type: AN, width: 4, expr: 'let a = pad(name, 4, "*"); a + b'}`, CodeProfileExpression, "header[2].expr", "unknown name b"},
		{`{title: x, type: AN, width: 4, expr: 'let a = pad(name, 4, "*"); upper(a)'}`, "", "", ""},
		{`{title: x, type: AN, width: 4, expr: 'name + * 2'}`, CodeProfileExpression, "header[2].expr", "column 8: unexpected token"},
		{`{title: x, type: AN, width: 4, expr: 'name + size'}`, CodeProfileExpression, "header[2].expr", "column 6: invalid operation"},
		{`{title: x, type: N, width: 4, expr: 'name'}`, CodeProfileExpression, "header[2].expr", "expected int64, but got string"},
		{`{title: x, type: AN, width: 4, expr: 'size'}`, CodeProfileExpression, "header[2].expr", "expected string, but got int"},
		{`{title: x, type: AN, width: 4, expr: 'repeat(name, 3)'}`, CodeProfileExpression, "header[2].expr", "unknown name repeat"},
		{`{title: x, type: AN, width: 4, expr: 'sender_password'}`, CodeProfileExpression, "header[2].expr", "unknown name sender_password"},
		{`{title: x, type: N, width: 4, expr: 'length'}`, CodeProfileExpression, "header[2].expr", "unknown name length"},
		{`{title: x, type: N, width: 4, expr: 'block'}`, CodeProfileExpression, "header[2].expr", "differs from one data telegram to the next"},
		{`{title: x, field: name, type: AN, width: 4, expr: 'name'}`, CodeProfileField, "header[2].expr", "a name of the profile's own"},
		{`{title: x, type: AN, width: 4, value: A, expr: 'name'}`, CodeProfileValue, "header[2]", "one of value, expr and counter"},
		{`{title: x, type: AN, width: 4, counter: {}}`, "", "", ""}, // says nothing, and is filler
		{`{title: x, type: AN, width: 4, counter: {first: 1}}`, CodeProfileValue, "header[2].type", "a counter is a number"},
		{`{title: x, field: size, type: N, width: 4, counter: {first: 1}}`, CodeProfileField, "header[2].counter", "a name of the profile's own"},
		{`{title: x, type: N, width: 4, counter: {of: records}}`, CodeProfileValue, "header[2].counter.of", "telegrams, files"},
		{`{title: x, type: N, width: 4, counter: {in: day}}`, CodeProfileValue, "header[2].counter.in", "session, file"},
		{`{title: x, type: N, width: 4, counter: {of: files, in: file}}`, CodeProfileValue, "header[2].counter.in", "session"},
		{`{title: x, type: N, width: 4, counter: {after: stop}}`, CodeProfileValue, "header[2].counter.after", "refuse, wrap"},
		{`{title: x, type: N, width: 4, counter: {last: 10000}}`, CodeProfileValue, "header[2].counter.last", "2…9999"},
		{`{title: x, type: N, width: 4, counter: {first: 9, last: 9}}`, CodeProfileValue, "header[2].counter.last", "10…9999"},
		{`{title: x, type: N, width: 4, counter: {first: -1}}`, CodeProfileValue, "header[2].counter.first", "0…"},
		{`{title: x, type: N, width: 4, counter: {begins: 1}}`, CodeProfileSyntax, "header[2].counter.begins", "unknown key"},
		{`{title: x, type: N, width: 4, counter: 1}`, CodeProfileSyntax, "", "is not a group of"},
		{`{title: x, field: name, type: AN, width: 4, reply: same}`, CodeProfileValue, "header[2].reply", "echo, blank"},
		{`{title: x, type: AN, width: 4, reply: echo}`, CodeProfileMissing, "header[2].reply", "which row of the request"},
		{`{title: x, field: missing, type: N, width: 4, reply: echo}`, CodeProfileValue, "header[2].reply", "missing of"},
	} {
		text := "profile: small\nextends: cms-bank\n" + strings.TrimLeft(strings.Replace(smallHeader, "  - {title: code", "  - "+c.row+"\n  - {title: code", 1), "\n")
		_, err := Parse("a.yaml", []byte(text))
		if c.code == "" {
			require.NoError(t, err, c.row)
			continue
		}
		require.Error(t, err, c.row)
		var seen []string
		told := false
		for _, e := range faults(err) {
			seen = append(seen, e.Error())
			told = told || e.Code == c.code && e.Args["path"] == c.path && e.Args["line"] == "6" && strings.Contains(wanted(t, catalog.EN, e), c.expected)
		}
		require.True(t, told, "%s: %s %q not in\n%s", c.row, c.path, c.expected, strings.Join(seen, "\n"))
	}
	for _, c := range []struct{ changes, path, expected string }{
		{"bodies:\n  file:\n    info: {size: {reply: echo}}\n", "", "a list is expected here"},
		{"bodies:\n  info:\n    size: {reply: echo}\n", "bodies.info[1].reply", "size of info-reply"},
		{"bodies:\n  info:\n    message_size: {reply: echo}\n", "bodies.info[2].reply", "message_size of info-reply"},
		{"bodies:\n  check-reply:\n    block: {reply: blank}\n", "bodies.check-reply[0].reply", "block of check-reply"},
		{"header:\n  response: {reply: blank}\n", "header[7].reply", "response of open-reply"},
		{"bodies:\n  asked:\n    - {title: to, field: to, type: AN, width: 4, reply: echo}\ntelegrams: {close-reply: {body: asked}}\n", "telegrams.close-reply", "a row of 4 bytes in telegrams.close"},
	} {
		_, err := Parse("a.yaml", []byte("profile: a\nextends: cms\n"+c.changes))
		require.Error(t, err, c.changes)
		var seen []string
		told := false
		for _, e := range faults(err) {
			seen = append(seen, e.Error())
			told = told || e.Args["path"] == c.path && strings.Contains(wanted(t, catalog.EN, e), c.expected)
		}
		require.True(t, told, "%q: %s %q not in\n%s", c.changes, c.path, c.expected, strings.Join(seen, "\n"))
	}
}

// Whatever an expression makes is a number or a text, or a mistake that says why.
func TestExpressions(t *testing.T) {
	for _, c := range []struct{ typ, expr, want string }{
		{"AN", `name + pad(size, 6)`, "EB21004999"},
		{"AN", `pad(name, 6, "*") + string(size % 10)`, "EB21**9"},
		{"AN", `size > 0 ? "full" : "empty"`, "full"},
		{"AN", `lower(trim(" X ")) + name[2:99]`, "x21"},
		{"AN", `serial`, ""},
		{"N", `int(name[2:4]) * 2`, "0000000042"},
		{"N", `max(size, 7) - min(1, 2) + len(name)`, "0000005002"},
		{"N", `(size - 1) / 1000`, "0000000004"},
		{"N", `size / (size - 4999)`, "!division by zero"},
		{"N", `int(name)`, "!invalid operation: int(EB21)"},
		{"N", `0 - size`, "!"},
		{"AN", `pad(name, 6, "")`, "!pad: one character to fill with"},
		{"AN", `pad(name, 100000, "x")`, "!pad: a width from 0 to 9999"},
	} {
		p := small(t, "\nheader:\n  - {title: length, field: length, type: N, width: 4}\n  - {title: type, field: type, type: N, width: 4}\n"+
			"  - {title: made, type: "+c.typ+", width: 10, expr: '"+c.expr+"'}\n  - {title: code, field: response, type: N, width: 3}\n")
		info := Telegram{Kind: Info}
		info.SetText(Name, "EB21")
		info.SetNumber(Size, 4999)
		b, err := p.Append(nil, &info)
		if why, fails := strings.CutPrefix(c.want, "!"); fails {
			require.Error(t, err, c.expr)
			require.Equal(t, "made", fault.As(err).Subject)
			require.Contains(t, wanted(t, catalog.EN, fault.As(err)), why, c.expr)
			continue
		}
		require.NoError(t, err, c.expr)
		require.Equal(t, c.want, strings.TrimRight(string(b[8:18]), " "), c.expr)
	}
}
