package scenario

import (
	"net"
	"os"
	"path/filepath"

	"pabal/internal/fault"
	"pabal/internal/secure"
)

// tlsSpec is what one end shows and trusts.
type tlsSpec struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	CA          string `yaml:"ca"`
	ServerName  string `yaml:"server_name"`
	Made        bool   `yaml:"made"`
	Mutual      bool   `yaml:"mutual"`
}

// serverTLSSpec is that of the server that is made for the scenario.
type serverTLSSpec struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	CA          string `yaml:"ca"`
	ServerName  string `yaml:"server_name"`
}

// TLS is how both ends of a scenario protect the line.
type TLS struct {
	Own    secure.Files // what the scenario's side shows and trusts
	Server secure.Files // … the server that is made for it
	// ServerName is what the certificate of the called end must be for; "" = the
	// host of the address.
	ServerName string
	// Made has an authority and the certificates made for this run; Mutual has
	// the caller show one as well.
	Made, Mutual bool
	// Caller is the fingerprint of the certificate that the server made for the
	// scenario expects of who calls it; "" = it asks for none.
	Caller string
}

// tls reads the section, nil if there is none.
func (r *reader) tls(s *Scenario) *TLS {
	f, g := r.spec.TLS, r.spec.Server.TLS
	if f == nil {
		if g != nil {
			r.bad("server.tls", "", fault.Say("tls_of_both"))
		}
		return nil
	}
	t := &TLS{Made: f.Made, Mutual: f.Mutual, ServerName: f.ServerName}
	if f.Made {
		switch {
		case f.Certificate+f.Key+f.CA != "" || g != nil:
			r.bad("tls.made", true, fault.Say("no_tls_files"))
		case r.spec.Address != "":
			r.bad("tls.made", true, fault.Say("no_address"))
		}
		return t
	}
	if f.Mutual {
		r.bad("tls.mutual", true, fault.Say("mutual_made"))
	}
	t.Own = r.pem("tls", f.Certificate, f.Key, f.CA)
	if s.Listens && f.Certificate == "" {
		r.bad("tls.certificate", "", fault.Say("certificate_shown"))
	}
	if s.Listens && f.ServerName != "" {
		r.bad("tls.server_name", f.ServerName, fault.Say("expected_by_caller", "role", "connect"))
	}
	if g == nil {
		return t
	}
	t.Server = r.pem("server.tls", g.Certificate, g.Key, g.CA)
	if s.Listens {
		t.ServerName = g.ServerName
	} else {
		if g.Certificate == "" {
			r.bad("server.tls.certificate", "", fault.Say("certificate_shown"))
		}
		if g.ServerName != "" {
			r.bad("server.tls.server_name", g.ServerName, fault.Say("expected_by_caller", "role", "listen"))
		}
	}
	return t
}

// pem reads files beside the scenario to see that they can be used.
func (r *reader) pem(path, certificate, key, ca string) secure.Files {
	beside := func(name string) string {
		if name == "" {
			return ""
		}
		return r.beside(name)
	}
	f := secure.Files{Certificate: beside(certificate), Key: beside(key), CA: beside(ca)}
	at := map[string]string{f.Certificate: ".certificate", f.Key: ".key", f.CA: ".ca"}
	said := map[string]string{f.Certificate: certificate, f.Key: key, f.CA: ca}
	_, err := secure.Open(f)
	if err == nil {
		return f
	}
	subject := ""
	if e := fault.As(err); e != nil {
		subject = e.Subject
	}
	switch fault.CodeOf(err) {
	case secure.CodePair:
		missing := ".key"
		if certificate == "" {
			missing = ".certificate"
		}
		r.bad(path+missing, "", fault.Say("pair_or_neither"))
	case secure.CodeCannotRead:
		r.bad(path+at[subject], said[subject], fault.Say("readable_pem"))
	case secure.CodeNoPEM:
		r.bad(path+at[subject], said[subject], fault.Say("pem_certificate"))
	case secure.CodeOpenKey:
		r.bad(path+at[subject], said[subject], fault.Say("closed_key"))
	case secure.CodeWrongKey:
		r.bad(path+at[subject], said[subject], fault.Say("key_of", "certificate", path+".certificate"))
	default:
		r.bad(path, subject, fault.Say("usable_files", "why", err))
	}
	return f
}

// protect gives the scenario's side its certificates, before it is run. alone
// says that the server is made for it; dir is for those that are made. Errors
// are CodeMade, CodeServerTLS, and those of this machine.
func (s *Scenario) protect(dir string, alone bool) error {
	t := s.TLS
	switch {
	case t == nil:
		return nil
	case t.Made && !alone:
		return fault.New(CodeMade, s.Name)
	case t.Made:
		if err := t.make(filepath.Join(dir, "tls"), s.Listens); err != nil {
			return err
		}
	case alone && t.Server == secure.Files{}:
		return fault.New(CodeServerTLS, s.Name)
	}
	if s.Listens {
		s.Who.Secure = &secure.Server{Files: t.Own}
		return nil
	}
	s.Who.TLS = &secure.Client{Files: t.Own, ServerName: t.ServerName}
	if t.Server.CA != "" && t.Own.Certificate != "" {
		k, err := secure.Open(t.Own)
		if err != nil {
			return err
		}
		shown, _, _ := k.Look()
		t.Caller = shown[0].Fingerprint
	}
	return nil
}

// make issues what both ends need.
func (t *TLS) make(dir string, listens bool) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	ca, err := secure.NewAuthority(dir, "ca")
	if err != nil {
		return err
	}
	called := secure.Ask{Name: "called", IP: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if t.ServerName != "" {
		called.DNS = []string{t.ServerName}
	}
	server, _, err := ca.Issue(called)
	if err != nil {
		return err
	}
	caller := secure.Files{}
	if t.Mutual {
		if caller, _, err = ca.Issue(secure.Ask{Name: "caller", Client: true}); err != nil {
			return err
		}
		server.CA = ca.File
	}
	caller.CA = ca.File
	if t.Own, t.Server = caller, server; listens {
		t.Own, t.Server = server, caller
	}
	return nil
}
