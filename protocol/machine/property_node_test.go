package machine

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// node is one end of the line.
type node struct {
	w      *world
	s      *Session
	sends  bool
	over   bool
	queue  [][]byte
	bytes  *protocol.Step // waited for before the first telegram
	kept   map[int][]byte // of the block being received
	last   protocol.Telegram
	offer  string
	order  *file
	asked  bool // the fetch went out
	round  int
	early  [][]byte // data of this file that was sent before
	block  int64
	peer   *node
	broken bool
}

func (n *node) read() {
	b := n.queue[0]
	n.queue = n.queue[1:]
	if st := n.bytes; st != nil {
		n.bytes = nil
		_, err := n.w.p.NewReader(bytes.NewReader(b), make([]byte, n.w.p.FrameBuffer())).Greet(st)
		require.NoError(n.w, err)
		n.step(Event{Kind: Greeted})
		return
	}
	require.NoError(n.w, n.w.p.Decode(b, &n.last))
	n.step(Event{Kind: Arrived, Telegram: &n.last})
}

func (n *node) step(ev Event) {
	for {
		ev.Now = time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC)
		actions := n.s.Step(ev)
		if ev = n.perform(actions); ev.Kind == Started {
			return
		}
	}
}

func (n *node) perform(actions []Action) Event {
	for i := range actions {
		a := &actions[i]
		switch {
		case a.Do == Send:
			n.honest(&a.Telegram)
			b, err := n.w.p.Append(nil, &a.Telegram)
			require.NoError(n.w, err)
			n.deliver(b)
		case a.Do == SendBytes:
			n.deliver(a.Step.Bytes)
		case a.Do == Expect:
			n.bytes = a.Step
		case a.Do == SendData:
			n.mangle(n.frames(a))
		case a.Do == Keep:
			if a.Block != n.block {
				n.block, n.kept = a.Block, map[int][]byte{}
			}
			n.kept[a.First] = bytes.Clone(n.last.Data())
		case a.Do == HangUp:
			n.over = true
			require.Equal(n.w, len(actions)-1, i, "hanging up is the last thing")
			require.NotContains(n.w, []fault.Code{CodeTotals, CodeCloseRefused}, fault.CodeOf(a.Outcome.Err), "both sides count the same")
		case a.Do.question():
			require.Equal(n.w, len(actions)-1, i, "a question is the last thing")
			return n.answer(a)
		}
	}
	return Event{}
}

func (n *node) deliver(b []byte) {
	w := n.w
	if n.broken || n.peer.broken || n.over {
		return
	}
	if w.left > 0 {
		if w.left--; w.left == 0 {
			n.broken, n.peer.broken = true, true
			n.queue, n.peer.queue = nil, nil
			return
		}
	}
	n.peer.queue = append(n.peer.queue, b)
}

func (n *node) frames(a *Action) [][]byte {
	tpl, err := n.w.p.Template(&a.Telegram, a.Geometry.MostSequence())
	require.NoError(n.w, err)
	geo, size := n.s.snd.geo, int64(len(n.order.content))
	var out [][]byte
	for seq := 1; seq <= a.Last; seq++ {
		if a.Sequences.Has(seq) {
			from, to := geo.Offset(transfer.Position{Block: a.Block, Seq: seq}, size), geo.Offset(transfer.Position{Block: a.Block, Seq: seq + 1}, size)
			require.Equal(n.w, a.Geometry, geo.Block(a.Block, size))
			b, err := tpl.Append(nil, a.Block, seq, n.order.content[from:to])
			require.NoError(n.w, err)
			out = append(out, b)
		}
	}
	if a.Telegram.Kind == protocol.DataTelegram {
		n.round = 0
	}
	n.round++
	if n.w.p.Files.Resend != protocol.ResendEach { // one round is many there
		require.LessOrEqual(n.w, n.round, n.w.p.Files.Rounds+1, "rounds are bounded")
	}
	return out
}

// mangle loses, repeats and reorders what is sent at once.
func (n *node) mangle(frames [][]byte) {
	if n.round > n.w.calm {
		for _, b := range frames {
			n.deliver(b)
		}
		return
	}
	// One draw for all: a draw for each telegram is slow.
	chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(n.w.T, "fates"), 0))
	var out [][]byte
	for _, b := range frames {
		fate := chance.IntN(10)
		switch {
		case fate < 2: // lost
		case fate == 2:
			out = append(out, b, b)
		case fate == 3 && len(out) > 0:
			out = slices.Insert(out, chance.IntN(len(out)), b)
		case fate == 4 && len(n.early) > 0: // something of an earlier block comes again, late
			out = append(out, b, n.early[chance.IntN(len(n.early))])
		default:
			out = append(out, b)
		}
	}
	n.early = append(n.early, frames...)
	for _, b := range out {
		n.deliver(b)
	}
}

// honest: what a positive reply claims was confirmed saved before.
func (n *node) honest(t *protocol.Telegram) {
	p, st := n.w.p, n.w.stores[n.offer]
	if p.Meaning(t.Text(protocol.Response)) == protocol.Complete {
		require.True(n.w, st.done, "complete, says %s", t.Kind)
		return
	}
	if p.Meaning(t.Text(protocol.Response)) != protocol.OK {
		return
	}
	switch t.Kind {
	case protocol.InfoReply:
		if p.Files.Resume {
			held, next, _ := st.held(p.Files.PerBlock)
			if p.Files.ResumeBy == protocol.ResumeBytes {
				require.LessOrEqual(n.w, t.Number(protocol.Size), held)
			} else {
				require.LessOrEqual(n.w, p.NextBlock(t), next)
			}
		}
	case protocol.CheckReply:
		n.honestMap(t, st)
	case protocol.EndReply, protocol.EndMoreReply:
		require.True(n.w, st.done, "the end is confirmed before it was verified")
	}
}

func (n *node) honestMap(t *protocol.Telegram, st *store) {
	block, last := n.w.p.Place(t)
	b, err := n.w.p.Append(nil, t)
	require.NoError(n.w, err)
	var heard protocol.Telegram
	require.NoError(n.w, n.w.p.Decode(b[:len(b)-len(n.w.p.Delimiter())], &heard))
	var missing transfer.SeqSet
	n.w.p.Missing(&heard, block, last, &missing)
	for seq := 1; seq <= last; seq++ {
		if !missing.Has(seq) {
			require.NotNil(n.w, st.blocks[block][seq], "held, says the map: block %d sequence %d", block, seq)
		}
	}
	require.EqualValues(n.w, missing.Count(), t.Number(protocol.Missing))
	if missing.Count() == 0 && last > 0 {
		require.True(n.w, st.whole[block])
	}
}

func (n *node) answer(a *Action) Event {
	switch a.Do {
	case AskOpen:
		return Event{Kind: Judged, Reason: protocol.OK}
	case AskNext:
		return Event{Kind: Chosen, Order: n.next()}
	case AskFetch:
		return Event{Kind: Counted, Reason: protocol.OK, Count: len(n.w.files), Total: len(n.w.files)}
	case AskAccept:
		return n.accept(a)
	case Load:
		require.LessOrEqual(n.w, a.Offset+a.Length, n.order.Size)
		return Event{Kind: Loaded}
	case Save:
		n.save(a)
		return Event{Kind: Saved}
	case MarkEnding:
		n.order.Ended = true
		return Event{Kind: Marked, More: rapid.Bool().Draw(n.w.T, "more")}
	case Verify:
		return n.verify()
	case Finish:
		n.finish(&a.Outcome)
		return Event{Kind: Finished}
	case AskInquiry:
		if st := n.w.stores[a.Telegram.Text(protocol.Name)]; st != nil && st.done {
			return Event{Kind: Answered, Reason: protocol.OK, Size: st.size}
		}
		return Event{Kind: Answered, Reason: protocol.Nothing}
	}
	require.Fail(n.w, "what is asked?")
	return Event{}
}

func (n *node) next() Order {
	if !n.sends && !n.asked {
		n.asked = true
		return Order{Kind: FetchFiles, Query: Query{Name: "ZZZ"}}
	}
	if !n.sends {
		return Order{}
	}
	for _, f := range n.w.files {
		if f.done {
			continue
		}
		n.order, n.early = f, nil
		if f.unknown && !n.w.p.Files.SettleAgain && n.w.upload {
			f.Settle = true
			return Order{Kind: AskAbout, File: f.File, Query: Query{Name: f.Name}}
		}
		return Order{Kind: SendFile, File: f.File}
	}
	return Order{}
}

func (n *node) accept(a *Action) Event {
	n.offer, n.block, n.kept = a.Offer.Name, 0, map[int][]byte{}
	st := n.w.stores[n.offer]
	if st != nil && st.done && n.w.p.Files.Repeat == protocol.RepeatRefuse {
		return Event{Kind: Accepted, Reason: protocol.Complete, Resume: Resume{Held: st.size}}
	}
	if st == nil || st.done || !n.w.p.Files.Resume {
		st = newStore()
		n.w.stores[n.offer] = st
	}
	held, next, partial := st.held(n.w.p.Files.PerBlock)
	ev := Event{Kind: Accepted, Reason: protocol.OK, Resume: Resume{Held: held, Block: next, Record: 1}}
	n.block = next
	st.blocks[next] = map[int][]byte{}
	for i, d := range partial {
		ev.Resume.Lengths = append(ev.Resume.Lengths, uint16(len(d)))
		n.kept[i+1] = d
		st.blocks[next][i+1] = d
	}
	return ev
}

func (n *node) save(a *Action) {
	require.Equal(n.w, n.block, a.Block)
	b := map[int][]byte{}
	for seq := 1; seq <= a.Sequences.Last(); seq++ {
		if a.Sequences.Has(seq) {
			require.Contains(n.w, n.kept, seq)
			require.EqualValues(n.w, len(n.kept[seq]), n.s.Lengths()[seq-1])
			b[seq] = n.kept[seq]
		}
	}
	st := n.w.stores[n.offer]
	st.blocks[a.Block] = b
	st.whole[a.Block] = a.Complete
	if a.Complete {
		require.Equal(n.w, a.Last, len(b))
	}
}

func (n *node) verify() Event {
	st := n.w.stores[n.offer]
	i := slices.IndexFunc(n.w.files, func(f *file) bool { return f.Name == n.offer })
	if !bytes.Equal(st.content(), n.w.files[i].content) {
		require.Fail(n.w, "the end came before the content", "%s", n.offer)
	}
	st.done, st.size = true, int64(len(st.content()))
	return Event{Kind: Verified, Reason: protocol.OK}
}

func (n *node) finish(o *Outcome) {
	if !n.sends {
		return
	}
	f := n.order
	f.unknown, f.Settle = false, false
	f.Sent = max(f.Sent, o.Sent)
	switch o.Result {
	case ArrivedWhole:
		require.True(n.w, n.w.stores[f.Name].done, "success without proof")
		f.done = true
	case EndUnknown:
		f.unknown = true
	case CutBefore, NotThere:
	default:
		require.Fail(n.w, "ended badly", "%s: %s %v", f.Name, o.Result, o.Err)
	}
}
