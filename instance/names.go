package instance

import "pabal/naming"

// Registrations are those of all files, in their order, as names are read and
// made by them: one without a wire name has the rule of its institution's
// profile, if that has one. Both ways: what is sent is named by it, and what
// comes is recognised.
func (o *Options) Registrations() []naming.Registration {
	rules := map[string]string{}
	for n := range o.Institutions {
		if p := o.Institutions[n].Profile; p != nil {
			rules[o.Institutions[n].Code] = p.Files.Name
		}
	}
	regs := make([]naming.Registration, len(o.Files))
	for n := range o.Files {
		regs[n] = o.Files[n].Registration
		if regs[n].WireName == "" {
			regs[n].WireName = rules[regs[n].Institution]
		}
	}
	return regs
}
