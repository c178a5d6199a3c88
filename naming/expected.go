package naming

import (
	"fmt"

	"pabal/internal/fault"
)

// ScriptExpected judges a script that is written down where nothing of a
// registration is known yet, such as the rule of a profile: it says in English what was
// expected, "" if nothing is wrong. most is how many bytes a name may have; a
// script that makes longer ones whatever it is given is wrong.
func ScriptExpected(text string, most int) string {
	s, err := CompileScript(text)
	if err != nil {
		return scriptWants(fault.As(err))
	}
	if least := s.least(); least > most {
		return fmt.Sprintf("a script of names of at most %d bytes; this one makes at least %d", most, least)
	}
	return ""
}

// scriptWants is what would be right instead of what e complains about.
func scriptWants(e *fault.Error) string {
	const whole = "parts joined by +, each of them text, ${NAME}, or ${NAME:n} for the first n characters"
	if e == nil {
		return whole
	}
	switch e.Code {
	case CodeScriptUnclosed:
		return "a } behind every ${"
	case CodeScriptUnknownName:
		return "one of " + e.Args["known"] + " in ${…}, not " + e.Args["name"]
	case CodeScriptWidth:
		return fmt.Sprintf("1…%s characters of %s, not %q", e.Args["limit"], e.Args["name"], e.Args["width"])
	case CodeScriptSerialTwice:
		return "${SEQ} once"
	case CodeScriptRecord:
		return fmt.Sprintf("${RECORD@offset:n}, with an offset of 0…%d and 1…%d bytes, not %s", mostRecordOffset, mostRecordWidth, e.Args["part"])
	}
	return whole
}

// least is how many bytes the shortest name of the script has.
func (s *Script) least() int {
	n := 0
	for _, p := range s.parts {
		switch _, isDate := dateSlots[p.name]; {
		case p.name == "":
			n += len(p.literal)
		case p.width == 0 && isDate:
			n += len(p.name)
		default:
			n += max(1, p.width)
		}
	}
	return n
}
