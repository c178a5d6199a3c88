package naming

import "pabal/internal/fault"

// ScriptExpected judges a script that is written down where nothing of a
// registration is known yet, such as the rule of a profile: it says what was
// expected, nothing if the script is right. most is how many bytes a name may have; a
// script that makes longer ones whatever it is given is wrong.
func ScriptExpected(text string, most int) fault.Phrase {
	s, err := CompileScript(text)
	if err != nil {
		return scriptWants(err)
	}
	if least := s.least(); least > most {
		return fault.Say("script_of_width", "most", most, "least", least)
	}
	return fault.Phrase{}
}

// scriptWants is what would be right instead of what err complains about.
func scriptWants(err error) fault.Phrase {
	e := fault.As(err)
	switch fault.CodeOf(err) {
	case CodeScriptUnclosed:
		return fault.Say("script_closed")
	case CodeScriptUnknownName:
		return fault.Say("script_names", "known", e.Args["known"], "name", e.Args["name"])
	case CodeScriptWidth:
		return fault.Say("script_width", "limit", e.Args["limit"], "name", e.Args["name"], "width", e.Args["width"])
	case CodeScriptSerialTwice:
		return fault.Say("script_serial")
	case CodeScriptRecord:
		return fault.Say("script_record", "offset", mostRecordOffset, "width", mostRecordWidth, "part", e.Args["part"])
	}
	return fault.Say("script_parts")
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
