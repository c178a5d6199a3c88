package main

import (
	"pabal/config"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/protocol"
)

// credentials are what an institution and we say of ourselves, in the opening
// and in the login before it. What the telegrams of the profile have no room
// for is refused: nobody would ever see it.
func (w *wiring) credentials(path string, in *config.Institution, o *instance.Institution) {
	plain := func(c *config.Credentials, key string, presents func(*protocol.Profile, protocol.Field) bool, meant func(protocol.Kind) bool) *instance.Credentials {
		if c == nil {
			return nil
		}
		out := &instance.Credentials{Name: c.Name, Password: c.Password.Reveal()}
		if o.Profile == nil {
			return out
		}
		for _, said := range []struct {
			key, value string
			field      protocol.Field
		}{{key + ".name", out.Name, protocol.SenderName}, {key + ".password", out.Password, protocol.SenderPassword}} {
			switch {
			case said.value == "":
			case !presents(o.Profile, said.field):
				w.bad(path+said.key, fault.New(codeNoCredential, in.Code, "profile", o.Profile.Name))
			default:
				w.fits(path+said.key, in.Code, o.Profile, said.field, said.value, meant)
			}
		}
		return out
	}
	// Who has credentials of its own for the login says these there, and the others elsewhere.
	of := func(own *config.Credentials) func(protocol.Kind) bool {
		return func(k protocol.Kind) bool { return own == nil || !k.Login() }
	}
	o.Sender = *plain(&in.Sender, ".sender", (*protocol.Profile).Presents, of(in.Login.Sender))
	if e := plain(in.Expect, ".expect", (*protocol.Profile).Presents, of(in.Login.Expect)); e != nil {
		o.Expect = *e
	}
	o.Login.Sender = plain(in.Login.Sender, ".login.sender", (*protocol.Profile).PresentsInLogin, protocol.Kind.Login)
	o.Login.Expect = plain(in.Login.Expect, ".login.expect", (*protocol.Profile).PresentsInLogin, protocol.Kind.Login)
}

// fits holds that what an institution's telegrams must say has room in their
// rows. It would end every session, or never be what the other side says. The
// value itself is not told: it may be a password.
func (w *wiring) fits(path, code string, p *protocol.Profile, f protocol.Field, value string, meant func(protocol.Kind) bool) {
	width, in := p.Narrowest(f, meant)
	if width == 0 {
		return
	}
	switch fits, err := p.Fits(f, value, width); {
	case err != nil:
		e := *fault.As(err)
		e.Subject = p.FieldName(f)
		w.bad(path, &e)
	case !fits:
		w.bad(path, fault.New(codeTooWide, code, "profile", p.Name, "field", p.FieldName(f), "width", width, "telegram", in))
	}
}
