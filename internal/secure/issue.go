package secure

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
)

// Authority issues certificates for a trial on one machine: scenarios and
// tests. It lives as long as the process, and nobody else trusts it.
type Authority struct {
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

// NewAuthority makes one that is called name and issues into dir.
func NewAuthority(dir, name string) (*Authority, error) {
	a := &Authority{dir: dir, File: filepath.Join(dir, name+".pem")}
	number, err := serial()
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: number, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, writePEM(a.File, "CERTIFICATE", der, 0o644)
}

// Issue makes a certificate and its key, as NAME.pem and NAME.key, and says the
// fingerprint.
func (a *Authority) Issue(ask Ask) (files Files, fingerprint string, err error) {
	if ask.From.IsZero() {
		ask.From, ask.To = time.Now().Add(-time.Hour), time.Now().AddDate(0, 0, 1)
	}
	use := x509.ExtKeyUsageServerAuth
	if ask.Client {
		use = x509.ExtKeyUsageClientAuth
	}
	number, err := serial()
	if err != nil {
		return files, "", err
	}
	c := &x509.Certificate{SerialNumber: number, Subject: pkix.Name{CommonName: ask.Name}, NotBefore: ask.From, NotAfter: ask.To,
		DNSNames: ask.DNS, IPAddresses: ask.IP, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, "", err
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return files, "", err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return files, "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, "", err
	}
	files.Certificate, files.Key = filepath.Join(a.dir, ask.Name+".pem"), filepath.Join(a.dir, ask.Name+".key")
	if err := writePEM(files.Certificate, "CERTIFICATE", der, 0o644); err != nil {
		return files, "", err
	}
	return files, Fingerprint(leaf), writePEM(files.Key, "PRIVATE KEY", secret, 0o600)
}

func serial() (*big.Int, error) { return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62)) }

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
