package scenario

import "pabal/internal/fault"

const (
	CodeUnreadable  fault.Code = "scenario.unreadable"  // no such file, or not for us
	CodeSyntax      fault.Code = "scenario.syntax"      // not YAML, or a key that nobody reads
	CodeValue       fault.Code = "scenario.value"       // a value that cannot be
	CodeUnfit       fault.Code = "scenario.unfit"       // a value that is not there, or must not be
	CodeExpectation fault.Code = "scenario.expectation" // it came out otherwise than the file expects
	CodeMade        fault.Code = "scenario.made"        // certificates of ours are for a server of ours
	CodeServerTLS   fault.Code = "scenario.server_tls"  // the server that is made has no certificates
	CodeLate        fault.Code = "scenario.late"        // not done within its time
)
