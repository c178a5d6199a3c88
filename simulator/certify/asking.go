package certify

import (
	"fmt"
	"slices"
	"strings"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
)

// questions are those of a step about its file, and about one that nobody knows.
func (t *try) questions(k protocol.Kind) []simulator.Question {
	ask := func(name string) simulator.Question {
		q := simulator.Question{Kind: k, Name: name}
		if t.w.p.Files.Serial { // KIND[.YYYYMMDD[.SERIAL]]
			parts := append(strings.Split(name, "."), "", "", "")
			q.Name, q.Date, q.Serial = parts[0], parts[1], parts[2]
		}
		return q
	}
	// The name of the next file: one that it should refuse it may have taken.
	t.asked = []simulator.Question{ask(t.gifts[0].name), ask(t.w.o.Name(t.w.files + 1))}
	return t.asked
}

// found judges what is said of a file that was asked about. The one of the step
// is there; whether it may still be cancelled is the counterparty's own affair.
func (t *try) found(ask, answer *Said) *fault.Error {
	came := protocol.Finding(answer.Finding)
	cancel := ask.kind == protocol.Cancel
	known := len(t.asked) > 0 && ask.File == t.asked[0].Name
	if came == "" && answer.meaning != protocol.OK {
		if (cancel || !known) && !t.w.p.Tells(answer.kind, protocol.FoundNothing) {
			return nil // the profile has no codes for what is found: a refusal is all that can be said
		}
		return fault.New(CodeRefused, answer.Kind, "code", or(answer.Response), "file", or(ask.File))
	}
	right := []protocol.Finding{protocol.FoundWhole, protocol.FoundProcessing}
	switch {
	case !known && cancel: // of its kind, or of its name
		right = []protocol.Finding{protocol.FoundNothing, protocol.CancelKind}
	case !known:
		right = []protocol.Finding{protocol.FoundNothing}
	case cancel:
		right = []protocol.Finding{protocol.CancelDone, protocol.CancelLate, protocol.CancelKind, protocol.CancelClosed,
			protocol.CancelLinked, protocol.CancelOther, protocol.FoundProcessing}
	}
	if !slices.Contains(right, came) {
		return fault.New(CodeFound, or(ask.File), "expected", string(right[0]), "actual", or(answer.Finding), "code", or(answer.Response))
	}
	if known && came == protocol.FoundWhole && t.w.p.Carries(answer.kind, protocol.Size) && answer.Size != t.gifts[0].size {
		return fault.New(CodeFound, or(ask.File), "expected", fmt.Sprint(t.gifts[0].size), "actual", fmt.Sprint(answer.Size), "code", or(answer.Response))
	}
	return nil
}
