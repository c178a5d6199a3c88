package control

import "pabal/internal/fault"

const (
	CodeContentGone     fault.Code = "control.content_gone"      // the file in which its content is kept is not there
	CodeNoSession       fault.Code = "control.no_session"        // neither the database nor this host's logs have it
	CodeReasonMissing   fault.Code = "control.reason_missing"    // release, resend and cancel are not done without a reason
	CodeWhichOne        fault.Code = "control.which_one"         // several transfers have that name
	CodeFinished        fault.Code = "control.finished"          // nothing is left to hold or to cancel
	CodeEnding          fault.Code = "control.ending"            // the end is being confirmed at this moment
	CodeComing          fault.Code = "control.coming"            // a file that is still coming cannot be held
	CodePlacing         fault.Code = "control.placing"           // the file is being placed at this moment
	CodeUnsettled       fault.Code = "control.unsettled"         // nobody knows whether the peer has it
	CodeNothingToSettle fault.Code = "control.nothing_to_settle" // everybody knows how it ended
	CodeSettling        fault.Code = "control.settling"          // a session is at it at this moment
	CodeSettleAs        fault.Code = "control.settle_as"         // neither arrived nor not-arrived
	CodeNotHeld         fault.Code = "control.not_held"          // nothing to release
	CodeOnItsWay        fault.Code = "control.on_its_way"        // it goes out by itself, a second time would be twice
	CodeArrived         fault.Code = "control.arrived"           // sent before: only with --again
	CodeRefused         fault.Code = "control.refused"           // the file lies in error/; a corrected one is a new transfer
	CodeOnlySending     fault.Code = "control.only_sending"      // a file that we received cannot be sent again
	CodeNoRecords       fault.Code = "control.no_records"        // no records of equal length on the wire
	CodeNoPayload       fault.Code = "control.no_payload"        // not stored, or deleted since
	CodeRecordRange     fault.Code = "control.record_range"      // no such records in the file
	CodeMaskAlways      fault.Code = "control.mask_always"       // records are never shown unmasked here
	CodeAskedAlready    fault.Code = "control.asked_already"     // the counterparty is being asked already
	CodeAskReceived     fault.Code = "control.ask_received"      // the file came from the counterparty
	CodeAskNotSent      fault.Code = "control.ask_not_sent"      // the counterparty cannot know it yet, or never got it
	CodeAskCannot       fault.Code = "control.ask_cannot"        // the protocol has no such question
	CodeFromBlock       fault.Code = "control.from_block"        // the file has no such block
	CodeNoResume        fault.Code = "control.no_resume"         // the protocol sends every file from its start
	CodeAskSettling     fault.Code = "control.ask_settling"      // the next session settles it without being asked
	CodeSamePerson      fault.Code = "control.same_person"       // who asked cannot agree
	CodeChangedSince    fault.Code = "control.changed_since"     // the transfer is not as it was when the order was asked for
	CodeRequestExpired  fault.Code = "control.request_expired"   // nobody agreed in time
	CodeRequestBroken   fault.Code = "control.request_broken"    // written by another version of the program

	CodeHeldByUnknown fault.Code = "control.held_by_unknown" // nothing that holds transfers
	CodeHeldByStatus  fault.Code = "control.held_by_status"  // only held ones are held by something
	CodeMovedSince    fault.Code = "control.moved_since"     // it is not as it was when an order for many looked at it

	CodeNotBackedUp  fault.Code = "control.not_backed_up"  // its backup cannot be written, arg because
	CodeNotInError   fault.Code = "control.not_in_error"   // a refused file that cannot be moved, arg because
	CodeNoResultFile fault.Code = "control.no_result_file" // its result file cannot be written, arg because

	// CodeNoJournal and those after it: recovering from an older or another database.
	CodeNoJournal   fault.Code = "control.no_journal"   // nothing is remembered at this place
	CodeUnexplained fault.Code = "control.unexplained"  // something is left to be done
	CodeNotCompared fault.Code = "control.not_compared" // other places have not looked yet
	CodeNotFresh    fault.Code = "control.not_fresh"    // the database is not a new one
	CodeRecovered   fault.Code = "control.recovered"    // the row was made to say what the journal knows
	CodeEntered     fault.Code = "control.entered"      // the row was made for a file that was there
	CodeContentLost fault.Code = "control.content_lost" // the peer was told that we have it
	CodeFileGone    fault.Code = "control.file_gone"    // nothing to cut it from
)
