// Package securetest makes certificates for tests.
package securetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/secure"
)

// T is what is needed of a test; a script of one has it as well.
type T interface {
	require.TestingT
	Helper()
}

// CA issues certificates into a directory.
type CA struct {
	File string // its own certificate
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Ask says what a certificate is to be.
type Ask struct {
	Name     string // common name, and the name of its files
	DNS      []string
	IP       []net.IP
	Client   bool      // for calling, not for being called
	From, To time.Time // zero = since an hour ago, for a day
}

// Pair is a certificate with its key, as files.
type Pair struct {
	secure.Files
	Fingerprint string
}

// NewCA makes one that is called name.
func NewCA(t T, dir, name string) *CA {
	t.Helper()
	ca := &CA{dir: dir, File: filepath.Join(dir, name+".pem")}
	c := &x509.Certificate{SerialNumber: serial(t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ca.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, c, c, &ca.key.PublicKey, ca.key)
	require.NoError(t, err)
	ca.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	write(t, ca.File, "CERTIFICATE", der, 0o644)
	return ca
}

// Issue makes a certificate and its key, as NAME.pem and NAME.key.
func (ca *CA) Issue(t T, a Ask) Pair {
	t.Helper()
	if a.From.IsZero() {
		a.From, a.To = time.Now().Add(-time.Hour), time.Now().AddDate(0, 0, 1)
	}
	use := x509.ExtKeyUsageServerAuth
	if a.Client {
		use = x509.ExtKeyUsageClientAuth
	}
	c := &x509.Certificate{SerialNumber: serial(t), Subject: pkix.Name{CommonName: a.Name}, NotBefore: a.From, NotAfter: a.To,
		DNSNames: a.DNS, IPAddresses: a.IP, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, &key.PublicKey, ca.key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	p := Pair{Fingerprint: secure.Fingerprint(leaf)}
	p.Certificate, p.Key = filepath.Join(ca.dir, a.Name+".pem"), filepath.Join(ca.dir, a.Name+".key")
	write(t, p.Certificate, "CERTIFICATE", der, 0o644)
	write(t, p.Key, "PRIVATE KEY", secret, 0o600)
	return p
}

func newKey(t T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func serial(t T) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	require.NoError(t, err)
	return n
}

func write(t T, path, kind string, der []byte, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode))
}
