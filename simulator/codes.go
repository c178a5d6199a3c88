package simulator

import "pabal/internal/fault"

const (
	CodeFaults     fault.Code = "simulate.faults"      // the text of the faults cannot be read
	CodeOptions    fault.Code = "simulate.options"     // a counterparty that cannot work
	CodeGiveName   fault.Code = "simulate.give_name"   // a file to give whose name does not fit the wire
	CodeTaken      fault.Code = "simulate.taken_over"  // another session took this file over
	CodeChanged    fault.Code = "simulate.changed"     // a file changed while it was given
	CodeBadProof   fault.Code = "simulate.proof"       // what arrived is not what was declared
	CodeCallRefuse fault.Code = "simulate.caller"      // a caller that is not who we expect
	CodeCut        fault.Code = "simulate.cut"         // the line was cut on purpose
	CodeAddress    fault.Code = "simulate.unreachable" // nobody answers where we call
	CodePlay       fault.Code = "simulate.play"        // a profile played against itself lost a file
)
