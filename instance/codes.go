package instance

import "pabal/internal/fault"

const (
	CodeNoTransform   fault.Code = "instance.no_transform"   // gzip or EBCDIC where the profile has none
	CodeMessageSize   fault.Code = "instance.message_size"   // N too small for any data
	CodeWindowCannot  fault.Code = "instance.window_cannot"  // a receive window, but we do not call
	CodeFetchesFrom   fault.Code = "instance.fetches_from"   // callers of an address cannot be fetched from by the institution
	CodeSendsTo       fault.Code = "instance.sends_to"       // callers of an address cannot be sent to by the institution
	CodeSameCaller    fault.Code = "instance.same_caller"    // two institutions that call with one code
	CodeNotRoutable   fault.Code = "instance.not_routable"   // the institution is not in this configuration
	CodeDelimiter     fault.Code = "instance.delimiter"      // the file has in it what ends a telegram
	CodeNoEmpty       fault.Code = "instance.no_empty"       // empty files for a counterparty that takes none
	CodeNotFull       fault.Code = "instance.not_full"       // telegrams that are not full, where they must be
	CodeFirstData     fault.Code = "instance.first_data"     // too few data bytes in the first telegram
	CodeGzipText      fault.Code = "instance.gzip_text"      // compressed files for a counterparty that takes only text
	CodeWireName      fault.Code = "instance.wire_name"      // the wire name does not fit the profile
	CodeWorkLost      fault.Code = "instance.work_lost"      // neither work file nor backup
	CodeSameName      fault.Code = "instance.same_name"      // the same file was sent or is on its way
	CodeConnect       fault.Code = "instance.connect"        // the counterparty cannot be reached
	CodeListen        fault.Code = "instance.listen"         // the address cannot be taken
	CodeFixed         fault.Code = "instance.fixed"          // place and directories stay as long as the process
	CodeUnknownPeer   fault.Code = "instance.unknown_peer"   // nobody of that code calls here
	CodeBadBusiness   fault.Code = "instance.bad_business"   // wrong business code in the header
	CodeBadSender     fault.Code = "instance.bad_sender"     // wrong sender name
	CodeBadPassword   fault.Code = "instance.bad_password"   // wrong password
	CodeOutdated      fault.Code = "instance.outdated"       // what is spoken at the address has changed since the caller came
	CodeClosedHours   fault.Code = "instance.closed_hours"   // outside the agreed hours
	CodeOccupied      fault.Code = "instance.occupied"       // taken over by a newer session of the same peer
	CodeDraining      fault.Code = "instance.draining"       // the server stops
	CodeLeaseLost     fault.Code = "instance.lease_lost"     // could not be renewed in time
	CodeTermOver      fault.Code = "instance.term_over"      // others held us for dead, or our id was started again
	CodeWrongSize     fault.Code = "instance.wrong_size"     // the end does not agree with what is held
	CodeTrailerTotals fault.Code = "instance.trailer_totals" // the trailer counts otherwise than what came
	CodePartsRecords  fault.Code = "instance.parts_records"  // a trailer counts records, and the file has none
	CodeAllParts      fault.Code = "instance.all_parts"      // all parts are wanted where there are none
	CodeOwnPartsForm  fault.Code = "instance.own_parts_form" // records to send that cannot be parts
	CodeOwnParts      fault.Code = "instance.own_parts"      // a file to send has parts of its own that are not in order
	CodeOwnTrailer    fault.Code = "instance.own_trailer"    // … whose trailer counts otherwise
	CodePartsChecks   fault.Code = "instance.parts_checks"   // all parts are wanted, and checks of their records
	CodeContent       fault.Code = "instance.content"        // what came does not pass the checks of its registration
	CodeGap           fault.Code = "instance.gap"            // a sequence is missing at the end
	CodeOtherSize     fault.Code = "instance.other_size"     // a name that we hold, with another size
	CodeMisnamed      fault.Code = "instance.misnamed"       // announced under another name than the opening's
	CodeRepeatDiffers fault.Code = "instance.repeat_differs" // a name that we hold, with other content
	CodeRepeatUnread  fault.Code = "instance.repeat_unread"  // … that cannot be compared any more
	CodeReplaced      fault.Code = "instance.replaced"       // cancelled for a newer file of its name
	CodeThrottled     fault.Code = "instance.throttled"      // too many wrong passwords from one address
	CodeUnanswered    fault.Code = "instance.unanswered"     // a question that the peer does not answer
	CodeCannotAsk     fault.Code = "instance.cannot_ask"     // the protocol has no such question
	CodeUnproven      fault.Code = "instance.unproven"       // a proof that the profile wants does not hold
	CodeTransferPass  fault.Code = "instance.transfer_pass"  // wrong transfer password
	CodeInterrupted   fault.Code = "instance.interrupted"    // the server died at this point
	CodeStoreLost     fault.Code = "instance.store_lost"     // the connection to the database broke in mid-session
	CodeTriesUsed     fault.Code = "instance.tries_used"     // as often as configured
	CodeSuperseded    fault.Code = "instance.superseded"     // a partial file that nothing will resume

	// CodeRefusedUnsettled is of a file whose end was asked for before, and whose
	// announcement the peer refuses now.
	CodeRefusedUnsettled fault.Code = "instance.refused_unsettled"
	CodeFailedUnsettled  fault.Code = "instance.failed_unsettled" // … and which cannot be sent again

	CodeStranger      fault.Code = "instance.stranger"    // nobody who may call has this address
	CodeNotAllowed    fault.Code = "instance.not_allowed" // … the institution that it says to be has not
	CodeNotAllowedOut fault.Code = "instance.not_allowed_out"
	CodeBarred        fault.Code = "instance.barred"         // too many mistakes from one address
	CodeCrowded       fault.Code = "instance.crowded"        // too many connections from one address
	CodeInClear       fault.Code = "instance.in_clear"       // a caller without TLS that must use it
	CodeNoCertificate fault.Code = "instance.no_certificate" // … without a certificate
	CodeOtherCert     fault.Code = "instance.other_cert"     // … with somebody else's
	CodeUnboundCert   fault.Code = "instance.unbound_cert"   // … with one that nobody has said to be its
	CodeCallerNoCA    fault.Code = "instance.caller_no_ca"   // no address asks for the certificate that is wanted
	CodeCallerNoTLS   fault.Code = "instance.caller_no_tls"
	CodeCallerUnbound fault.Code = "instance.caller_unbound" // every certificate of a CA would do
)
