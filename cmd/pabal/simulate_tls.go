package main

import (
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/simulator"
)

// secure has the counterparty use TLS, if a flag asks for it: --tls-ca trusts
// who is called, and whose certificates callers must show.
func (f *simulateFlags) secure(o *simulator.Options) error {
	files := secure.Files{Certificate: f.tlsCertificate, Key: f.tlsKey, CA: f.tlsCA}
	switch {
	case !f.tls && files == (secure.Files{}) && f.tlsServerName == "":
		return nil
	case f.listen != "" && f.tlsCertificate == "":
		return usageError{fault.New(codeFlagMissing, "--tls-certificate")}
	case f.listen != "" && f.tlsServerName != "":
		return usageError{fault.New(codeFlagsExclude, "--tls-server-name", "other", "--listen")}
	case f.listen != "":
		o.Secure = &secure.Server{Files: files}
	default:
		o.TLS = &secure.Client{Files: files, ServerName: f.tlsServerName}
	}
	return nil
}
