package protocol

import "pabal/internal/fault"

// NameCheck judges the rule by which a profile makes names on its wire: a name
// script, and the most bytes that such a name may have. It says what was
// expected, nothing if it is right. What scripts are is known to package naming,
// which this one does not use; whoever has both hands the check in.
type NameCheck func(script string, most int) (expected fault.Phrase)

// CheckNames has files.name of every profile that is loaded from now on judged by check.
// Without one Load takes it unread; registrations that are named by it are
// checked as if they had said it themselves, so nothing ever runs by a broken one.
func (l *Library) CheckNames(check NameCheck) { l.names = check }

// compileName reads the rule for names.
func (p *Profile) compileName(c *compiler, spec *Spec) {
	p.Files.Name = spec.Files.Name
	if p.Files.Name == "" || spec.checkName == nil {
		return
	}
	if expected := spec.checkName(p.Files.Name, p.Files.NameWidth); expected.Said() {
		c.problem("files.name", CodeProfileValue, p.Files.Name, expected)
	}
}
