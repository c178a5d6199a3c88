// Package securetest makes certificates for tests.
package securetest

import (
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
	File      string // its own certificate
	authority *secure.Authority
}

// Ask says what a certificate is to be.
type Ask = secure.Ask

// Pair is a certificate with its key, as files.
type Pair struct {
	secure.Files
	Fingerprint string
}

// NewCA makes one that is called name.
func NewCA(t T, dir, name string) *CA {
	t.Helper()
	a, err := secure.NewAuthority(dir, name)
	require.NoError(t, err)
	return &CA{a.File, a}
}

// Issue makes a certificate and its key, as NAME.pem and NAME.key.
func (ca *CA) Issue(t T, a Ask) Pair {
	t.Helper()
	files, fingerprint, err := ca.authority.Issue(a)
	require.NoError(t, err)
	return Pair{files, fingerprint}
}
