package machine

import (
	"bytes"
	"errors"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// pieces cuts what transcripts say of files that one telegram carries, which
// may go on in a further line.
type pieces struct {
	bytes.Buffer
	reader *protocol.Reader
}

var errNoMore = errors.New("the line is at its end")

// Read says errNoMore where the next line goes on.
func (p *pieces) Read(b []byte) (int, error) {
	if p.Len() == 0 {
		return 0, errNoMore
	}
	return p.Buffer.Read(b)
}

// pieces reads a line. A piece that asks something is answered by the line's
// next ones, so only the last may.
func (p *player) pieces(b []byte) {
	if p.whole == nil {
		p.whole = &pieces{}
		p.whole.reader = p.p.NewReader(p.whole, make([]byte, p.p.FrameBuffer()))
	}
	p.whole.Write(b)
	for {
		frame, err := p.whole.reader.Next()
		if errors.Is(err, errNoMore) {
			require.Zero(p.t, p.whole.reader.Held(), p.where())
			return
		}
		require.NoError(p.t, err, p.where())
		p.frame = bytes.Clone(frame)
		require.NoError(p.t, p.whole.reader.Decode(p.frame, &p.tg), p.where())
		require.Empty(p.t, p.queue, p.where())
		p.step(Event{Kind: Arrived, Telegram: &p.tg})
	}
}
