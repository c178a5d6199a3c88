package protocol

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStreamMistakes(t *testing.T) {
	files := "files:\n  blocks: none"
	with := func(line string) (old, broken, at string) { return files, files + "\n" + line, line }
	all := []broken{
		{"a word that is none", "blocks: none", "blocks: no", "", CodeProfileValue, "files.blocks", "numbered, none"},
		{"a block in the data", "data: {block: , sequence: }\ntelegrams: {", "data: {sequence: }\ntelegrams: {data: {title: DATA}, ", "telegrams: {", CodeProfileField, "telegrams.data", "no row for the block"},
		{"nothing that proves", "receive: [blocks, declared_size]", "receive: [blocks]", "", CodeProfileMissing, "files.proofs.receive", "declared_size or end_size"},
		{"a proof of numbers that there are none of", "receive: [blocks, declared_size]", "receive: [blocks, last_sequence, declared_size]", "", CodeProfileValue, "files.proofs.receive", "blocks, declared_size"},
		{"a proof that nobody gives", "send: [end_reply]", "send: [blocks, end_reply]", "", CodeProfileValue, "files.proofs.send", "end_reply"},
		{"a word of more", "more: unsaid", "more: maybe", "", CodeProfileValue, "session.more", "said, unsaid"},
		{"telegrams that ask", "{check: , check-reply: ", "{check: {title: a}, check-reply: {title: b}", "telegrams: {", CodeProfileValue, "telegrams.check", "where files.blocks is none"},
	}
	for _, c := range []struct{ name, line, path string }{
		{"a check", "  check: block", "files.check"}, {"a map", "  map: numbers", "files.map"}, {"a width of maps", "  map_width: 100", "files.map_width"},
		{"a way to resend", "  resend: rest", "files.resend"}, {"a check of empty files", "  empty_check: true", "files.empty_check"},
		{"a first block", "  first_block: 0", "files.first_block"}, {"sequences in blocks", "  sequences: restart", "files.sequences"},
	} {
		old, src, at := with(c.line)
		all = append(all, broken{c.name, old, src, at, CodeProfileValue, c.path, "where files.blocks is none"})
	}
	mistakes(t, "stream", all)
}

func TestStream(t *testing.T) {
	p := testProfile(t, "stream")
	require.True(t, p.Files.Stream && p.Files.NoCheck && p.Files.Numbering.None)
	require.Equal(t, 4, p.Files.PerBlock)
	require.EqualValues(t, math.MaxInt32, p.Files.MaxBlock)
	en, ko := p.Page("en"), p.Page("ko")
	require.Contains(t, en, "| blocks | none: a file is one stream |")
	require.Contains(t, en, "| data telegrams | have no numbers |")
	require.Contains(t, ko, "| 블록 | 없음(파일 전체를 이어서 송신) |")
	require.Contains(t, en, "| an end is followed by another file | without saying so |")
	require.NotContains(t, en+ko, "%!")
}
