package protocol

import (
	"fmt"
	"slices"
	"strings"

	"pabal/internal/fault"
)

// inPlace are the requests with whose rows, and those of their answers, the
// machines have to do with a number. Elsewhere it would travel as zeros, and
// what the other side writes there would be read by nobody.
func inPlace(f Field) []Kind {
	switch f {
	case Size:
		return []Kind{Info, End, EndMore, Inquiry, Cancel}
	case Held, MessageSize:
		return []Kind{Info}
	case Block, Sequence:
		return []Kind{Info, DataTelegram, Resend, Check}
	case Missing:
		return []Kind{DataTelegram, Resend, Check}
	case Count, Total:
		return []Kind{Fetch}
	}
	return nil
}

// rowsInPlace holds that no row of a body asks for a number that nobody would
// write, and no telegram for a password of nobody. Rows of the header are in all
// telegrams, and zero in most.
func (p *Profile) rowsInPlace(c *compiler, spec *Spec) {
	for _, k := range Kinds() {
		if p.Carries(k, SenderPassword) && !p.Carries(k, SenderName) {
			c.problem("telegrams."+k.String(), CodeProfileMissing, "sender_name", fault.Say("password_owner"))
		}
		body := spec.Telegrams[k.String()].Body
		for i, r := range spec.Bodies[body] {
			f, known := c.names[r.Field]
			kinds := inPlace(f)
			if !known || !f.IsNumber() || f == Length || f == DataLength || slices.Contains(totals(), f) ||
				slices.ContainsFunc(kinds, func(of Kind) bool { return k == of || k == of.Reply() }) {
				continue
			}
			expected := fault.Say("own_name_parts", "kind", k)
			if len(kinds) > 0 {
				var names []string
				for _, of := range kinds {
					names = append(names, of.String())
				}
				expected = fault.Say("own_name", "kind", k, "kinds", strings.Join(names, ", "))
			}
			c.problem(fmt.Sprintf("bodies.%s[%d].field", body, i), CodeProfileField, r.Field, expected)
		}
	}
}

// rowsNeeded holds that telegrams have the rows without which a conversation
// would go wrong in silence: a refusal that reads as yes, a file without a name,
// data without a number.
func (p *Profile) rowsNeeded(c *compiler) {
	need := func(k Kind, f Field, expected fault.Phrase) {
		if p.layouts[k] != nil && !p.Carries(k, f) {
			c.problem("telegrams."+k.String(), CodeProfileMissing, fieldNames()[f], expected)
		}
	}
	for _, k := range []Kind{OpenReply, InfoReply, EndReply, EndMoreReply} {
		need(k, Response, fault.Say("response_row"))
	}
	need(Open, p.Session.CallerField, fault.Say("caller_row"))
	if !p.Session.FetchByRequest && p.Session.Opens.Fixed() {
		need(Open, Direction, fault.Say("direction_row"))
	}
	if !p.Session.NamesFile {
		need(Info, Name, fault.Say("name_row"))
	}
	if !p.Files.Stream {
		for _, k := range []Kind{DataTelegram, Check, CheckReply} {
			need(k, Sequence, fault.Say("sequence_row"))
		}
		need(CheckReply, Map, fault.Say("map_row"))
	}
}
