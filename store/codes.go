package store

import (
	"errors"

	"pabal/internal/fault"
)

// Codes of the faults that this package raises. The sentences stand in
// internal/catalog/sentences/store.yaml.
const (
	// The store is away: nothing is wrong with the request, try again later.
	CodeBusy     fault.Code = "store.busy"      // another process writes for too long
	CodeDiskFull fault.Code = "store.disk_full" // no room for the database
	CodeReadOnly fault.Code = "store.read_only" // the file or its file system cannot be written
	CodeIO       fault.Code = "store.io"        // the disk failed a read, a write or a sync
	CodeClosed   fault.Code = "store.closed"    // the store is being closed
	// PostgreSQL only.
	CodeUnreachable fault.Code = "store.unreachable" // no connection: server down, starting, full, network
	CodeDenied      fault.Code = "store.denied"      // the server refuses the user
	CodePoolerMode  fault.Code = "store.pooler_mode" // a pooler gives our connections to others in between
	// Payload that is kept in files.
	CodePayloadFull   fault.Code = "store.payload_full"   // no room for the file
	CodePayloadDenied fault.Code = "store.payload_denied" // it may not be read or written
	CodePayloadAway   fault.Code = "store.payload_away"   // its directory is not there
	CodePayloadBusy   fault.Code = "store.payload_busy"   // another process writes to it and does not end
	CodePayloadIO     fault.Code = "store.payload_io"     // the disk failed
	// CodeCommitUnknown is a write of which nobody knows whether it is there:
	// the answer to its commit was lost, and reading again did not tell.
	CodeCommitUnknown fault.Code = "store.commit_unknown"

	// CodeUnrecognised is a database that has not been held yet against what
	// the place remembers of it.
	CodeUnrecognised fault.Code = "store.unrecognised"

	// CodeReplaced is a database file that is no longer at its path: removed, or
	// another in its place (SQLite). It does not pass: the process must end.
	CodeReplaced fault.Code = "store.replaced"

	// The store cannot be opened.
	CodeURL          fault.Code = "store.url"           // not an address of a database
	CodeMissing      fault.Code = "store.missing"       // no database at that path
	CodeUnopenable   fault.Code = "store.unopenable"    // the file cannot be opened or made
	CodeLocked       fault.Code = "store.locked"        // another server process holds it
	CodeNetworkFS    fault.Code = "store.network_fs"    // on a network file system
	CodeNotDatabase  fault.Code = "store.not_database"  // damaged, or some other file
	CodeSchemaNewer  fault.Code = "store.schema_newer"  // written by a newer program
	CodeSchemaOlder  fault.Code = "store.schema_older"  // migrations are still to be run
	CodeSchemaBroken fault.Code = "store.schema_broken" // a migration failed
	CodeServerOld    fault.Code = "store.server_old"    // a PostgreSQL before 12
	CodeNotDurable   fault.Code = "store.not_durable"   // the server may lose what it has confirmed
	// CodePoolerParameter is a parameter of the address that a pooler in
	// between does not take.
	CodePoolerParameter fault.Code = "store.pooler_parameter"

	// The request cannot be done.
	CodeFenced       fault.Code = "store.fenced"        // owner, term or attempt no longer match
	CodeNotFound     fault.Code = "store.not_found"     // no such transfer
	CodeAmbiguous    fault.Code = "store.ambiguous_id"  // the beginning of several ids
	CodeExists       fault.Code = "store.exists"        // a transfer of that id is there
	CodeMeanwhile    fault.Code = "store.meanwhile"     // another of the same name was made since it was looked for
	CodeIllegalMove  fault.Code = "store.illegal_move"  // the status may not change like that
	CodeNotReceiving fault.Code = "store.not_receiving" // only a transfer being received can be taken over
	CodeNotFinal     fault.Code = "store.not_final"     // payload of a transfer that is still under way
	CodeForbidden    fault.Code = "store.forbidden"     // a change touched what only the store writes
	CodeRequested    fault.Code = "store.requested"     // an order for it waits for a second person already
	CodeNoRequest    fault.Code = "store.no_request"    // no such request
	CodeRequestOver  fault.Code = "store.request_over"  // the request was decided on before
	CodeText         fault.Code = "store.text"          // text that is not UTF-8, or has a NUL in it
	CodeLineTaken    fault.Code = "store.line_taken"    // all lines of the counterparty are in use

	CodeHeldThen     fault.Code = "store.held_by_quarantine" // … and this was under way then; also after its end
	CodeQuarantined  fault.Code = "store.quarantined"        // the database is older than what was seen of it
	CodeNoQuarantine fault.Code = "store.no_quarantine"      // there is none to end

	// The payload is not as it should be.
	CodeBlockMissing fault.Code = "store.block_missing" // a block or a part of it is not held
	CodeBlockDamaged fault.Code = "store.block_damaged" // the checksum does not match
	CodeBlockInvalid fault.Code = "store.block_invalid" // a block that cannot be stored

	// The payload is sealed.
	CodeKeyMissing   fault.Code = "store.key_missing"   // by a key that is not given; nothing is wrong with the payload
	CodeKeyInvalid   fault.Code = "store.key_invalid"   // not 32 bytes in hexadecimal or base64
	CodeBlockForeign fault.Code = "store.block_foreign" // as it was written, but not for this place

	// Versions of the configuration.
	CodeNoVersion         fault.Code = "store.no_version"         // there is none of that number
	CodeVersionPending    fault.Code = "store.version_pending"    // another one is being decided
	CodeVersionOvertaken  fault.Code = "store.version_overtaken"  // another one became active meanwhile
	CodeVersionDecided    fault.Code = "store.version_decided"    // somebody else has decided it
	CodeVersionUnanswered fault.Code = "store.version_unanswered" // not everybody has agreed
	CodeEnvironment       fault.Code = "store.environment"        // the database belongs to another environment

	// CodeSessionCut is written to sessions that were open when the server died.
	CodeSessionCut fault.Code = "store.session_cut"
)

// Errors to compare with errors.Is. Only the code counts.
var (
	ErrFenced    = fault.New(CodeFenced, "")
	ErrNotFound  = fault.New(CodeNotFound, "")
	ErrExists    = fault.New(CodeExists, "")
	ErrMeanwhile = fault.New(CodeMeanwhile, "")
)

// Away reports that the store could not do its work for a reason that lies
// outside the request and may pass: locked, full, read-only, failing disk, no
// connection, a commit that was not answered, a payload key that this process
// does not have. No positive answer may leave while it lasts (design D5), and what was asked is
// asked again later.
func Away(err error) bool {
	for err != nil {
		e := fault.As(err)
		if e == nil {
			return false
		}
		switch e.Code {
		case CodeBusy, CodeDiskFull, CodeReadOnly, CodeIO, CodeClosed, CodeUnreachable, CodeDenied, CodeCommitUnknown, CodeKeyMissing, CodePoolerMode,
			CodePayloadFull, CodePayloadDenied, CodePayloadAway, CodePayloadBusy, CodePayloadIO:
			return true
		}
		err = errors.Unwrap(e)
	}
	return false
}

// Coming reports that err says that there is no database server to talk to,
// one that is still starting, or one that others keep busy or that was lost in
// the middle: whoever starts at the same time waits for it.
func Coming(err error) bool {
	switch fault.CodeOf(err) {
	case CodeUnreachable, CodeCommitUnknown, CodeBusy:
		return true
	}
	return false
}
