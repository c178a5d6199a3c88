package certify

import (
	"fmt"
	"slices"
	"strings"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/transfer"
)

// missing reads which sequences the answer to a check says are missing, as our
// own sender reads it (§4.10).
func missing(p *protocol.Profile, t *protocol.Telegram, block int64, last int) []int {
	var set transfer.SeqSet
	p.Missing(t, block, max(0, last), &set)
	var out []int
	for seq := 1; seq <= last; seq++ {
		if set.Has(seq) {
			out = append(out, seq)
		}
	}
	return out
}

// judge finds the first mistake; nil if there is none.
func (t *try) judge() *fault.Error {
	checked := map[int64]int{}
	for n := range t.said {
		s := &t.said[n]
		if !s.Ours {
			continue
		}
		if e := t.answered(n, checked); e != nil {
			return e
		}
	}
	return t.outcome(checked)
}

// answered judges the answer to a request of ours.
func (t *try) answered(n int, checked map[int64]int) *fault.Error {
	ask := &t.said[n]
	want := ask.kind.Reply()
	if want == protocol.NoKind {
		return nil
	}
	if ask.kind == protocol.Check {
		checked[ask.Block]++
	}
	var answer *Said
	for k := n + 1; k < len(t.said) && t.said[k].session == ask.session; k++ {
		if s := &t.said[k]; !s.Ours && s.kind == want {
			answer = s
			break
		} else if s.Ours && s.kind == ask.kind {
			return nil // asked again: that one is judged
		}
	}
	mustRefuse := t.plan.refuses == ask.kind || t.plan.refuses == protocol.End && ask.kind == protocol.EndMore
	switch {
	case answer == nil && (t.excused(ask) || mustRefuse && ask.kind != protocol.Open):
		return nil
	case answer == nil:
		return fault.New(CodeNoAnswer, ask.Kind, "file", or(ask.File))
	case answer.File != ask.File && answer.File != "" && ask.File != "":
		return fault.New(CodeOtherFile, answer.Kind, "expected", ask.File, "actual", answer.File)
	case mustRefuse && t.plan.either:
		return nil
	case mustRefuse && answer.meaning == protocol.OK:
		return fault.New(CodeAccepted, answer.Kind, "file", or(ask.File))
	case mustRefuse || t.refused(ask) || answer.meaning == protocol.Nothing && ask.kind == protocol.Fetch:
		return nil
	case ask.kind == protocol.Inquiry || ask.kind == protocol.Cancel:
		return t.found(ask, answer)
	case answer.meaning != protocol.OK:
		return fault.New(CodeRefused, answer.Kind, "code", answer.Response, "file", or(ask.File))
	}
	switch ask.kind {
	case protocol.Info:
		return t.held(ask, answer)
	case protocol.Check:
		return t.mapped(ask, answer, checked[ask.Block])
	}
	return nil
}

// or is "-" for nothing.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// excused: the line was cut on purpose, or the answer to a closing, which harms
// nobody, did not come.
func (t *try) excused(ask *Said) bool {
	return ask.session < t.sessions || ask.kind == protocol.Close
}

// refused reports that the file of a request was refused before, so that only
// its being closed is left, which may be answered either way.
func (t *try) refused(ask *Said) bool {
	if ask.kind != protocol.End && ask.kind != protocol.EndMore {
		return false
	}
	for n := range t.said {
		s := &t.said[n]
		if s.session == ask.session && !s.Ours && s.kind == protocol.InfoReply && s.File == ask.File && s.meaning != protocol.OK {
			return true
		}
	}
	return false
}

// held judges how much the counterparty says that it has (§1.5).
func (t *try) held(ask, answer *Said) *fault.Error {
	if !t.w.p.Files.Resume {
		return nil
	}
	want := int64(0)
	if t.plan.resumes && ask.session == t.sessions {
		want = t.w.block // it was confirmed
	}
	// Of the block in which it was cut what came may be held as well.
	more := (t.plan.resumes || t.plan.mayHold) && ask.session == t.sessions
	if answer.held == want || more && answer.held > want && answer.held <= 2*t.w.block && answer.held%t.w.size == 0 {
		return nil
	}
	return fault.New(CodeHeld, or(ask.File), "expected", want, "actual", answer.held)
}

// mapped judges the answer to a check (§1.3, §4.4, §4.10).
func (t *try) mapped(ask, answer *Said, round int) *fault.Error {
	if answer.Block != ask.Block || answer.Sequence != ask.Sequence {
		return fault.New(CodePlace, answer.Kind, "expected", fmt.Sprintf("%d:%d", ask.Block, ask.Sequence),
			"actual", fmt.Sprintf("%d:%d", answer.Block, answer.Sequence))
	}
	var want []int
	if round == 1 {
		want = t.plan.lost[ask.Block]
	}
	if !slices.Equal(answer.lost, want) {
		return fault.New(CodeMap, answer.Kind, "block", ask.Block, "expected", numbers(want), "actual", numbers(answer.lost))
	}
	if t.w.p.Carries(protocol.CheckReply, protocol.Missing) && answer.Missing != int64(len(want)) {
		return fault.New(CodeCount, answer.Kind, "block", ask.Block, "expected", len(want), "actual", answer.Missing)
	}
	return nil
}

func numbers(list []int) string {
	if len(list) == 0 {
		return "-"
	}
	const most = 8
	var out []string
	for n, v := range list {
		if n == most {
			out = append(out, fmt.Sprintf("… (%d)", len(list)))
			break
		}
		out = append(out, fmt.Sprintf("%03d", v))
	}
	return strings.Join(out, ", ")
}

// outcome judges what came of the files and of the last session.
func (t *try) outcome(map[int64]int) *fault.Error {
	got := 0
	for _, e := range t.events {
		if e.Kind == simulator.Given || e.Kind == simulator.Taken {
			got++
		}
	}
	if t.plan.again && !t.checkedAgain() {
		return fault.New(CodeNotAgain, "data")
	}
	last := t.ends[len(t.ends)-1]
	if last != nil && t.plan.refuses != protocol.Open {
		return fault.New(CodeEnds, t.plan.name, "code", fault.CodeOf(last)).Because(last)
	}
	if got < t.plan.given {
		return fault.New(CodeNotGiven, t.plan.name, "expected", t.plan.given, "actual", got)
	}
	return nil
}

// checkedAgain reports that a check came again about a block of which we said
// that something is missing.
func (t *try) checkedAgain() bool {
	seen := map[string]int{}
	for _, s := range t.said {
		if !s.Ours && s.kind == protocol.Check {
			key := fmt.Sprint(s.File, s.Block)
			if seen[key]++; seen[key] > 1 {
				return true
			}
		}
	}
	return false
}
