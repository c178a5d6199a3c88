package instance

import (
	"context"
	"reflect"
	"slices"

	"pabal/internal/fault"
)

// current is the Instance whose options new work begins with. What has begun
// goes on with those that it began with.
func (c *core) current() *Instance { return c.latest.Load() }

// Reconfigure has the running instance work by other options from now on,
// without stopping (design D10). Sessions that are under way finish with the
// options that they began with; new sessions and the next step of every stage
// use o. Listeners that are in both stay open, new ones are opened before
// anything else changes, and those that are left out are closed. The lines of
// a counterparty, and what is on them, carry over.
//
// ID, place and directories cannot change: they belong to the process. Errors:
// CodeFixed for those, CodeListen, and mistakes that Options.Validate finds;
// after any of them the instance works as before.
func (i *Instance) Reconfigure(ctx context.Context, o Options) error {
	before := i.current()
	if o.ID != before.o.ID || o.Place != before.o.Place || o.Dirs != before.o.Dirs || o.Result != before.o.Result {
		return fault.New(CodeFixed, before.o.ID)
	}
	o.Now, o.Log, o.Explain, o.Trace, o.PID = before.o.Now, before.o.Log, before.o.Explain, before.o.Trace, before.o.PID
	o.setDefaults()
	next, err := newGeneration(i.core, o, before)
	if err != nil {
		return err
	}
	err = i.listeners.change(ctx, o.Listen, func() {
		i.lobby.limit(o.MaxSessions, o.Door)
		i.latest.Store(next)
	})
	if err != nil {
		return err
	}
	i.wake.all()
	i.log.Info("instance works by another configuration", "listen", i.Addresses())
	return nil
}

// newest has a caller that has said nothing so far judged by the options of
// now, and not by those of the moment when it was let in: a password that is over
// is over. What is spoken cannot change under a line: where it has, the caller is
// to come again.
func (s *session) newest() *fault.Error {
	now := s.Instance.current()
	if now == s.Instance || s.inst != nil || s.who != nil {
		return nil
	}
	const lang = "en"
	if p := now.called[s.profile.Name]; p == nil || p.Page(lang) != s.profile.Page(lang) {
		return fault.New(CodeOutdated, s.profile.Name)
	}
	s.Instance = now
	return nil
}

// carryOver takes how calling the same counterparty has gone in other options.
// That is forgotten when it is to be called in another way: it may be the remedy.
func (n *institution) carryOver(before *Instance) {
	if before == nil {
		return
	}
	old := before.insts[n.Code]
	if old == nil {
		return
	}
	if n.Connect == old.Connect && reflect.DeepEqual(n.TLS, old.TLS) && slices.Equal(n.AllowOut, old.AllowOut) && n.Sender == old.Sender && reflect.DeepEqual(n.Login.Sender, old.Login.Sender) && n.WireCode == old.WireCode {
		n.dialing = old.dialing
	}
}

// all stages look for work at once.
func (w wakes) all() {
	w.scan.Give()
	w.store.Give()
	w.backup.Give()
	w.send.Give()
	w.fetch.Give()
	w.assemble.Give()
	w.lines.Give()
}
