package instance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/internal/secure/securetest"
	"pabal/transfer"
)

// mutual is a pair of servers that show certificates to each other, and all
// that issues them.
type mutual struct {
	ca, other      *securetest.CA
	server, client securetest.Pair
	dir            string
}

func newMutual(t *testing.T) *mutual {
	t.Helper()
	m := &mutual{dir: t.TempDir()}
	m.ca, m.other = securetest.NewCA(t, m.dir, "our-ca"), securetest.NewCA(t, t.TempDir(), "other-ca")
	m.server = m.ca.Issue(t, securetest.Ask{Name: "centre", IP: []net.IP{net.IPv4(127, 0, 0, 1)}})
	m.client = m.ca.Issue(t, securetest.Ask{Name: "institution", Client: true})
	return m
}

// tune sets both sides up.
func (m *mutual) tune(institution, centre *Options) {
	with := func(p securetest.Pair) secure.Files { p.CA = m.ca.File; return p.Files }
	centre.Listen[0].TLS = &secure.Server{Files: with(m.server)}
	centre.Institutions[0].Caller = Caller{Names: []string{"INSTITUTION"}}
	institution.Institutions[0].TLS = &secure.Client{Files: with(m.client), Fingerprints: []string{m.server.Fingerprint}}
}

// TestMutualTLS: whole files both ways, where each side proves itself by a
// certificate, and not a byte of them in clear.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	onBoth(t, testMutualTLS)
}

func testMutualTLS(t *testing.T, on engine) {
	m := newMutual(t)
	p := newPair(t, on, "cms", []file{rawForm("EB21")}, []file{rawForm("EB22")}, func(i, c *Options) {
		m.tune(i, c)
		i.Institutions[0].Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 50 * time.Millisecond}}
	})
	up, down := content(700_000), content(300_000)
	p.institution.drop("EB21.CENTRE.JOB", up)
	p.centre.drop("EB22.MEMBER.JOB", down)
	p.institution.await(transfer.Send, transfer.Sent, 1)
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.True(t, bytes.Equal(up, mustRead(t, got.FinalPath)))
	p.centre.await(transfer.Send, transfer.Sent, 1)
	got = p.institution.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.True(t, bytes.Equal(down, mustRead(t, got.FinalPath)))
}

// TestCertificatesReplacedWhileRunning: the counterparty's certificate runs out
// and is replaced, then ours, and nobody restarts anything.
func TestCertificatesReplacedWhileRunning(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	yesterday := time.Now().AddDate(0, 0, -1)
	expired := m.ca.Issue(t, securetest.Ask{Name: "old", IP: []net.IP{net.IPv4(127, 0, 0, 1)}, From: yesterday.AddDate(0, 0, -1), To: yesterday})
	fresh := m.server
	live := secure.Files{Certificate: filepath.Join(m.dir, "live.pem"), Key: filepath.Join(m.dir, "live.key")}
	place := func(from secure.Files) {
		require.NoError(t, os.WriteFile(live.Certificate, mustRead(t, from.Certificate), 0o644))
		require.NoError(t, os.WriteFile(live.Key, mustRead(t, from.Key), 0o600))
	}
	place(expired.Files)
	p := newPair(t, sqlite, "cms", []file{rawForm("EB21")}, nil, func(i, c *Options) {
		m.tune(i, c)
		c.Listen[0].TLS.Certificate, c.Listen[0].TLS.Key = live.Certificate, live.Key
		i.Institutions[0].RetryFirst, i.Institutions[0].RetryMax = 20*time.Millisecond, 50*time.Millisecond
	})
	p.institution.drop("EB21.CENTRE.JOB", content(1000))
	require.Eventually(t, func() bool {
		all := p.institution.await(transfer.Send, transfer.Waiting, 1)
		return len(all) == 1 && all[0].ErrorCode == string(secure.CodeExpired)
	}, time.Minute, 10*time.Millisecond, "the reason stands in the row")
	place(fresh.Files)
	p.institution.await(transfer.Send, transfer.Sent, 1)
	p.centre.await(transfer.Receive, transfer.Assembled, 1)
	place(secure.Files{Certificate: fresh.Certificate, Key: expired.Key}) // half of a pair is in place: the old one goes on
	p.institution.drop("EB21.CENTRE.JOB.20200101", content(1000))
	p.centre.await(transfer.Receive, transfer.Assembled, 2)
}

// callTLS does a handshake with the server by hand.
func (h *host) callTLS(t *testing.T, m *mutual, show *securetest.Pair) wire {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(mustRead(t, m.ca.File)))
	cfg := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	if show != nil {
		own, err := tls.LoadX509KeyPair(show.Certificate, show.Key)
		require.NoError(t, err)
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	plain := h.dial(t)
	return wire{t, tls.Client(plain.Conn, cfg)}
}

// TestWhoCallsOverTLS: what a caller shows is held against what the telegram
// says, and the peer hears nothing but a response code.
func TestWhoCallsOverTLS(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	bound := Caller{Names: []string{"institution"}}
	stranger := m.other.Issue(t, securetest.Ask{Name: "institution", Client: true})
	neighbour := m.ca.Issue(t, securetest.Ask{Name: "neighbour", Client: true})
	yesterday := time.Now().AddDate(0, 0, -1)
	expired := m.ca.Issue(t, securetest.Ask{Name: "institution-old", Client: true, From: yesterday.AddDate(0, 0, -1), To: yesterday})
	for _, test := range []struct {
		name   string
		caller Caller
		option bool
		plain  bool // a listener in clear
		show   *securetest.Pair
		code   string     // the answer to the opening; "" = the line ends without one
		why    fault.Code // in the register
		in     []string
	}{
		{name: "its own", caller: bound, show: &m.client, code: "000"},
		{name: "its own, by fingerprint", caller: Caller{Fingerprints: []string{m.client.Fingerprint}}, show: &m.client, code: "000"},
		{name: "of another institution", caller: bound, show: &neighbour, code: "310", why: CodeOtherCert},
		{name: "of another CA", caller: bound, show: &stranger, why: secure.CodeUnknownCA},
		{name: "expired", caller: bound, show: &expired, why: secure.CodeExpired},
		{name: "none", caller: bound, why: secure.CodeNone},
		{name: "none, where it is optional", caller: bound, option: true, code: "310", why: CodeNoCertificate},
		{name: "none, of who needs none", option: true, code: "000"},
		{name: "one that nobody has bound", option: true, show: &neighbour, code: "310", why: CodeUnboundCert},
		{name: "in clear", caller: bound, plain: true, code: "310", why: CodeInClear},
		{name: "in clear, though TLS would do", caller: Caller{TLS: true}, plain: true, code: "310", why: CodeInClear},
		{name: "right, from elsewhere", caller: bound, show: &m.client, in: []string{"192.0.2.0/24"}, why: CodeStranger},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := centreOf(t, sqlite, func(o *Options) {
				o.Institutions[0].Caller = test.caller
				for _, text := range test.in {
					o.Institutions[0].AllowIn = append(o.Institutions[0].AllowIn, netip.MustParsePrefix(text))
				}
				if !test.plain {
					files := m.server.Files
					files.CA = m.ca.File
					o.Listen[0].TLS = &secure.Server{Files: files, Optional: test.option}
				}
			})
			w := h.dial(t)
			if !test.plain {
				_ = w.Close()
				w = h.callTLS(t, m, test.show)
			}
			_, err := io.WriteString(w, opening(time.Now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABC"))
			if test.code != "" {
				require.NoError(t, err)
				require.Equal(t, test.code, w.hear()[29:32])
			}
			if test.code != "000" {
				rest, _ := io.ReadAll(w)
				require.Empty(t, rest)
				require.Contains(t, h.refusedCodes(t, 1), string(test.why))
			}
		})
	}
}

// refusedCodes waits until n reasons are in the register.
func (h *host) refusedCodes(t *testing.T, n int) (codes []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		codes = nil
		for _, r := range h.inst.refused.list(mostRefusals) {
			codes = append(codes, r.Code)
		}
		return len(codes) >= n
	}, time.Minute, 5*time.Millisecond)
	return codes
}

// TestSendsToWithCertificate: where we open for whoever calls, the certificate
// comes first; a stranger hears nothing of us.
func TestSendsToWithCertificate(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	inst, centre := newHost(t, sqlite, "citi", "institution", nil, []file{rawForm("TR01")}), newHost(t, sqlite, "citi", "centre", nil, []file{rawForm("TR01")})
	files := m.server.Files
	files.CA = m.ca.File
	n := &centre.opt.Institutions[0]
	centre.opt.Listen = []Listen{{Address: "127.0.0.1:0", Profile: n.Profile, SendsTo: n.Code, TLS: &secure.Server{Files: files}}}
	n.Caller, n.Expect = Caller{Names: []string{"institution"}}, Credentials{}
	centre.start()
	neighbour := m.ca.Issue(t, securetest.Ask{Name: "neighbour", Client: true})
	w := centre.callTLS(t, m, &neighbour)
	rest, _ := io.ReadAll(w)
	require.Empty(t, rest)
	require.Equal(t, []string{string(CodeOtherCert)}, centre.refusedCodes(t, 1))

	call := m.client.Files
	call.CA = m.ca.File
	inst.opt.Listen = nil
	inst.opt.Institutions[0].TLS, inst.opt.Institutions[0].Connect = &secure.Client{Files: call}, centre.inst.Addresses()[0]
	inst.opt.Institutions[0].Windows = []Window{{From: 0, To: 24 * time.Hour, Every: 50 * time.Millisecond}}
	inst.opt.Institutions[0].Expect = Credentials{}
	centre.drop("TR01."+n.Code+".JOB", content(5000))
	inst.start()
	centre.await(transfer.Send, transfer.Sent, 1)
	inst.await(transfer.Receive, transfer.Assembled, 1)
}

// TestAllowOut: a name that leads elsewhere is not called.
func TestAllowOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		address string
		allow   string
		good    bool
	}{
		{"10.1.2.3:9000", "10.1.0.0/16", true},
		{"10.2.2.3:9000", "10.1.0.0/16", false},
		{"[2001:db8::7]:9000", "2001:db8::/32", true},
		{"[2001:db9::7]:9000", "2001:db8::/32", false},
		{"[::ffff:10.1.2.3]:9000", "10.1.0.0/16", true},
		{"[fe80::1%eth0]:9000", "fe80::/10", true},
	} {
		n := &institution{Institution: Institution{Code: "BANK", AllowOut: []netip.Prefix{netip.MustParsePrefix(test.allow)}}}
		require.Equal(t, test.good, n.reachable(test.address) == nil, "%s in %s", test.address, test.allow)
	}
	p := newPair(t, sqlite, "cms", []file{rawForm("EB21")}, nil, func(i, _ *Options) {
		i.Institutions[0].AllowOut = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	p.institution.drop("EB21.CENTRE.JOB", content(100))
	require.Eventually(t, func() bool {
		all := p.institution.await(transfer.Send, transfer.Waiting, 1)
		return len(all) == 1 && all[0].ErrorCode == string(CodeNotAllowedOut)
	}, hang, 10*time.Millisecond)
}

// TestAllowIn: v4 and v6, and who is not on a list is closed unread.
func TestAllowIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		listen, allow string
		good          bool
	}{
		{"127.0.0.1:0", "127.0.0.0/8", true}, {"127.0.0.1:0", "::/0", false}, {"127.0.0.1:0", "127.0.0.2/32", false},
		{"[::1]:0", "::1/128", true}, {"[::1]:0", "127.0.0.0/8", false}, {"[::]:0", "127.0.0.1/32", true},
	} {
		t.Run(test.listen+" "+test.allow, func(t *testing.T) {
			h := centreOf(t, sqlite, func(o *Options) {
				o.Listen[0].Address = test.listen
				o.Institutions[0].AllowIn = []netip.Prefix{netip.MustParsePrefix(test.allow)}
			})
			address := h.inst.Addresses()[0]
			if test.listen == "[::]:0" { // v4 arrives there as v4 in v6
				address = strings.Replace(address, "[::]", "127.0.0.1", 1)
			}
			c, err := net.Dial("tcp", address)
			require.NoError(t, err)
			require.NoError(t, c.SetDeadline(time.Now().Add(hang)))
			w := wire{t, c}
			defer c.Close()
			_, _ = io.WriteString(c, opening(time.Now().In(h.opt.Zone), "12345678", "FTE", "Honggildong", "123ABC"))
			if test.good {
				require.Equal(t, "000", w.hear()[29:32])
				return
			}
			n, _ := c.Read(make([]byte, 1))
			require.Zero(t, n)
			require.Equal(t, []string{string(CodeStranger)}, h.refusedCodes(t, 1))
		})
	}
}
