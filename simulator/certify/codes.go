package certify

import "pabal/internal/fault"

// What a counterparty can do wrong. The values are what was expected and what
// came; consequences of the first mistake of a step are not told.
const (
	CodeNoAnswer  fault.Code = "certify.no_answer"  // a request got none
	CodeRefused   fault.Code = "certify.refused"    // … a refusal, and was in order
	CodeAccepted  fault.Code = "certify.accepted"   // … a positive answer, and was not in order
	CodePlace     fault.Code = "certify.place"      // an answer about another block or sequence
	CodeMap       fault.Code = "certify.map"        // other sequences are said to be missing than are
	CodeCount     fault.Code = "certify.count"      // the count is not that of the map
	CodeHeld      fault.Code = "certify.held"       // it says that it holds what it cannot hold, or forgets what it confirmed
	CodeNotGiven  fault.Code = "certify.not_given"  // a file did not get through
	CodeEnds      fault.Code = "certify.ends"       // the session ended before it should
	CodeNotAgain  fault.Code = "certify.not_again"  // what we said is missing did not come again
	CodeUnreached fault.Code = "certify.unreached"  // no session could be had
	CodeNoCall    fault.Code = "certify.no_call"    // it was to call, and has not
	CodeFound     fault.Code = "certify.found"      // of a file that is asked about it says what is not so
	CodeOtherFile fault.Code = "certify.other_file" // an answer about another file
)
