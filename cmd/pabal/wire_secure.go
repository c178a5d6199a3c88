package main

import (
	"fmt"
	"net/netip"

	"pabal/config"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/protocol/line"
)

// serverTLS is how callers of an address are answered.
func (w *wiring) serverTLS(path string, t *config.ListenTLS) *secure.Server {
	if t == nil {
		return nil
	}
	s := &secure.Server{Files: secure.Files{Certificate: t.Certificate, Key: t.Key, CA: t.ClientCA}, Optional: t.Client == config.ClientOptional}
	s.Minimum = w.minimum(path, t.Minimum)
	return s
}

// protect fills in what guards the lines of an institution.
func (w *wiring) protect(path string, in *config.Institution, o *instance.Institution) {
	if t := in.TLS; t != nil {
		o.TLS = &secure.Client{Files: secure.Files{Certificate: t.Certificate, Key: t.Key, CA: t.CA}, ServerName: t.ServerName,
			Minimum: w.minimum(path+".tls", t.Minimum), Fingerprints: w.fingerprints(path+".tls", t.Fingerprints)}
	}
	o.Handshake = in.Timeouts.Handshake
	o.Caller = instance.Caller{TLS: in.Caller.TLS, Names: in.Caller.Names, Fingerprints: w.fingerprints(path+".caller", in.Caller.Fingerprints)}
	o.AllowIn, o.AllowOut = prefixes(in.Allow.In), prefixes(in.Allow.Out)
	o.Limits = instance.Limits{Bandwidth: int64(in.Limits.Bandwidth), Between: phase(in.Limits.Between), File: phase(in.Limits.File)}
}

func (w *wiring) minimum(path, text string) uint16 {
	v, err := secure.Version(text)
	if err != nil {
		w.bad(path+".minimum", fault.As(err))
	}
	return v
}

func (w *wiring) fingerprints(path string, texts []string) (out []string) {
	for n, text := range texts {
		f, err := secure.ParseFingerprint(text)
		if err != nil {
			w.bad(fmt.Sprintf("%s.fingerprints[%d]", path, n), fault.As(err))
		}
		out = append(out, f)
	}
	return out
}

func prefixes(networks []config.Network) (out []netip.Prefix) {
	for _, n := range networks {
		out = append(out, n.Prefix())
	}
	return out
}

func phase(p config.Phase) line.Limit {
	return line.Limit{Time: p.Time, Bytes: int64(p.Bytes), Mistakes: p.Mistakes}
}

func door(d config.Door) instance.Door {
	return instance.Door{Handshake: d.Handshake, Opening: phase(d.Opening), Unidentified: d.Unidentified, PerAddress: d.PerAddress}
}

// checkCertificates reads the files of certificates as a server that starts
// now would. They are no part of what a version of the configuration says, so a
// file that is broken for a moment never stops a server that runs.
func (s *site) checkCertificates() (out []fault.Problem) {
	look := func(path string, f secure.Files) {
		if _, err := secure.Open(f); err != nil {
			out = append(out, fault.Problem{Path: path + certificateKey(f, fault.As(err).Subject), Err: fault.As(err)})
		}
	}
	for n, in := range s.cfg.Instances {
		for k, l := range in.Listen {
			if t := l.TLS; t != nil && s.cfg.RunsHere(in.ID) {
				look(fmt.Sprintf("instances[%d].listen[%d].tls", n, k), secure.Files{Certificate: t.Certificate, Key: t.Key, CA: t.ClientCA})
			}
		}
	}
	for n, in := range s.cfg.Institutions {
		if t := in.TLS; t != nil && in.Connect != "" && s.calls(&in) {
			look(fmt.Sprintf("institutions[%d].tls", n), secure.Files{Certificate: t.Certificate, Key: t.Key, CA: t.CA})
		}
	}
	return out
}

// calls reports that an instance of this host may call the institution.
func (s *site) calls(in *config.Institution) bool {
	for _, id := range append([]string{in.Instance}, in.Standby...) {
		if s.cfg.RunsHere(id) {
			return true
		}
	}
	return false
}

// certificateKey is the key of the configuration that names a file.
func certificateKey(f secure.Files, name string) string {
	switch name {
	case f.Certificate:
		return ".certificate"
	case f.Key:
		return ".key"
	}
	return ""
}
