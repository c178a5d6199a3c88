package protocol

import "pabal/internal/fault"

// compileNamesFile holds that an opening can name the file of its session: the
// side that sends it opens, there is a row for the name, and nothing else but
// files is what a session is for.
func (p *Profile) compileNamesFile(c *compiler, spec *Spec) {
	const path = "session.names_file"
	if !spec.Session.NamesFile {
		return
	}
	if p.Session.Opens != turnOf("sender") {
		c.problem(path, CodeProfileValue, "true", fault.Say("opens_sender"))
	}
	if !p.Carries(Open, Name) {
		c.problem(path, CodeProfileMissing, "name", fault.Say("open_name"))
	}
	for _, k := range []Kind{Fetch, Inquiry, Cancel} {
		if p.layouts[k] != nil {
			c.problem(path, CodeProfileValue, "true", fault.Say("no_telegram", "kind", k))
		}
	}
	if spec.Files.Announce == "upload" {
		c.problem("files.announce", CodeProfileValue, spec.Files.Announce, fault.Say("always_announced"))
	}
}
