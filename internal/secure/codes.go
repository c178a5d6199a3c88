package secure

import "pabal/internal/fault"

// Files.
const (
	CodeCannotRead  fault.Code = "secure.cannot_read"  // a file of certificates or a key
	CodeNoPEM       fault.Code = "secure.no_pem"       // no certificate in it
	CodeOpenKey     fault.Code = "secure.open_key"     // a key that everybody can read
	CodeWrongKey    fault.Code = "secure.wrong_key"    // the key of another certificate
	CodeFingerprint fault.Code = "secure.fingerprint"  // no SHA-256 fingerprint
	CodeExpiredOwn  fault.Code = "secure.expired_own"  // our certificate is over
	CodeExpiresSoon fault.Code = "secure.expires_soon" // … or will be
	CodeMinimum     fault.Code = "secure.minimum"      // no version of TLS
	CodeNoServer    fault.Code = "secure.no_own"       // nobody can be let in without a certificate
	CodePair        fault.Code = "secure.half_pair"    // a certificate without its key, or the other way round
)

// Handshakes.
const (
	CodeTimeout   fault.Code = "secure.timeout"    // not done in time
	CodeCut       fault.Code = "secure.cut"        // the line ended within
	CodeNotTLS    fault.Code = "secure.not_tls"    // what came is no TLS
	CodeVersion   fault.Code = "secure.version"    // no version or cipher in common
	CodeExpired   fault.Code = "secure.expired"    // their certificate is over
	CodeNotYet    fault.Code = "secure.not_yet"    // … or not valid yet
	CodeUnknownCA fault.Code = "secure.unknown_ca" // … or by nobody we know
	CodeWrongName fault.Code = "secure.wrong_name" // … or for another server
	CodeWrongPin  fault.Code = "secure.wrong_pin"  // … or none of those that were agreed
	CodeNone      fault.Code = "secure.none"       // they show none
	CodeBadChain  fault.Code = "secure.bad_chain"  // … or it fails otherwise
	CodeRefused   fault.Code = "secure.refused"    // they refuse ours
	CodeFailed    fault.Code = "secure.failed"     // anything else
)
