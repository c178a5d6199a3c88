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
	plain := func(c *config.Credentials, key string, presents func(*protocol.Profile, protocol.Field) bool) *instance.Credentials {
		if c == nil {
			return nil
		}
		out := &instance.Credentials{Name: c.Name, Password: c.Password.Reveal()}
		if o.Profile == nil {
			return out
		}
		if out.Name != "" && !presents(o.Profile, protocol.SenderName) {
			w.bad(path+key+".name", fault.New(codeNoCredential, in.Code, "profile", o.Profile.Name))
		}
		if out.Password != "" && !presents(o.Profile, protocol.SenderPassword) {
			w.bad(path+key+".password", fault.New(codeNoCredential, in.Code, "profile", o.Profile.Name))
		}
		return out
	}
	o.Sender = *plain(&in.Sender, ".sender", (*protocol.Profile).Presents)
	if e := plain(in.Expect, ".expect", (*protocol.Profile).Presents); e != nil {
		o.Expect = *e
	}
	o.Login.Sender = plain(in.Login.Sender, ".login.sender", (*protocol.Profile).PresentsInLogin)
	o.Login.Expect = plain(in.Login.Expect, ".login.expect", (*protocol.Profile).PresentsInLogin)
}
