package secure_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/internal/secure/securetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// meet has both sides shake hands over TCP and gives what came of each. The
// client then reads once: with TLS 1.3 it hears only there that it is refused.
func meet(t *testing.T, client *secure.Keeper, c secure.Client, server *secure.Keeper, s secure.Server) (seen *secure.Conn, cerr, serr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		conn, err := ln.Accept()
		if err != nil {
			serr = err
			return
		}
		seen, serr = server.Answer(context.Background(), conn, s, secure.Terms{Who: "caller"})
		if serr == nil {
			_, _ = seen.Write([]byte("x"))
			_ = seen.Close()
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	line, cerr := client.Call(t.Context(), conn, c, secure.Terms{Who: "BANK"})
	if cerr == nil {
		_, _ = line.Write([]byte("a telegram that comes at once"))
		_, cerr = line.Read(make([]byte, 1))
		_ = line.Close()
	}
	<-answered
	return seen, cerr, serr
}

func open(t *testing.T, f secure.Files) *secure.Keeper {
	t.Helper()
	k, err := secure.Open(f)
	require.NoError(t, err)
	return k
}

func TestHandshakes(t *testing.T) {
	dir := t.TempDir()
	ca, other := securetest.NewCA(t, dir, "our-ca"), securetest.NewCA(t, dir, "other-ca")
	yesterday, tomorrow := time.Now().AddDate(0, 0, -1), time.Now().AddDate(0, 0, 1)
	server := ca.Issue(t, securetest.Ask{Name: "server", DNS: []string{"gw.bank.example"}})
	expired := ca.Issue(t, securetest.Ask{Name: "expired", DNS: []string{"gw.bank.example"}, From: yesterday.AddDate(0, 0, -1), To: yesterday})
	early := ca.Issue(t, securetest.Ask{Name: "early", DNS: []string{"gw.bank.example"}, From: tomorrow, To: tomorrow.AddDate(0, 0, 1)})
	client := ca.Issue(t, securetest.Ask{Name: "client", Client: true})
	clientExpired := ca.Issue(t, securetest.Ask{Name: "client-expired", Client: true, From: yesterday.AddDate(0, 0, -1), To: yesterday})
	stranger := other.Issue(t, securetest.Ask{Name: "stranger", Client: true})
	wrongUse := ca.Issue(t, securetest.Ask{Name: "wrong-use"}) // a server's, shown by a caller

	trusting := secure.Files{CA: ca.File}
	with := func(f secure.Files) secure.Files { f.CA = ca.File; return f }
	plain := secure.Client{ServerName: "gw.bank.example"}
	for _, test := range []struct {
		name           string
		client         secure.Files
		call           secure.Client
		server         secure.Files
		answer         secure.Server
		clientErr      fault.Code
		serverErr      fault.Code
		clientArg, has string
	}{
		{name: "server alone", client: trusting, call: plain, server: server.Files},
		{name: "mutual", client: with(client.Files), call: plain, server: with(server.Files)},
		{name: "mutual, 1.3 only", client: with(client.Files), call: plain, server: with(server.Files), answer: secure.Server{Minimum: tls.VersionTLS13}},
		{name: "a certificate that is not asked for", client: with(client.Files), call: plain, server: server.Files},
		{name: "pinned", client: trusting, call: secure.Client{ServerName: "gw.bank.example", Fingerprints: []string{server.Fingerprint}}, server: server.Files},
		{name: "wrong pin", client: trusting, call: secure.Client{ServerName: "gw.bank.example", Fingerprints: []string{strings.Repeat("0", 64)}},
			server: server.Files, clientErr: secure.CodeWrongPin, serverErr: secure.CodeRefused, clientArg: "sha256", has: server.Fingerprint},
		{name: "server of another CA", client: secure.Files{CA: other.File}, call: plain, server: server.Files,
			clientErr: secure.CodeUnknownCA, serverErr: secure.CodeRefused, clientArg: "issuer", has: "our-ca"},
		{name: "server expired", client: trusting, call: plain, server: expired.Files, clientErr: secure.CodeExpired, serverErr: secure.CodeRefused, clientArg: "until", has: yesterday.UTC().Format(time.DateOnly)},
		{name: "server not yet", client: trusting, call: plain, server: early.Files, clientErr: secure.CodeNotYet, serverErr: secure.CodeRefused},
		{name: "another name", client: trusting, call: secure.Client{ServerName: "gw.card.example"}, server: server.Files,
			clientErr: secure.CodeWrongName, serverErr: secure.CodeRefused, clientArg: "names", has: "gw.bank.example"},
		{name: "caller without a certificate", client: trusting, call: plain, server: with(server.Files), clientErr: secure.CodeRefused, serverErr: secure.CodeNone},
		{name: "… which may be", client: trusting, call: plain, server: with(server.Files), answer: secure.Server{Optional: true}},
		{name: "caller of another CA", client: with(stranger.Files), call: plain, server: with(server.Files), clientErr: secure.CodeRefused, serverErr: secure.CodeUnknownCA, clientArg: "reason", has: "phrase.alert_unknown_ca"},
		{name: "… also where none is wanted", client: with(stranger.Files), call: plain, server: with(server.Files), answer: secure.Server{Optional: true}, clientErr: secure.CodeRefused, serverErr: secure.CodeUnknownCA},
		{name: "caller expired", client: with(clientExpired.Files), call: plain, server: with(server.Files), clientErr: secure.CodeRefused, serverErr: secure.CodeExpired},
		{name: "a server's certificate, shown by a caller", client: with(wrongUse.Files), call: plain, server: with(server.Files), clientErr: secure.CodeRefused, serverErr: secure.CodeBadChain},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen, cerr, serr := meet(t, open(t, test.client), test.call, open(t, test.server), test.answer)
			require.Equal(t, test.clientErr, fault.CodeOf(cerr), "client: %v", cerr)
			require.Equal(t, test.serverErr, fault.CodeOf(serr), "server: %v", serr)
			if test.has != "" {
				require.Contains(t, fault.As(cerr).Args[test.clientArg], test.has)
			}
			if cerr == nil && serr == nil && test.server.CA != "" && test.client.Certificate != "" {
				require.Equal(t, client.Fingerprint, secure.Fingerprint(seen.Peer()))
				require.Contains(t, secure.Names(seen.Peer()), "client")
			}
		})
	}
}

// TestNoTLS: who does not speak it, says nothing, or goes away.
func TestNoTLS(t *testing.T) {
	ca := securetest.NewCA(t, t.TempDir(), "our-ca")
	server := open(t, ca.Issue(t, securetest.Ask{Name: "server", DNS: []string{"localhost"}}).Files)
	client := open(t, secure.Files{CA: ca.File})
	ends := func() (net.Conn, net.Conn) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer ln.Close()
		a, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		b, err := ln.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _, _ = a.Close(), b.Close() })
		return a, b
	}
	t.Run("plain telegram", func(t *testing.T) {
		a, b := ends()
		_, err := a.Write([]byte("0077FTE123456780600RE        000"))
		require.NoError(t, err)
		require.NoError(t, a.(*net.TCPConn).CloseWrite())
		_, err = server.Answer(t.Context(), b, secure.Server{}, secure.Terms{Who: "caller"})
		require.Equal(t, secure.CodeNotTLS, fault.CodeOf(err), "%v", err)
	})
	t.Run("plain answer", func(t *testing.T) {
		a, b := ends()
		_, err := b.Write([]byte("0040FTE123456780610CR        000"))
		require.NoError(t, err)
		require.NoError(t, b.(*net.TCPConn).CloseWrite())
		_, err = client.Call(t.Context(), a, secure.Client{ServerName: "localhost"}, secure.Terms{Who: "BANK"})
		require.Equal(t, secure.CodeNotTLS, fault.CodeOf(err), "%v", err)
	})
	t.Run("silence", func(t *testing.T) {
		_, b := ends()
		_, err := server.Answer(t.Context(), b, secure.Server{}, secure.Terms{Who: "caller", Limit: 20 * time.Millisecond})
		require.Equal(t, secure.CodeTimeout, fault.CodeOf(err), "%v", err)
	})
	t.Run("gone", func(t *testing.T) {
		a, b := ends()
		_ = a.Close()
		_, err := server.Answer(t.Context(), b, secure.Server{}, secure.Terms{Who: "caller"})
		require.Equal(t, secure.CodeCut, fault.CodeOf(err), "%v", err)
	})
	t.Run("stopped by us", func(t *testing.T) {
		_, b := ends()
		ctx, stop := context.WithCancelCause(t.Context())
		stop(fault.New("test.stop", ""))
		_, err := server.Answer(ctx, b, secure.Server{}, secure.Terms{Who: "caller"})
		require.Equal(t, fault.Code("test.stop"), fault.CodeOf(err))
	})
}

// TestReplacedWhileRunning: the files of a pair are replaced one after the
// other; what is half done never counts.
func TestReplacedWhileRunning(t *testing.T) {
	dir := t.TempDir()
	ca := securetest.NewCA(t, dir, "our-ca")
	first := ca.Issue(t, securetest.Ask{Name: "first", DNS: []string{"localhost"}})
	second := ca.Issue(t, securetest.Ask{Name: "second", DNS: []string{"localhost"}})
	live := secure.Files{Certificate: filepath.Join(dir, "live.pem"), Key: filepath.Join(dir, "live.key")}
	place := func(from, to string) {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to+".new", text, 0o600))
		require.NoError(t, os.Rename(to+".new", to))
	}
	place(first.Certificate, live.Certificate)
	place(first.Key, live.Key)
	server, client := open(t, live), open(t, secure.Files{CA: ca.File})
	shown := func() string {
		_, cerr, serr := meet(t, client, secure.Client{ServerName: "localhost"}, server, secure.Server{})
		require.NoError(t, cerr)
		require.NoError(t, serr)
		all, _, _ := server.Look()
		return all[0].Subject
	}
	require.Equal(t, "CN=first", shown())

	place(second.Certificate, live.Certificate)
	require.Equal(t, "CN=first", shown(), "its key is not there yet")
	_, problem, news := server.Look()
	require.Equal(t, secure.CodeWrongKey, problem.Code)
	require.False(t, news, "the handshake has seen it")
	place(second.Key, live.Key)
	_, problem, news = server.Look()
	require.Nil(t, problem)
	require.True(t, news)
	require.Equal(t, "CN=second", shown())

	require.NoError(t, os.Remove(live.Certificate))
	require.Equal(t, "CN=second", shown(), "what was good goes on")
	_, problem, _ = server.Look()
	require.Equal(t, secure.CodeCannotRead, problem.Code)
	require.NoError(t, os.WriteFile(live.Certificate, []byte("no PEM"), 0o600))
	require.Equal(t, "CN=second", shown())
	_, problem, _ = server.Look()
	require.Equal(t, secure.CodeNoPEM, problem.Code)
	place(second.Certificate, live.Certificate)
	require.NoError(t, os.Chmod(live.Key, 0o604))
	_, problem, _ = server.Look()
	require.Equal(t, secure.CodeOpenKey, problem.Code)
	require.NoError(t, os.Chmod(live.Key, 0o640))
	_, problem, _ = server.Look()
	require.Nil(t, problem)
}

func TestFilesRefused(t *testing.T) {
	dir := t.TempDir()
	ca := securetest.NewCA(t, dir, "our-ca")
	a, b := ca.Issue(t, securetest.Ask{Name: "a"}), ca.Issue(t, securetest.Ask{Name: "b"})
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, test := range []struct {
		files secure.Files
		code  fault.Code
	}{
		{secure.Files{Certificate: a.Certificate}, secure.CodePair},
		{secure.Files{Key: a.Key}, secure.CodePair},
		{secure.Files{Certificate: a.Certificate, Key: b.Key}, secure.CodeWrongKey},
		{secure.Files{Certificate: a.Key, Key: a.Key}, secure.CodeNoPEM},
		{secure.Files{Certificate: filepath.Join(dir, "none"), Key: a.Key}, secure.CodeCannotRead},
		{secure.Files{CA: empty}, secure.CodeNoPEM},
		{secure.Files{CA: a.Key}, secure.CodeNoPEM},
	} {
		_, err := secure.Open(test.files)
		require.Equal(t, test.code, fault.CodeOf(err), "%+v", test.files)
		key, kerr := os.ReadFile(a.Key)
		require.NoError(t, kerr)
		require.NotContains(t, err.Error(), strings.Split(string(key), "\n")[1])
	}
}

func TestFingerprints(t *testing.T) {
	ca := securetest.NewCA(t, t.TempDir(), "our-ca")
	want := ca.Issue(t, securetest.Ask{Name: "a"}).Fingerprint
	var colons []string
	for n := 0; n < len(want); n += 2 {
		colons = append(colons, strings.ToUpper(want[n:n+2]))
	}
	for _, form := range []string{want, strings.ToUpper(want), strings.Join(colons, ":"), "sha256 Fingerprint=" + strings.Join(colons, ":")} {
		got, err := secure.ParseFingerprint(form)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "12", want + "00", "g" + want[1:]} {
		_, err := secure.ParseFingerprint(bad)
		require.Equal(t, secure.CodeFingerprint, fault.CodeOf(err), bad)
	}
}

func TestWarnings(t *testing.T) {
	end := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s := secure.Shown{File: "a.pem", Subject: "CN=a", NotAfter: end}
	require.Nil(t, s.Warning(end.AddDate(0, 0, -31)))
	soon := s.Warning(end.AddDate(0, 0, -3))
	require.Equal(t, secure.CodeExpiresSoon, soon.Code)
	require.Equal(t, "3", soon.Args["days"])
	require.Equal(t, secure.CodeExpiredOwn, s.Warning(end).Code)
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]uint16{"": tls.VersionTLS12, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		got, err := secure.Version(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := secure.Version("1.1")
	require.Equal(t, secure.CodeMinimum, fault.CodeOf(err))
}
