package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResumeMistakes(t *testing.T) {
	mistakes(t, "byblock", []broken{
		{"a word that is none", "resume: next-block", "resume: blocks", "", CodeProfileValue, "files.resume", "bytes, next-block, last-block, none"},
		{"no row for the block", "  info-reply: {body: next}", "  info-reply: {body: info}", "files: {resume", CodeProfileMissing, "files.resume", "a row for the block in telegrams.info-reply"},
		{"no row for the size", "resume: next-block", "resume: bytes", "", CodeProfileMissing, "files.resume", "a row held, or size"},
		{"none held could not be said", "resume: next-block, per_block: 2", "resume: last-block, first_block: 0", "", CodeProfileValue, "files.resume", "next-block where blocks start at 0"},
	})
	mistakes(t, "stream", []broken{
		{"blocks where there are none", "  blocks: none", "  blocks: none\n  resume: next-block", "  resume: next-block", CodeProfileValue, "files.resume", "bytes, none where"},
	})
	p := testProfile(t, "byblock")
	require.Contains(t, p.Page("en"), "| a cut file goes on where it stood | yes, from the block that the answer names |")
	require.Contains(t, p.Page("ko"), "| 이어받기 | 예(응답이 지정한 블록부터) |")
}

// What one side says the other reads, whatever numbers it is said in.
func TestHeldIsSaid(t *testing.T) {
	for _, by := range []Resuming{ResumeNext, ResumeLast} {
		for _, first := range []int64{0, 1} {
			p := Profile{Files: Files{ResumeBy: by, Numbering: Numbering{FirstBlock: first}}}
			for next := int64(0); next < 5; next++ {
				var said Telegram
				p.SayHeld(&said, 1<<40, next)
				require.Equal(t, max(1, next), p.NextBlock(&said))
				require.Zero(t, said.Number(Size))
			}
		}
	}
}

// Where a document has a row of its own for what is held, the size in the
// answer is that of the file.
func TestHeldHasARow(t *testing.T) {
	p := testProfile(t, "../strangers/nara")
	info := Telegram{Kind: InfoReply}
	info.SetText(Work, "A")
	info.SetNumber(Size, 5000)
	p.SayHeld(&info, 1234, 1)
	b, err := p.Append(nil, &info)
	require.NoError(t, err)
	require.Equal(t, "000000005000000000001234", string(b[40:]))
}
