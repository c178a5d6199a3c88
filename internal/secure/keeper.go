// Package secure is TLS on a line: certificates that are read again when their
// files change, and handshakes whose failures say which side is at fault and
// why. It knows nothing of counterparties.
package secure

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"pabal/internal/fault"
)

// Files are the names of PEM files. Certificate and Key go together: what we
// show, with the certificates between it and its CA behind it. CA holds those
// that we trust; "" is the system's.
type Files struct{ Certificate, Key, CA string }

// Keeper holds what Files contain. It looks at the files whenever it is asked
// and reads those again that have changed, so nobody has to restart anything. A
// change that cannot be used leaves what was good before at work.
type Keeper struct {
	files Files

	mu      sync.Mutex
	held    material
	seen    []fs.FileInfo // of the files as they were read last; nil = not there
	problem *fault.Error  // why what they hold now is not used
	said    bool          // somebody has asked Unsaid about it
}

// material is what the files of one moment contain.
type material struct {
	own   *tls.Certificate // nil = we show none
	roots *x509.CertPool   // nil = the system's
	shown []Shown
}

// Shown is a certificate for people to see.
type Shown struct {
	File        string    `json:"file"`
	CA          bool      `json:"ca,omitempty"` // one that we trust, not one that we show
	Subject     string    `json:"subject"`
	Fingerprint string    `json:"sha256"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
}

// Open reads the files for the first time. Errors: CodeCannotRead, CodeNoPEM,
// CodeOpenKey, CodeWrongKey, CodePair.
func Open(files Files) (*Keeper, error) {
	k := &Keeper{files: files, seen: look(files)}
	var err error
	if k.held, err = read(files); err != nil {
		return nil, err
	}
	return k, nil
}

// Look reads the files again if they have changed. problem is why what they
// hold now is not used, nil when it is; news reports that this look found
// another state than the one before.
func (k *Keeper) Look() (shown []Shown, problem *fault.Error, news bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	news = k.renew()
	return k.held.shown, k.problem, news
}

// renew reads the files again if they have changed, and reports that they have.
func (k *Keeper) renew() (news bool) {
	// The files are looked at before they are read: what is written in between
	// is found by the next look.
	if now := look(k.files); !same(now, k.seen) {
		k.seen, k.said, news = now, false, true
		held, err := read(k.files)
		if k.problem = fault.As(err); err == nil {
			k.held = held
		}
	}
	return news
}

// Unsaid reports, once for each state of the files, that nobody has been told
// of its problem: a handshake may have found it before those who tell.
func (k *Keeper) Unsaid() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	first := k.problem != nil && !k.said
	k.said = true
	return first
}

// current is what counts for a handshake that begins now.
func (k *Keeper) current() material {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renew()
	return k.held
}

func (f Files) names() []string { return []string{f.Certificate, f.Key, f.CA} }

func look(files Files) []fs.FileInfo {
	out := make([]fs.FileInfo, 0, 3)
	for _, name := range files.names() {
		info, err := os.Stat(name)
		if err != nil {
			info = nil
		}
		out = append(out, info)
	}
	return out
}

func same(a, b []fs.FileInfo) bool {
	for n := range a {
		switch {
		case (a[n] == nil) != (b[n] == nil):
			return false
		case a[n] == nil:
		case !os.SameFile(a[n], b[n]) || !a[n].ModTime().Equal(b[n].ModTime()) || a[n].Size() != b[n].Size() || a[n].Mode() != b[n].Mode():
			return false
		}
	}
	return true
}

func read(files Files) (m material, err error) {
	if (files.Certificate == "") != (files.Key == "") {
		return m, fault.New(CodePair, files.Certificate+files.Key)
	}
	if files.Certificate != "" {
		if m.own, err = pair(files); err != nil {
			return m, err
		}
		m.shown = append(m.shown, show(files.Certificate, m.own.Leaf, false))
	}
	if files.CA != "" {
		text, err := content(files.CA)
		if err != nil {
			return m, err
		}
		m.roots = x509.NewCertPool()
		for rest := text; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" {
				continue
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return m, fault.New(CodeNoPEM, files.CA).Because(err)
			}
			m.roots.AddCert(c)
			m.shown = append(m.shown, show(files.CA, c, true))
		}
		if len(m.shown) == 0 || !m.shown[len(m.shown)-1].CA {
			return m, fault.New(CodeNoPEM, files.CA)
		}
	}
	return m, nil
}

// pair reads what we show. No error has anything of the key in it.
func pair(files Files) (*tls.Certificate, error) {
	certificate, err := content(files.Certificate)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(certificate); block == nil || !bytes.Contains(certificate, []byte("BEGIN CERTIFICATE")) {
		return nil, fault.New(CodeNoPEM, files.Certificate)
	}
	key, err := content(files.Key)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(files.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, fault.New(CodeOpenKey, files.Key, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	own, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fault.New(CodeWrongKey, files.Key, "certificate", files.Certificate)
	}
	return &own, nil
}

func content(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.New(CodeCannotRead, name, "reason", fault.Reason(err)).Because(err)
	}
	return text, nil
}

func show(file string, c *x509.Certificate, ca bool) Shown {
	return Shown{File: file, CA: ca, Subject: c.Subject.String(), Fingerprint: Fingerprint(c), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC()}
}

// soon is how long before its end a certificate is warned of: a new one takes
// some people and some forms.
const soon = 30 * 24 * time.Hour

// Warning is what is to be said of a certificate's time: CodeExpiredOwn,
// CodeExpiresSoon, or nil.
func (s Shown) Warning(now time.Time) *fault.Error {
	const day = 24 * time.Hour
	switch left := s.NotAfter.Sub(now); {
	case left <= 0:
		return fault.New(CodeExpiredOwn, s.File, "certificate", s.Subject, "until", s.NotAfter.Format(time.DateOnly))
	case left <= soon:
		return fault.New(CodeExpiresSoon, s.File, "certificate", s.Subject, "until", s.NotAfter.Format(time.DateOnly), "days", int(left/day))
	}
	return nil
}

// Fingerprint of a certificate: its SHA-256 in 64 hexadecimal digits.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// ParseFingerprint takes the form of Fingerprint and the one that openssl
// prints: with colons, in capitals, behind "sha256 Fingerprint=". Errors:
// CodeFingerprint.
func ParseFingerprint(text string) (string, error) {
	digits := text[strings.LastIndexByte(text, '=')+1:]
	digits = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(digits), ":", ""))
	if sum, err := hex.DecodeString(digits); err != nil || len(sum) != sha256.Size {
		return "", fault.New(CodeFingerprint, text)
	}
	return digits, nil
}

// Names are all by which a certificate names its owner: DNS names, addresses,
// e-mail addresses and URIs, the common name and the whole subject.
func Names(c *x509.Certificate) []string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	names = append(names, c.EmailAddresses...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	if cn := c.Subject.CommonName; cn != "" {
		names = append(names, cn)
	}
	return append(names, c.Subject.String())
}
