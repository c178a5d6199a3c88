package filemgr

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/transfer"
)

// A file cut into tagged parts: every telegram begins with its tag, header and
// trailer stand where the geometry says, and what is assembled again is the file.
func TestPartsTravelAndAreTakenOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "F")
	rapid.Check(t, func(t *rapid.T) {
		g := transfer.Geometry{DataSize: rapid.IntRange(3, 9).Draw(t, "L"), PerBlock: rapid.IntRange(1, 4).Draw(t, "per block")}
		content := strings.Repeat("0123456789", 9)[:rapid.IntRange(0, 70).Draw(t, "bytes")]
		parts := &Parts{}
		if n := rapid.IntRange(0, 12).Draw(t, "head"); n > 1 {
			parts.Head, g.Head = []byte("11"+strings.Repeat("h", n-2)), n
		}
		if rapid.Bool().Draw(t, "tail") {
			parts.Tail = func(records, bytes int64) ([]byte, error) { return fmt.Appendf(nil, "33%03d%03d", records, bytes), nil }
			g.Tail = 8
		}
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		enc := Encoding{Tag: "22"}
		o := SplitOptions{Form: Form{Kind: Fixed, Length: 1}, Encoding: enc, Geometry: g, Parts: parts, Checks: CheckOptions{SendEmpty: true}}
		var telegrams []string
		var size int64
		res, err := Split(context.Background(), path, o, func(b transfer.Block) error {
			require.True(t, g.Fits(b.Number, b.Offset), "block %d at %d", b.Number, b.Offset)
			require.Equal(t, size, b.Offset)
			require.Equal(t, crc32.Checksum(b.Payload, crc32.MakeTable(crc32.Castagnoli)), b.Checksum)
			require.LessOrEqual(t, len(b.Lengths), g.PerBlock)
			at := 0
			for seq, l := range b.Lengths {
				require.True(t, b.Held.Has(seq+1))
				telegrams = append(telegrams, string(b.Payload[at:at+int(l)]))
				at += int(l)
			}
			require.Equal(t, len(b.Payload), at)
			size += int64(at)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, res.WireSize, size)
		require.EqualValues(t, len(telegrams), res.Sequences)
		require.EqualValues(t, len(content), res.Records)
		at := int64(0)
		for n, telegram := range telegrams {
			p := transfer.Position{Block: int64(n/g.PerBlock) + 1, Seq: n%g.PerBlock + 1}
			require.Equal(t, at, g.Offset(p, size), "telegram %d", n)
			at += int64(len(telegram))
		}
		if g.Head > 0 {
			require.Equal(t, string(parts.Head), telegrams[0])
			telegrams = telegrams[1:]
		}
		if g.Tail > 0 {
			require.Equal(t, fmt.Sprintf("33%03d%03d", len(content), len(content)), telegrams[len(telegrams)-1])
			telegrams = telegrams[:len(telegrams)-1]
		}
		for n, telegram := range telegrams {
			require.True(t, strings.HasPrefix(telegram, "22"))
			require.True(t, len(telegram) == g.DataSize || n == len(telegrams)-1)
		}
		var out strings.Builder
		src := func(emit func([]byte) error) error {
			for _, telegram := range append(append([]string{"11"}, telegrams...), "33") {
				if err := emit([]byte(telegram)); err != nil {
					return err
				}
			}
			return nil
		}
		require.NoError(t, ToFile(context.Background(), Form{Kind: Raw}, enc, 0, src, &out))
		require.Equal(t, content, out.String())
	})
}

func TestEncodingTexts(t *testing.T) {
	for _, e := range []Encoding{{}, {Gzip: true}, {EBCDIC: true}, {Gzip: true, EBCDIC: true}, {Tag: "22"}, {EBCDIC: true, Tag: "\x0b"}} {
		got, err := ParseEncoding(e.String())
		require.NoError(t, err)
		require.Equal(t, e, got)
	}
	for _, text := range []string{"ebcdic+gzip", "gzip+", "zip", "tag:", "tag:3", "tag:3x", "tag:32+gzip"} {
		_, err := ParseEncoding(text)
		require.Error(t, err, text)
	}
}
