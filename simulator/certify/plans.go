package certify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pabal/protocol"
	"pabal/simulator"
)

// plan is a step: what is done, and what must come of it.
type plan struct {
	name    string
	section string
	applies func(*walk) bool // nil = always

	fetch     bool
	gifts     func(*walk) []gift
	faults    string
	answers   []simulator.Answer
	password  string
	wrongName bool
	sessions  int
	asks      protocol.Kind // about the file, when it is through, and about one that nobody knows

	lost    map[int64][]int // by block: what its first check must find missing
	resumes bool            // the last session goes on after the first block
	refuses protocol.Kind   // the request that must be refused; NoKind = none
	either  bool            // … or may be: a repeat
	mayHold bool            // … or may, with what came before the cut
	given   int             // files that must get through
	again   bool            // the first block is checked twice
}

// one is a file of so many blocks, telegrams and bytes.
func one(blocks, telegrams, bytes int64) func(*walk) []gift {
	return func(w *walk) []gift { return []gift{w.gift(blocks, telegrams, bytes)} }
}

func (w *walk) gift(blocks, telegrams, bytes int64) gift {
	w.files++
	w.last = w.o.Name(w.files)
	return gift{w.last, blocks*w.block + telegrams*w.size + bytes}
}

func checks(w *walk) bool    { return !w.p.Files.NoCheck }
func unchecked(w *walk) bool { return w.p.Files.NoCheck }
func resumes(w *walk) bool   { return w.p.Files.Resume && !w.p.Files.NoCheck }
func restarts(w *walk) bool  { return !resumes(w) }
func announces(w *walk) bool { return w.p.Has(protocol.Info) }
func inquires(w *walk) bool  { return w.asks(protocol.Inquiry) }
func cancels(w *walk) bool   { return w.asks(protocol.Cancel) }
func declares(w *walk) bool {
	return w.p.Carries(protocol.Info, protocol.Size) && !w.p.Files.NoSize || w.p.Carries(protocol.End, protocol.Size)
}

// passwords: the password is in our opening. Where the other side opens, ours is
// never said.
func passwords(w *walk) bool {
	side := w.o.Peer.Side
	return w.p.Carries(protocol.Open, protocol.SenderPassword) && w.p.Session.Opens.Of(side == protocol.CentreSide) == side
}

// asks: only the institution's side asks (§1.3). Where the opening names a file
// every session is about one.
func (w *walk) asks(k protocol.Kind) bool {
	return w.o.Peer.Side == protocol.InstitutionSide && w.p.Has(k) && !w.p.Session.NamesFile
}

const latePause = 1500 * time.Millisecond

// numbered: without numbers nobody could tell a telegram that comes twice, or
// before another one.
func numbered(w *walk) bool { return !w.p.Files.Numbering.None }

// losses are telegrams of three blocks, those at the ends of a block among
// them: as the faults of a Peer, and as an answer to a check has to name them.
func losses(perBlock int) (faults string, lost map[int64][]int) {
	lost = map[int64][]int{1: {1}, 2: {perBlock}, 3: {min(5, perBlock)}}
	if within := min(37, perBlock); within > 1 {
		lost[1] = append(lost[1], within)
	}
	var places []string
	for _, block := range slices.Sorted(maps.Keys(lost)) {
		for _, seq := range lost[block] {
			places = append(places, fmt.Sprintf("%d:%d", block, seq))
		}
	}
	return "lose=" + strings.Join(places, ","), lost
}

// givings are the steps in which we give blocks of perBlock telegrams.
func givings(perBlock int) []plan {
	lose, lost := losses(perBlock)
	return []plan{
		{name: "normal", section: "§1.4", gifts: one(1, 3, 7), given: 1},
		{name: "empty", section: "§1.4", gifts: one(0, 0, 0), given: 1},
		{name: "exact-multiple", section: "§1.5", gifts: one(2, 0, 0), given: 1},
		{name: "loss", section: "§1.3, §4.10", applies: checks, gifts: one(2, 5, 0), faults: lose,
			lost: lost, given: 1},
		{name: "loss-unchecked", section: "§0.4", applies: unchecked, gifts: one(1, 5, 0), faults: "lose=1:7", refuses: protocol.End},
		{name: "duplicate", section: "§1.5", applies: numbered, gifts: one(1, 5, 0), faults: "duplicate=1:1,1:100,2:3", given: 1},
		{name: "reordering", section: "§1.5", applies: numbered, gifts: one(1, 5, 0), faults: "reorder=1:5,2:2", given: 1},
		{name: "resume", section: "§1.5", applies: resumes, gifts: one(3, 0, 0), faults: "cut=check@2", sessions: 2, resumes: true, given: 1},
		{name: "cut", section: "§1.5", applies: restarts, gifts: one(3, 0, 0), faults: "cut=after-data@2:5", sessions: 2, mayHold: true, given: 1},
		{name: "second-file", section: "§1.4", gifts: func(w *walk) []gift { return []gift{w.gift(0, 2, 0), w.gift(0, 3, 1)} }, given: 2},
		{name: "wrong-name", section: "§1.4, §1.6", applies: announces, wrongName: true, refuses: protocol.Info,
			gifts: func(w *walk) []gift { return []gift{{w.o.Wrong, 150}} }},
		{name: "wrong-size", section: "§1.6", applies: declares, gifts: one(0, 2, 0), faults: "size=+10", refuses: protocol.End},
		{name: "wrong-password", section: "§1.6, §1.8", applies: passwords, gifts: one(0, 1, 0), password: "ZZZZZ9", refuses: protocol.Open},
		{name: "slow-sender", section: "§1.7", gifts: one(0, 2, 0), faults: "delay=end:" + latePause.String(), given: 1},
		{name: "garbage", section: "§1.6", gifts: one(2, 0, 0), faults: "garbage=data@2", sessions: 2, mayHold: true, given: 1},
		{name: "repeat", section: "§1.4", gifts: func(w *walk) []gift { return []gift{{w.last, 2 * w.block}} }, refuses: protocol.Info, either: true},
		{name: "inquiry", section: "§1.3, §1.6, §3", applies: inquires, gifts: one(0, 3, 1), asks: protocol.Inquiry, given: 1},
		{name: "cancel", section: "§1.3, §1.6", applies: cancels, gifts: one(0, 3, 1), asks: protocol.Cancel, given: 1},
	}
}

// fetches are the steps in which we take. A session brings all that the
// counterparty has, so there is one: its first file is the one that is tried.
func fetches() []plan {
	late := simulator.Answer{Kind: protocol.EndReply, Times: 1, Delay: latePause}
	return []plan{
		{name: "fetch", section: "§1.3, §1.7, §4.11", applies: checks, fetch: true, again: true, given: 1,
			answers: []simulator.Answer{{Kind: protocol.CheckReply, Times: 1, Map: simulator.MapNone}, late}},
		{name: "fetch-unchecked", section: "§1.7", applies: unchecked, fetch: true, given: 1, answers: []simulator.Answer{late}},
	}
}
