package machine

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/protocol/protocoltest"
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
