package protocol

// compileNamesFile holds that an opening can name the file of its session: the
// side that sends it opens, there is a row for the name, and nothing else but
// files is what a session is for.
func (p *Profile) compileNamesFile(c *compiler, spec *Spec) {
	const path = "session.names_file"
	if !spec.Session.NamesFile {
		return
	}
	if p.Session.Opens != turnOf("sender") {
		c.problem(path, CodeProfileValue, "true", "false, or session.opens: sender, where who opens sends the file")
	}
	if !p.Carries(Open, Name) {
		c.problem(path, CodeProfileMissing, "name", "a row for the name in telegrams.open")
	}
	for _, k := range []Kind{Fetch, Inquiry, Cancel} {
		if p.layouts[k] != nil {
			c.problem(path, CodeProfileValue, "true", "no telegrams."+k.String()+": every session is for the file that its opening names")
		}
	}
	if spec.Files.Announce == "upload" {
		c.problem("files.announce", CodeProfileValue, spec.Files.Announce, "always, where session.names_file is true")
	}
}
