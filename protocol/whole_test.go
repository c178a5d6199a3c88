package protocol_test

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
)

const wholeHead = "FTE123456780320REEB210602000"

// endless is data without end.
type endless struct{ read int64 }

// Read fills b with filling.
func (e *endless) Read(b []byte) (int, error) {
	e.read += int64(len(b))
	return len(b), nil
}

// A telegram of 256 MiB goes through a buffer of some kilobytes: nothing is
// allocated for what its length says.
func TestWholeInPieces(t *testing.T) {
	const size = 256 << 20
	p := protocoltest.Parse(t, "profile: t\nextends: whole\nframing: {max: 9999}\nfiles: {message_size: 9000}\n")
	tg := protocol.Telegram{Kind: protocol.DataTelegram}
	for f, v := range map[protocol.Field]string{protocol.Institution: "12345678", protocol.Direction: "R", protocol.Issuer: "E", protocol.Name: "EB210602", protocol.Response: "000"} {
		tg.SetText(f, v)
	}
	head, err := p.AppendWhole(nil, &tg, size)
	require.NoError(t, err)
	require.Equal(t, "0268435484"+wholeHead, string(head), "28 bytes of the header behind the length, and the data")
	r := p.NewReader(io.MultiReader(strings.NewReader(string(head)), &endless{}), make([]byte, p.FrameBuffer()))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var got protocol.Telegram
	n, pieces := int64(0), 0
	for n < size {
		frame, err := r.Next()
		require.NoError(t, err)
		if err := r.Decode(frame, &got); err != nil || got.Kind != protocol.DataTelegram || r.GoesOn() != (pieces > 0) {
			require.Fail(t, "no piece of it", "%v %s", err, got.Kind)
		}
		require.LessOrEqual(t, len(got.Data()), 9000)
		n += int64(len(got.Data()))
		pieces++
	}
	runtime.ReadMemStats(&after)
	require.Equal(t, int64(size), n)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "what tests allocate by themselves is less than that")
	require.Less(t, p.FrameBuffer(), 16<<10)
}

// What a length says more than the profile takes is refused before a byte of it
// is read, what breaks off is no telegram, and what follows is one again.
func TestWholeAtItsEnds(t *testing.T) {
	p := protocoltest.Parse(t, "profile: t\nextends: whole\nlimits: {size: 100}\n")
	read := func(wire string) (data string, err error) {
		r := p.NewReader(strings.NewReader(wire), make([]byte, p.FrameBuffer()))
		for {
			frame, err := r.Next()
			if err != nil {
				return data, err
			}
			var got protocol.Telegram
			require.NoError(t, r.Decode(frame, &got))
			data += string(got.Data()) + map[bool]string{true: ".", false: "|"}[r.GoesOn()]
		}
	}
	hundred := strings.Repeat("0123456789", 10)
	data, err := read("0000000128" + wholeHead + hundred + "0000000029" + wholeHead + "x" + "0000000028" + wholeHead)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "012345678901234567890123|456789012345678901234567.890123456789012345678901.234567890123456789012345.6789.x||", data)
	_, err = read("0000000129" + wholeHead)
	require.Equal(t, protocol.CodeTooLong, fault.CodeOf(err))
	_, err = read("9999999999" + wholeHead)
	require.Equal(t, protocol.CodeTooLong, fault.CodeOf(err))
	for _, cut := range []int{5, 37, 38, 40, 62, 137} { // in the head, at its end, within and between pieces
		_, err = read(("0000000128" + wholeHead + hundred)[:cut])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, cut)
	}
	require.Equal(t, int64(100), p.MaxFile(24))
	tg := protocol.Telegram{Kind: protocol.DataTelegram}
	_, err = p.AppendWhole(nil, &tg, 101)
	require.Equal(t, protocol.CodeTooLong, fault.CodeOf(err))
}

// A profile whose telegrams could not carry a whole file never loads.
func TestWholeMistakes(t *testing.T) {
	for _, c := range []struct{ change, path, expected string }{
		{"files: {resume: bytes}", "files.resume", "none, where files.whole"},
		{"files: {blocks: numbered}", "files.blocks", "none, where files.whole"},
		{"bodies: {data: {data: {title: n, field: sequence, type: N, width: 5}}}", "telegrams.data", "data"},
		{"limits: {size: -1}", "limits.size", "0…"},
		{"framing: {offset: , width: , counts: , ends: \"hex:FFEF\"}\nheader: {length: }", "framing.ends", "a length, where files.whole"},
	} {
		l := protocol.NewLibrary()
		_, err := l.Add("whole.yaml", []byte(protocoltest.Source(t, "whole")))
		require.NoError(t, err)
		name, err := l.Add("t.yaml", []byte("profile: t\nextends: whole\n"+c.change+"\n"))
		require.NoError(t, err)
		_, err = l.Load(name)
		require.ErrorContains(t, err, strings.Split(c.path, ".")[1], c.change)
	}
}
