package machine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
	"pabal/transfer"
)

// Two sessions talk in memory over a line that loses, repeats and reorders
// data and is cut now and then. Whatever happens, every file ends equal, and
// nothing positive is said about bytes that were not saved before.
func TestEveryFileArrivesEqual(t *testing.T) {
	for _, p := range conversations(t) {
		for _, upload := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/upload=%t", p.Name, upload), func(t *testing.T) {
				rapid.Check(t, func(r *rapid.T) { newWorld(r, p, upload).run() })
			})
		}
	}
	for _, upload := range []bool{true, false} {
		t.Run(fmt.Sprintf("switches/upload=%t", upload), func(t *testing.T) {
			all := switches(t)
			rapid.Check(t, func(r *rapid.T) {
				p := all[rapid.IntRange(0, len(all)-1).Draw(r, "profile")]
				newWorld(r, p, upload).run()
			})
		})
	}
}

// conversations are the profiles whose telegrams follow one another in ways of
// their own.
func conversations(t testing.TB) []*protocol.Profile {
	t.Helper()
	var out []*protocol.Profile
	for _, name := range []string{"cms", "edi"} {
		p, err := protocol.Load(name)
		require.NoError(t, err)
		out = append(out, p)
	}
	for _, text := range []string{unchecked, senderOpens} {
		p, err := protocol.Parse("switch.yaml", []byte(text))
		require.NoError(t, err)
		out = append(out, p)
	}
	return append(out, protocoltest.Load(t, "login"), protocoltest.Load(t, "stream"))
}

// switches are profiles that differ from cms in one way of counting, of saying
// what is missing, or of sending it again (§4).
func switches(t testing.TB) []*protocol.Profile {
	t.Helper()
	out := []*protocol.Profile{protocoltest.Load(t, "totals"), protocoltest.Load(t, "byblock")}
	for _, text := range []string{
		`profile: running-from-0
extends: cms
bodies:
  data: {sequence: {width: "7"}}
  check: {sequence: {width: "7"}}
  check-reply: {sequence: {width: "7"}}
files: {sequences: running, first_sequence: 0, first_block: 0, message_size: 4100}
`, `profile: without-blocks
extends: cms
bodies:
  data: {block: null, sequence: {width: "9"}}
  check: {block: null, sequence: {width: "9"}}
  check-reply: {block: null, sequence: {width: "9"}}
files: {sequences: running}
`, `profile: stream-with-numbers
extends: stream
bodies:
  data:
    - {title: number, field: sequence, type: N, width: 6}
    - {title: data, field: data, type: B, width: rest}
files: {per_block: }
`, `profile: by-last-block
extends: byblock
files: {resume: last-block}
`, `profile: by-next-block-from-0
extends: byblock
files: {first_block: 0}
`, `profile: numbers
extends: cms
bodies: {check-reply: {map: {width: rest}}}
files: {map: numbers}
`, `profile: resend-rest
extends: cms
files: {resend: rest}
`, `profile: resend-each
extends: cms
files: {resend: each, rounds: 20}
`,
	} {
		out = append(out, protocoltest.Parse(t, text))
	}
	return out
}

const unchecked = `profile: unchecked
extends: cms
telegrams: {check: null, check-reply: null, resend: null}
files: {check: none, proofs: {send: [end_reply], receive: [blocks, last_sequence, declared_size]}}
`

const senderOpens = `profile: sender-opens
extends: cms
letters: {direction: {upload: S, download: R}}
session: {opens: sender}
files: {announce_size: zeros, proofs: {send: [blocks, end_reply], receive: [blocks, last_sequence]}}
`

type file struct {
	File
	content []byte
	done    bool // the sender knows
	unknown bool
}

// store is what the receiver holds durably of one file.
type store struct {
	blocks map[int64]map[int][]byte
	whole  map[int64]bool
	done   bool
	size   int64
}

func newStore() *store {
	return &store{blocks: map[int64]map[int][]byte{}, whole: map[int64]bool{}}
}

// held are the bytes without a gap, and the block that they end in.
func (s *store) held(perBlock int) (n int64, next int64, partial [][]byte) {
	for next = 1; ; next++ {
		b := s.blocks[next]
		if s.whole[next] && len(b) == perBlock {
			for _, d := range b {
				n += int64(len(d))
			}
			continue
		}
		for seq := 1; b[seq] != nil; seq++ {
			partial = append(partial, b[seq])
			n += int64(len(b[seq]))
		}
		return n, next, partial
	}
}

func (s *store) content() []byte {
	var out []byte
	for n := int64(1); n <= int64(len(s.blocks)); n++ {
		for seq := 1; seq <= len(s.blocks[n]); seq++ {
			out = append(out, s.blocks[n][seq]...)
		}
	}
	return out
}

type world struct {
	*rapid.T
	p      *protocol.Profile
	upload bool
	files  []*file
	stores map[string]*store
	cuts   int
	left   int // telegrams until the next cut; 0 = none
	calm   int // rounds of a block after which nothing is lost
	steps  int
}

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

func newWorld(t *rapid.T, from *protocol.Profile, upload bool) *world {
	p := *from
	p.Files.PerBlock = rapid.SampledFrom([]int{1, 2, 7, 100}).Draw(t, "per block")
	w := &world{T: t, p: &p, upload: upload, stores: map[string]*store{}}
	w.cuts = rapid.IntRange(0, 4).Draw(t, "cuts")
	if !p.Files.NoCheck { // where nobody asks for what is missing, nothing may get lost on an unbroken line
		w.calm = rapid.IntRange(0, 8).Draw(t, "lossy rounds")
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "files") {
		l := rapid.IntRange(1, 40).Draw(t, "data per telegram")
		blocks := rapid.IntRange(0, 3).Draw(t, "blocks")
		size := blocks * p.Files.PerBlock * l
		if size > 0 {
			size += rapid.SampledFrom([]int{0, 0, 1, -1, l}).Draw(t, "more")
		}
		content := make([]byte, size)
		for j := range content {
			content[j] = byte(j*7 + j/251 + i)
		}
		w.files = append(w.files, &file{content: content, File: File{
			Name: fmt.Sprintf("F%02d", i), Serial: fmt.Sprintf("%03d", i), Size: int64(size), Declared: int64(size), Records: int64(size), Unit: 1,
			DataSize: l, MessageSize: p.Files.MessageSize,
		}})
	}
	return w
}

func (w *world) run() {
	most := 2 + w.cuts
	for session := 0; !w.allDone(); session++ {
		require.Less(w, session, most, "sessions do not come to an end")
		w.session()
	}
	for _, f := range w.files {
		require.True(w, w.stores[f.Name].done)
		require.True(w, bytes.Equal(f.content, w.stores[f.Name].content()), "%s differs", f.Name)
	}
}

func (w *world) allDone() bool {
	return !slices.ContainsFunc(w.files, func(f *file) bool { return !f.done })
}

func (w *world) node(side protocol.Side) *node {
	sends := (side == protocol.InstitutionSide) == w.upload
	return &node{w: w, sends: sends, kept: map[int][]byte{}, s: New(Config{Profile: w.p, Side: side,
		Institution: "12345678"[:w.p.Width(protocol.Open, protocol.Institution)], Self: side.String()[:6], Peer: "9999",
		SenderName: "A", Password: "B", Receive: !sends, Called: side == protocol.CentreSide, Challenge: "20260602131415"})}
}

func (w *world) session() {
	inst, centre := w.node(protocol.InstitutionSide), w.node(protocol.CentreSide)
	inst.peer, centre.peer = centre, inst
	w.left = 0
	if w.cuts > 0 {
		w.cuts--
		w.left = rapid.IntRange(1, 60).Draw(w.T, "cut after")
	}
	centre.step(Event{Kind: Started})
	inst.step(Event{Kind: Started})
	for !inst.over || !centre.over {
		w.steps++
		require.Less(w, w.steps, 200_000, "no end")
		if inst.broken {
			inst.step(Event{Kind: Lost, Err: fault.New(CodeLost, "")})
			centre.step(Event{Kind: Lost, Err: fault.New(CodeLost, "")})
			require.True(w, inst.over && centre.over, "a lost line ends the session")
			return
		}
		switch {
		case len(inst.queue) > 0:
			inst.read()
		case len(centre.queue) > 0:
			centre.read()
		case inst.s.snd.state == pausing:
			inst.step(Event{Kind: TimedOut})
		case centre.s.snd.state == pausing:
			centre.step(Event{Kind: TimedOut})
		case inst.over || centre.over: // one hung up: the other reads the end of the line
			inst.broken = true
		case w.p.Files.Resend == protocol.ResendEach && inst.s.snd.again > 0: // what was to be answered got lost
			inst.step(Event{Kind: TimedOut})
		case w.p.Files.Resend == protocol.ResendEach && centre.s.snd.again > 0:
			centre.step(Event{Kind: TimedOut})
		default:
			require.Fail(w, "both wait", "%s %s", inst.s.State(), centre.s.State())
		}
	}
}

func (n *node) read() {
	b := n.queue[0]
	n.queue = n.queue[1:]
	if st := n.bytes; st != nil {
		n.bytes = nil
		require.NoError(n.w, n.w.p.NewReader(bytes.NewReader(b), make([]byte, n.w.p.FrameBuffer())).Greet(st))
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
