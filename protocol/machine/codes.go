package machine

import "pabal/internal/fault"

const (
	CodeSessionRefused fault.Code = "session.refused"       // the peer does not let us in
	CodeNotLetIn       fault.Code = "session.not_let_in"    // we do not let the peer in
	CodeLogin          fault.Code = "session.login"         // what the peer says of itself in the login is not right
	CodeTotals         fault.Code = "session.totals"        // the closing counts otherwise than we
	CodeCloseRefused   fault.Code = "session.close_refused" // the peer does not agree to our closing
	CodeSilent         fault.Code = "session.silent"        // nothing came in time
	CodeLost           fault.Code = "session.lost"          // the line was cut
	CodeUnexpected     fault.Code = "session.unexpected"    // a telegram that has no place here
	CodeMistakes       fault.Code = "session.mistakes"      // too many of them
	CodeMissingRounds  fault.Code = "transfer.rounds"       // the peer is never satisfied
	CodeRefused        fault.Code = "transfer.refused"      // by the peer, with a code
	CodeLater          fault.Code = "transfer.later"        // the peer cannot now
	CodeResumeOffset   fault.Code = "transfer.resume_place" // the peer resumes where no telegram starts
	CodeResumeForeign  fault.Code = "transfer.resume_alien" // the peer holds bytes that we never sent
	CodeCutSmaller     fault.Code = "transfer.cut_smaller"  // the peer takes smaller telegrams than the file was cut for
	CodeAlreadyThere   fault.Code = "transfer.already_there"
	CodeEndUnknown     fault.Code = "transfer.end_unknown"
	CodeFoundBad       fault.Code = "transfer.found_bad" // asked about, the peer has the file and finds it wrong
	CodeTooManyBlocks  fault.Code = "transfer.too_many_blocks"
	CodeGivenUp        fault.Code = "transfer.given_up"    // by the sending peer
	CodeDataSize       fault.Code = "transfer.data_size"   // the file is cut into pieces that no telegram holds
	CodeNoProgress     fault.Code = "transfer.no_progress" // the sender repeats itself without end
	CodeSecondWhole    fault.Code = "session.second_whole" // another telegram with a whole file, of a file that has come in one
	CodeOutOfRange     fault.Code = "session.out_of_range" // a block or sequence that has no place here
)
