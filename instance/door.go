package instance

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/protocol/line"
	"pabal/protocol/machine"
	"pabal/protocol/sessionlog"
)

// What is proven by what, when somebody calls: the address is what the network
// says; a certificate is held by who has its key; the code in the telegram is
// what the caller says of itself, and its password what it knows. An
// institution is let in when everything that its configuration asks for holds
// together: the code names it, and address, certificate and password are its.

// Door limits callers that have not said who they are. It counts in this
// process alone: a connection that has said nothing yet is in no database.
type Door struct {
	Handshake    time.Duration // of TLS, 0 = 10 s
	Opening      line.Limit    // until the session is open. Mistakes are counted by address, over connections
	Unidentified int           // connections at once whose peer has not opened; 0 = MaxSessions
	PerAddress   int           // connections at once from one address; 0 = MaxSessions
}

// Limits of the sessions with one institution.
type Limits struct {
	// Bandwidth is bytes a second in each direction, over all its sessions in
	// this process; 0 = no limit.
	Bandwidth int64
	Between   line.Limit // outside of files
	File      line.Limit // each file
}

// Caller is what an institution proves by TLS when it calls.
type Caller struct {
	TLS          bool     // it does not call in clear
	Names        []string // one of which its certificate carries, see secure.Names
	Fingerprints []string // one of which its certificate has
}

// certificate reports that the caller must show one of its own.
func (c Caller) certificate() bool { return len(c.Names)+len(c.Fingerprints) > 0 }

// credential is what a connection showed before the first telegram.
type credential struct {
	address netip.Addr
	line    *secure.Conn // nil = in clear
}

// admits says why a caller with this credential is not n; nil if it may be.
func (n *institution) admits(c credential) *fault.Error {
	if !within4and6(n.AllowIn, c.address) {
		return fault.New(CodeNotAllowed, n.Code, "address", c.address)
	}
	if c.line == nil {
		if n.Caller.TLS || n.Caller.certificate() {
			return fault.New(CodeInClear, n.Code, "address", c.address)
		}
		return nil
	}
	shown := c.line.Peer()
	switch {
	case shown == nil && n.Caller.certificate():
		return fault.New(CodeNoCertificate, n.Code, "address", c.address)
	case shown == nil:
		return nil
	case !n.Caller.certificate():
		// Its CA vouches for somebody, and nobody has said that it is n.
		return fault.New(CodeUnboundCert, n.Code, "certificate", shown.Subject, "sha256", secure.Fingerprint(shown))
	}
	if slices.Contains(n.Caller.Fingerprints, secure.Fingerprint(shown)) {
		return nil
	}
	for _, name := range secure.Names(shown) {
		if slices.ContainsFunc(n.Caller.Names, func(agreed string) bool { return strings.EqualFold(agreed, name) }) {
			return nil
		}
	}
	return fault.New(CodeOtherCert, n.Code, "certificate", shown.Subject, "sha256", secure.Fingerprint(shown))
}

// admitted holds what a caller showed before its first telegram against n, whom
// it now says to be. Whom we called we have proven ourselves.
func (s *session) admitted(n *institution) *fault.Error {
	if s.shown == nil {
		return nil
	}
	return n.admits(*s.shown)
}

// within4and6 reports that an address is in one of the networks; none = all.
func within4and6(networks []netip.Prefix, a netip.Addr) bool {
	return len(networks) == 0 || slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// mayCall reports that somebody who may call at this address calls from a.
// Where an institution has no list everybody may knock.
func (i *Instance) mayCall(at *Listen, a netip.Addr) bool {
	known := false
	for _, n := range i.insts {
		if !at.takes(&n.Institution) {
			continue
		}
		if known = true; within4and6(n.AllowIn, a) {
			return true
		}
	}
	return !known // nobody calls here: the first telegram says so
}

// addressOf the other end; the zero value where it has none, as in tests.
func addressOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap().WithZone("")
}

// origin is whom connections are counted by: an address of v4, or the network of
// 64 bits of v6, within which one machine has as many as it likes.
func origin(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// knock judges a caller by its address alone, before a byte is read.
func (i *Instance) knock(at *Listen, a netip.Addr) *fault.Error {
	if !i.mayCall(at, a) {
		return fault.New(CodeStranger, a.String())
	}
	if until := i.wrong.barred(caller{address: origin(a)}, i.now()); !until.IsZero() {
		return fault.New(CodeBarred, a.String(), "until", until.In(i.o.Zone).Format(time.TimeOnly))
	}
	return nil
}

// shake does the handshake where callers use TLS.
func (i *Instance) shake(ctx context.Context, at *Listen, conn net.Conn, a netip.Addr) (net.Conn, credential, error) {
	if at.TLS == nil {
		return conn, credential{address: a}, nil
	}
	c, err := at.keeper.Answer(ctx, conn, *at.TLS, secure.Terms{Who: a.String(), Limit: i.o.Door.Handshake, Now: i.o.Now})
	if err != nil {
		return nil, credential{}, err
	}
	return c, credential{a, c}, nil
}

// stranger is a caller that is not let in.
type stranger struct {
	peer    net.Addr
	profile string          // of the address that it called
	heard   bool            // it sent something at all
	said    *sessionlog.Log // what, as far as there were telegrams; nil = nothing
}

// turnedAway accounts for a caller that was not let in. Those that look whether
// the port is open are left in peace.
func (i *Instance) turnedAway(who stranger, why error) {
	a, heard := addressOf(who.peer), who.heard
	why = cause(why)
	code := fault.CodeOf(why)
	switch {
	case a.IsValid() && heard && mistake(code) && i.o.Door.Opening.Mistakes > 0:
		i.wrong.failed(caller{address: origin(a)}, i.now(), patience{i.o.Door.Opening.Mistakes, longestShut})
	case !heard && (code == "" || left(code)):
		i.log.Debug("a caller left without a word", "address", a.String())
		return
	}
	v := i.refused.add(i.now(), origin(a), why)
	if v.say {
		i.log.Warn("caller turned away", "address", a.String(), "code", code, "unsaid", v.unsaid, "err", why)
	}
	if v.keep {
		i.logAway(who, why, v.unwritten)
	}
}

// longestShut is the longest time for which an address is not heard because of
// its mistakes. It is short: others may call from the same address.
const longestShut = time.Minute

// cause is the fault at the bottom: why, rather than that, a caller was not let in.
func cause(err error) error {
	for f := fault.As(err); f != nil; f = fault.As(f.Err) {
		err = f
	}
	return err
}

// mistake: the caller cannot be what it should be, whatever it tries. Wrong
// passwords are not counted here but by institution, see throttle; nor is what
// lies with us.
func mistake(code fault.Code) bool {
	switch code {
	case CodeBadPassword, CodeBadSender, CodeThrottled, CodeClosedHours, CodeOccupied, CodeDraining, CodeLeaseLost, CodeTermOver, "":
		return false
	}
	area, _, _ := strings.Cut(string(code), ".")
	return area != "store" && code != machine.CodeLost && code != secure.CodeCut
}

// validateCallers finds institutions that could never come in, or as which
// anybody could whom a CA knows.
func (o *Options) validateCallers() (out []fault.Problem) {
	for n := range o.Institutions {
		inst := &o.Institutions[n]
		if inst.Profile == nil {
			continue
		}
		path := "institutions[" + strconv.Itoa(n) + "].caller"
		listens, withTLS, withCA, must := 0, 0, 0, 0
		for _, l := range o.Listen {
			if !l.takes(inst) {
				continue
			}
			listens++
			if l.TLS != nil {
				withTLS++
				if l.TLS.CA != "" {
					withCA++
					if !l.TLS.Optional {
						must++
					}
				}
			}
		}
		switch {
		case listens == 0:
		case inst.Caller.certificate() && withCA == 0:
			out = append(out, fault.Problem{Path: path, Err: fault.New(CodeCallerNoCA, inst.Code)})
		case inst.Caller.TLS && withTLS == 0:
			out = append(out, fault.Problem{Path: path, Err: fault.New(CodeCallerNoTLS, inst.Code)})
		case !inst.Caller.certificate() && must == listens && inst.Connect == "":
			out = append(out, fault.Problem{Path: path, Err: fault.New(CodeCallerUnbound, inst.Code)})
		}
	}
	return out
}

// openKeepers reads the certificates that o needs, those of before as far as
// they are the same: what was good goes on where a file has become bad.
func (i *Instance) openKeepers(before *Instance) error {
	i.keepers = map[secure.Files]*secure.Keeper{}
	open := func(f secure.Files) (*secure.Keeper, error) {
		if k := i.keepers[f]; k != nil {
			return k, nil
		}
		k := (*secure.Keeper)(nil)
		if before != nil {
			k = before.keepers[f]
		}
		if k == nil {
			var err error
			if k, err = secure.Open(f); err != nil {
				return nil, err
			}
		}
		i.keepers[f] = k
		return k, nil
	}
	var errs []error
	for n := range i.o.Listen {
		if l := &i.o.Listen[n]; l.TLS != nil {
			var err error
			l.keeper, err = open(l.TLS.Files)
			errs = append(errs, err)
		}
	}
	for _, n := range i.insts {
		if n.TLS != nil && n.Connect != "" {
			_, err := open(n.TLS.Files)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// secured does the handshake of a call of ours, where it is one over TLS.
func (s *session) secured(ctx context.Context, conn net.Conn) (net.Conn, error) {
	n := s.inst
	if n.TLS == nil {
		return conn, nil
	}
	c := *n.TLS
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(n.Connect)
	}
	return s.keepers[c.Files].Call(ctx, conn, c, secure.Terms{Who: n.Code, Limit: n.Handshake, Now: s.o.Now})
}

// reachable refuses an address that the name of a counterparty leads to and
// that is none of its own.
func (n *institution) reachable(address string) error {
	p, err := netip.ParseAddrPort(address)
	if err == nil && !within4and6(n.AllowOut, p.Addr().Unmap().WithZone("")) {
		return fault.New(CodeNotAllowedOut, n.Code, "address", p.Addr().Unmap(), "connect", n.Connect)
	}
	return nil
}

// left: the caller went away, or we stopped.
func left(code fault.Code) bool {
	return code == machine.CodeLost || code == machine.CodeSilent || code == secure.CodeCut || code == CodeDraining
}

// limit of a phase of this session. Mistakes before the opening end it at once,
// and are counted by address.
func (s *session) limit(p line.Phase) line.Limit {
	switch {
	case p == line.Opening && s.shown != nil: // a server that we call is waited for by the profile's times
		l := s.o.Door.Opening
		l.Mistakes = 0
		return l
	case p == line.Opening || s.inst == nil:
		return line.Limit{}
	case p == line.File:
		return s.inst.Limits.File
	}
	return s.inst.Limits.Between
}
