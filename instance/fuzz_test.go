package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// FuzzLiveServer brings a session with a server of ours, over TCP and with its
// database behind it, into a state of its procedure and says anything there:
// telegrams in any order, some with changed bytes, and bytes that are none.
// It does so under every profile, in either part, in both directions, whoever
// calls. Nothing panics, nothing hangs, nothing is left behind, nothing is taken
// or counted as sent that was not proven, no file stands in the receive directory
// that nobody sent, and the next counterparty is served as ever.
func FuzzLiveServer(f *testing.F) {
	l := startLive(f)
	for i, w := range l.ways {
		// Those that talk in ways of their own have each of their states tried
		// whenever tests run, the others one.
		states := []uint8{uint8(w.states / 2)}
		if slices.Contains([]string{"cms", "edi", "kca", "kfb", "login", "stream"}, w.p.Name) {
			states = states[:0]
			for s := range w.states {
				states = append(states, uint8(s))
			}
		}
		for _, s := range states {
			say := [][]byte{
				{0x80, s + 1, s + 2, s + 3},  // goes on as it should
				{0, 1, 2, 3, 4, 5, 6},        // begins again
				{0xa0, 15, '9', 0x80, s + 1}, // with other bytes
				{0x40 | s, 40, 'x', 0x80, 0xe0, 12, '0', '0', '7', '7', 'F', 'T', 'E', '1', '2', '3', '4', '5'},
				{byte(w.states) + s, 0x80}, // something of another kind before it
			}
			f.Add(uint8(i), s, say[(i+int(s))%len(say)])
		}
	}
	f.Fuzz(func(t *testing.T, way, state uint8, say []byte) {
		w := l.ways[int(way)%len(l.ways)]
		t.Cleanup(func() { l.clear(t, w) }) // also behind one that failed
		v := l.visit(t, w)
		next := v.pass(int(state) % w.states)
		v.anything(say, next)
		v.over()
		v.judge()
		l.clear(t, w)
		v = l.visit(t, w)
		v.whole()
	})
}

// anything says what the fuzzer made: a telegram of the session's, or of any
// kind, one with a byte changed, the one that is due, or bytes.
func (v *visit) anything(say, next []byte) {
	changed := func(b []byte) {
		if len(b) > 0 {
			b = bytes.Clone(b)
			b[int(say[0])%len(b)] = say[1]
		}
		say = say[2:]
		v.say(b)
	}
	for len(say) > 0 {
		op := say[0]
		say = say[1:]
		switch {
		case op < 0x40:
			v.say(v.word(int(op)))
		case op < 0x80 && len(say) >= 2:
			changed(v.word(int(op & 0x3f)))
		case op >= 0x80 && op < 0xa0:
			v.say(next)
		case op >= 0xa0 && op < 0xc0 && len(say) >= 2:
			changed(next)
		case len(say) > 0:
			n := min(int(say[0]), len(say)-1)
			v.say(say[1 : 1+n])
			say = say[1+n:]
		}
	}
}

// telegrams are those in what one end has said, as far as they can be told apart.
func (v *visit) telegrams(said []byte, by protocol.Side, called bool, each func(*protocol.Telegram)) {
	r := v.w.p.NewReader(bytes.NewReader(said), make([]byte, v.w.p.FrameBuffer()))
	for _, step := range v.w.p.Session.Greetings(by, called) {
		if _, err := r.Greet(&step); err != nil {
			return
		}
	}
	for {
		frame, err := r.Next()
		if err != nil {
			return
		}
		var t protocol.Telegram
		_ = v.w.p.Decode(frame, &t) // as far as it goes
		each(&t)
	}
}

// judge holds what the server has accounted against what was said.
func (v *visit) judge() {
	t, w := v.t, v.w
	sizes, names := map[int64]bool{}, map[string]bool{}
	var pieces [][]byte
	confirmed := false
	v.telegrams(v.said, w.side.Other(), w.side != protocol.CentreSide, func(tg *protocol.Telegram) {
		if data := tg.Data(); len(data) > 0 { // of whatever kind: a file may travel in its announcement
			pieces = append(pieces, bytes.Clone(data))
		}
		switch tg.Kind {
		case protocol.Info, protocol.End, protocol.EndMore:
			sizes[tg.Number(protocol.Size)] = true
			names[strings.TrimSpace(tg.Text(protocol.Name))] = true
		case protocol.EndReply, protocol.EndMoreReply, protocol.InfoReply:
			m := w.p.Meaning(tg.Text(protocol.Response))
			confirmed = confirmed || m == protocol.OK && tg.Kind != protocol.InfoReply || m == protocol.Complete
		case protocol.InquiryReply:
			confirmed = true
		}
	})
	ended := 0
	v.telegrams(v.answers, w.side, w.side == protocol.CentreSide, func(tg *protocol.Telegram) {
		if w.p.Meaning(tg.Text(protocol.Response)) != protocol.OK {
			return
		}
		if tg.Kind == protocol.EndReply || tg.Kind == protocol.EndMoreReply {
			ended++
		}
	})
	all := v.l.new(t, w)
	taken := 0
	for _, tr := range all {
		switch tr.Status {
		case transfer.Sent:
			require.Equal(t, transfer.Send, tr.Direction)
			require.True(t, confirmed, "%s: %s counts as sent, and nobody confirmed it", w, tr.WireName)
			require.NotEqual(t, "", tr.Proofs)
		case transfer.Received, transfer.Placing, transfer.Assembled, transfer.Duplicate, transfer.Waiting, transfer.Held:
			if tr.Direction == transfer.Send {
				continue
			}
			taken++
			v.proven(tr, sizes, pieces)
		}
	}
	if ended > 0 && !w.sends && taken == 0 { // then it is one that was there before
		before, err := v.l.store.List(context.Background(), store.Filter{Institution: w.code, Direction: transfer.Receive,
			Statuses: []transfer.Status{transfer.Received, transfer.Placing, transfer.Assembled}})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(before, func(tr *transfer.Transfer) bool { return names[tr.WireName] }),
			"%s: an end was confirmed of a file that is not there", w)
	}
}

// proven: a file that was taken is what was said, all of it, and its proofs hold.
func (v *visit) proven(tr *transfer.Transfer, sizes map[int64]bool, pieces [][]byte) {
	t, w := v.t, v.w
	if slices.Contains(w.p.Files.ReceiveProofs, transfer.ProofDeclaredSize) {
		require.True(t, sizes[tr.WireSize] || w.p.Files.FileSizes && sizes[tr.FileSize], "%s: %s of %d bytes, of which nobody spoke", w, tr.WireName, tr.WireSize)
	}
	var payload []byte
	require.NoError(t, v.l.store.Payload(context.Background(), tr.ID, func(b []byte) error { payload = append(payload, b...); return nil }))
	require.Equal(t, tr.WireSize, int64(len(payload)), w)
	// A file in one telegram is longer than what this reader gives of it.
	require.True(t, w.p.Files.Whole || madeOf(payload, pieces), "%s: %s has %q, which is not made of %q", w, tr.WireName, payload, pieces)
	var proofs []transfer.Proof
	require.NoError(t, json.Unmarshal([]byte(tr.Proofs), &proofs))
	require.NotEmpty(t, proofs)
	for _, p := range proofs {
		require.Equal(t, p.Expected, p.Actual, "%s: %s", w, p.Name)
	}
}

// madeOf reports that b is some of the pieces one behind the other.
func madeOf(b []byte, pieces [][]byte) bool {
	reached := make([]bool, len(b)+1)
	reached[0] = true
	for at := range b {
		for _, p := range pieces {
			if reached[at] && bytes.HasPrefix(b[at:], p) {
				reached[at+len(p)] = true
			}
		}
	}
	return reached[len(b)]
}

// clear takes away what a session has left, so that the next input finds the
// server as this one did: files that wait, and bars of guessers.
func (l *live) clear(t testing.TB, w *liveWay) {
	ctx := context.Background()
	open := []transfer.Status{transfer.Storing, transfer.Stored, transfer.Sending, transfer.Ending, transfer.Waiting, transfer.Unknown, transfer.Held, transfer.Failed}
	for _, tr := range l.new(t, w) {
		l.old[tr.ID] = true
		if tr.Direction == transfer.Receive || !slices.Contains(open, tr.Status) {
			continue
		}
		for _, to := range []transfer.Status{transfer.Held, transfer.Cancelled} {
			if to == transfer.Held && transfer.CanMove(transfer.Send, tr.Status, transfer.Cancelled) {
				continue
			}
			_, err := l.store.Command(ctx, time.Now(), transfer.Command{Name: "cancel", TransferID: tr.ID, Who: "test"}, func(r *transfer.Transfer) error {
				r.Status, r.Ask = to, transfer.AskNothing
				return nil
			})
			require.NoError(t, err)
		}
	}
	l.quiet(t, w)
	l.in.wrong.mu.Lock()
	l.in.wrong.known = nil
	l.in.wrong.mu.Unlock()
}
