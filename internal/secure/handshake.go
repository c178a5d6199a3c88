package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"pabal/internal/fault"
)

// Version is the lowest version of TLS that is spoken: 1.2 by default. Errors:
// CodeMinimum.
func Version(text string) (uint16, error) {
	switch text {
	case "", "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fault.New(CodeMinimum, text)
}

// Client says how we call a server.
type Client struct {
	Files
	ServerName   string   // that its certificate must be for
	Minimum      uint16   // as from Version; 0 = 1.2
	Fingerprints []string // one of which its certificate must have, as from ParseFingerprint; none = any that is for ServerName
}

// Server says how we take calls.
type Server struct {
	Files
	Minimum uint16
	// Callers must show a certificate that CA vouches for; with Optional, only
	// if they show one. Without CA none is asked for.
	Optional bool
}

// Terms of a handshake.
type Terms struct {
	Who   string        // the subject of faults: an institution, an address
	Limit time.Duration // 0 = 10 s
	Now   func() time.Time
}

// DefaultLimit of a handshake.
const DefaultLimit = 10 * time.Second

// Conn is a line after its handshake.
type Conn struct {
	*tls.Conn
	who string
}

// Peer is the certificate that the other side has shown and that was found
// good; nil if it has shown none.
func (c *Conn) Peer() *x509.Certificate {
	if all := c.ConnectionState().PeerCertificates; len(all) > 0 {
		return all[0]
	}
	return nil
}

// Read tells by a fault when the other side ends the line because of our
// certificate: with TLS 1.3 that comes only after the handshake.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if why := alert(err); why != "" {
		err = fault.New(CodeRefused, c.who, "reason", objection(why)).Because(err)
	}
	return n, err
}

// Call does the client's part on conn. After an error conn is closed.
func (k *Keeper) Call(ctx context.Context, conn net.Conn, c Client, t Terms) (*Conn, error) {
	m := k.current()
	cfg := &tls.Config{
		MinVersion: max(c.Minimum, tls.VersionTLS12), ServerName: c.ServerName, RootCAs: m.roots, Time: t.Now,
		// Nothing is resumed: each session proves anew who is there.
		SessionTicketsDisabled: true,
	}
	if m.own != nil {
		// It is shown whatever CAs the server says it knows: "unknown CA" tells
		// both sides more than "no certificate".
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return m.own, nil }
	}
	if len(c.Fingerprints) > 0 {
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			if got := Fingerprint(s.PeerCertificates[0]); !slices.Contains(c.Fingerprints, got) {
				return fault.New(CodeWrongPin, t.Who, "certificate", s.PeerCertificates[0].Subject.String(), "sha256", got)
			}
			return nil
		}
	}
	return handshake(ctx, conn, tls.Client(conn, cfg), c.ServerName, t)
}

// Answer does the server's part on conn. After an error conn is closed.
func (k *Keeper) Answer(ctx context.Context, conn net.Conn, s Server, t Terms) (*Conn, error) {
	m := k.current()
	if m.own == nil {
		_ = conn.Close()
		return nil, fault.New(CodeNoServer, t.Who)
	}
	cfg := &tls.Config{
		MinVersion: max(s.Minimum, tls.VersionTLS12), Certificates: []tls.Certificate{*m.own}, Time: t.Now, SessionTicketsDisabled: true,
	}
	if m.roots != nil {
		cfg.ClientCAs, cfg.ClientAuth = m.roots, tls.RequireAndVerifyClientCert
		if s.Optional {
			cfg.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return handshake(ctx, conn, tls.Server(conn, cfg), "", t)
}

func handshake(ctx context.Context, conn net.Conn, c *tls.Conn, expected string, t Terms) (*Conn, error) {
	if t.Limit == 0 {
		t.Limit = DefaultLimit
	}
	limited, cancel := context.WithTimeout(ctx, t.Limit)
	defer cancel()
	err := c.HandshakeContext(limited)
	if err == nil {
		return &Conn{c, t.Who}, nil
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case limited.Err() != nil:
		err = fault.New(CodeTimeout, t.Who, "after", t.Limit)
	default:
		err = reason(err, expected, t)
		linger(conn)
	}
	_ = conn.Close()
	return nil, err
}

// What linger takes at most.
const (
	lingerTime  = time.Second
	lingerBytes = 64 << 10
)

// linger lets the other side hear why: closed with bytes unread, a line is
// reset, and what was said last is often lost with it.
func linger(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, lingerBytes)
}

// alert is what the other side objects to; "" if it does not.
func alert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return ""
}

// objection has words for the usual alerts; others are quoted.
func objection(alert string) any {
	switch alert {
	case "expired certificate":
		return fault.Say("alert_expired")
	case "unknown certificate authority":
		return fault.Say("alert_unknown_ca")
	case "bad certificate":
		return fault.Say("alert_bad_certificate")
	case "revoked certificate":
		return fault.Say("alert_revoked")
	case "certificate required":
		return fault.Say("alert_required")
	case "protocol version not supported":
		return fault.Say("alert_version")
	case "handshake failure":
		return fault.Say("alert_handshake")
	}
	return alert
}

// reason turns the error of a handshake into a fault. It has nothing of what
// the other side wrote but the names in its certificate.
func reason(err error, expected string, t Terms) error {
	if f := fault.As(err); f != nil {
		return f
	}
	subject := func(c *x509.Certificate) string {
		if c == nil {
			return "-"
		}
		return c.Subject.String()
	}
	var (
		header  tls.RecordHeaderError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		verify  *tls.CertificateVerificationError
	)
	switch text := err.Error(); {
	case alert(err) != "":
		return fault.New(CodeRefused, t.Who, "reason", objection(alert(err))).Because(err)
	case errors.As(err, &header):
		return fault.New(CodeNotTLS, t.Who)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		code, args := CodeExpired, []any{"certificate", subject(invalid.Cert), "until", day(invalid.Cert.NotAfter)}
		if t.now().Before(invalid.Cert.NotBefore) {
			code, args = CodeNotYet, []any{"certificate", subject(invalid.Cert), "from", day(invalid.Cert.NotBefore)}
		}
		return fault.New(code, t.Who, args...).Because(err)
	case errors.As(err, &unknown):
		issuer := "-"
		if unknown.Cert != nil {
			issuer = unknown.Cert.Issuer.String()
		}
		return fault.New(CodeUnknownCA, t.Who, "certificate", subject(unknown.Cert), "issuer", issuer).Because(err)
	case errors.As(err, &name):
		return fault.New(CodeWrongName, t.Who, "expected", expected, "names", strings.Join(Names(name.Certificate), ", ")).Because(err)
	case errors.As(err, &verify):
		return fault.New(CodeBadChain, t.Who, "reason", verify.Err).Because(err)
	case strings.Contains(text, "didn't provide a certificate"):
		return fault.New(CodeNone, t.Who)
	case strings.Contains(text, "unsupported versions") || strings.Contains(text, "no cipher suite") || strings.Contains(text, "protocol version"):
		return fault.New(CodeVersion, t.Who).Because(err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed):
		return fault.New(CodeCut, t.Who).Because(err)
	}
	return fault.New(CodeFailed, t.Who, "reason", fault.Reason(err)).Because(err)
}

func (t Terms) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
