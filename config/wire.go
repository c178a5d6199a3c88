package config

import "time"

// What protects a line: TLS, who may call from where, and how much of
// everything one caller may take. Files of certificates are seen from the
// directory of the host's file; each host reads its own.

// ListenTLS is how an address is called over TLS.
type ListenTLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	ClientCA    string `yaml:"client_ca"` // whose certificates callers show; "" = none is asked for
	Client      string `yaml:"client"`    // ClientRequired or ClientOptional
	Minimum     string `yaml:"minimum"`   // 1.2 or 1.3
}

// Whether callers must show a certificate where there is a client_ca.
const (
	ClientRequired = "required"
	ClientOptional = "optional"
)

// TLS is how we call an institution over TLS.
type TLS struct {
	ServerName   string   `yaml:"server_name"` // "" = the host of connect
	CA           string   `yaml:"ca"`          // "" = the system's
	Certificate  string   `yaml:"certificate"` // what we show; "" = nothing
	Key          string   `yaml:"key"`
	Minimum      string   `yaml:"minimum"`
	Fingerprints []string `yaml:"fingerprints"` // one of which its certificate must have
}

// Caller is what an institution proves by TLS when it calls us.
type Caller struct {
	TLS          bool     `yaml:"tls"`   // it does not call in clear
	Names        []string `yaml:"names"` // one of which its certificate carries
	Fingerprints []string `yaml:"fingerprints"`
}

// Allow are addresses and networks; none = all.
type Allow struct {
	In  []Network `yaml:"in"`  // from where it calls
	Out []Network `yaml:"out"` // where the name in connect may lead
}

// Limits of an institution's sessions; 0 = none.
type Limits struct {
	Bandwidth Size  `yaml:"bandwidth"` // bytes a second, of all its sessions in a process together
	Between   Phase `yaml:"between"`   // from the opening to the first file, and between files
	File      Phase `yaml:"file"`      // each file
}

// Phase limits one part of a session; 0 = no limit.
type Phase struct {
	Time     time.Duration `yaml:"time"`
	Bytes    Size          `yaml:"bytes"` // that the other side sends
	Mistakes int           `yaml:"mistakes"`
}

// Door limits callers that have not said yet who they are.
type Door struct {
	Handshake    time.Duration `yaml:"handshake"`
	Opening      Phase         `yaml:"opening"`
	Unidentified int           `yaml:"unidentified"` // at once; 0 = as many as sessions
	PerAddress   int           `yaml:"per_address"`  // connections at once from one address; 0 = as many as sessions
}

// certificates are the paths of all files of certificates and keys.
func (c *Config) certificates() (paths []*string) {
	listens := func(all []Listen) {
		for _, l := range all {
			if t := l.TLS; t != nil {
				paths = append(paths, &t.Certificate, &t.Key, &t.ClientCA)
			}
		}
	}
	for _, in := range c.Instances {
		listens(in.Listen)
	}
	for _, r := range c.Runs {
		listens(r.Listen)
	}
	for _, in := range c.Institutions {
		if t := in.TLS; t != nil {
			paths = append(paths, &t.CA, &t.Certificate, &t.Key)
		}
	}
	return paths
}

func (v *validator) listenTLS(path string, t *ListenTLS) {
	if t == nil {
		return
	}
	v.required(path, "certificate", t.Certificate)
	v.required(path, "key", t.Key)
	v.oneOf(path+".client", t.Client, ClientRequired, ClientOptional)
	v.oneOf(path+".minimum", t.Minimum, "1.2", "1.3")
	if t.Client != "" && t.ClientCA == "" {
		v.required(path, "client_ca", "")
	}
}

func (v *validator) secure(path string, in *Institution) {
	if t := in.TLS; t != nil {
		v.oneOf(path+".tls.minimum", t.Minimum, "1.2", "1.3")
		if t.Certificate != "" {
			v.required(path+".tls", "key", t.Key)
		}
		if t.Key != "" {
			v.required(path+".tls", "certificate", t.Certificate)
		}
	}
	v.lasts(path+".timeouts.handshake", in.Timeouts.Handshake, time.Millisecond, 10*time.Minute)
	if in.Limits.Bandwidth != 0 {
		v.between(path+".limits.bandwidth", int64(in.Limits.Bandwidth), bandwidthLow, 1<<40)
	}
	v.phase(path+".limits.between", in.Limits.Between, 100)
	v.phase(path+".limits.file", in.Limits.File, 100)
}

// bandwidthLow is what the waits of a session are made for: with less, a line
// that works would look like one that is dead.
const bandwidthLow = 4 << 10

func (v *validator) door(path string, in *Instance) {
	d := in.Limits
	v.lasts(path+".handshake", d.Handshake, time.Millisecond, 10*time.Minute)
	v.phase(path+".opening", d.Opening, 100000)
	v.between(path+".unidentified", int64(d.Unidentified), 0, int64(in.Sessions))
	v.between(path+".per_address", int64(d.PerAddress), 0, int64(in.Sessions))
}

// phase wants limits with which an honest telegram passes.
func (v *validator) phase(path string, p Phase, mistakes int64) {
	v.lasts(path+".time", p.Time, 0, 31*24*time.Hour)
	if p.Bytes != 0 {
		v.between(path+".bytes", int64(p.Bytes), 4<<10, 1<<50)
	}
	v.between(path+".mistakes", int64(p.Mistakes), 0, mistakes)
}
