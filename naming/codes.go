package naming

import "pabal/internal/fault"

// Reading the name of a file in the scan directory.
const (
	CodeNotText            fault.Code = "name.not_text"
	CodeEmptyPart          fault.Code = "name.empty_part"
	CodeTooFewParts        fault.Code = "name.too_few_parts"
	CodeTooManyParts       fault.Code = "name.too_many_parts"
	CodeUnknownFileID      fault.Code = "name.unknown_file_id"
	CodeUnknownInstitution fault.Code = "name.unknown_institution"
	CodeUnknownJob         fault.Code = "name.unknown_job"
	CodeReceiveOnly        fault.Code = "name.receive_only"
	CodeBadDate            fault.Code = "name.bad_date"
	CodeUnknownSuffix      fault.Code = "name.unknown_suffix"
	CodeWireNameMisfit     fault.Code = "name.wire_name_misfit"
	CodeAmbiguous          fault.Code = "name.ambiguous"
	CodeSerialMissing      fault.Code = "name.serial_missing"
	CodeCustomFailed       fault.Code = "name.custom_failed"
	CodeRecordShort        fault.Code = "name.record_short"
	CodeRecordCharacters   fault.Code = "name.record_characters"
)

// Naming what a peer sends.
const (
	CodeReceiveUnknown   fault.Code = "name.receive_unknown"
	CodeReceiveAmbiguous fault.Code = "name.receive_ambiguous"
	CodeUnsafe           fault.Code = "name.unsafe"
	CodeNotRegistered    fault.Code = "name.not_registered"
)

// Scripts.
const (
	CodeScriptEmptyPart   fault.Code = "name.script_empty_part"
	CodeScriptUnclosed    fault.Code = "name.script_unclosed"
	CodeScriptUnknownName fault.Code = "name.script_unknown_name"
	CodeScriptWidth       fault.Code = "name.script_width"
	CodeScriptStray       fault.Code = "name.script_stray"
	CodeScriptSerialTwice fault.Code = "name.script_serial_twice"
	CodeScriptShort       fault.Code = "name.script_short"
	CodeScriptRecord      fault.Code = "name.script_record"
)

// Registrations that cannot work.
const (
	CodeBadPart           fault.Code = "name.bad_part"
	CodeBadSuffix         fault.Code = "name.bad_suffix"
	CodeBadDirection      fault.Code = "name.bad_direction"
	CodeRegisteredTwice   fault.Code = "name.registered_twice"
	CodeSendCollision     fault.Code = "name.send_collision"
	CodeReceiveOverlap    fault.Code = "name.receive_overlap"
	CodeCustomPair        fault.Code = "name.custom_pair"
	CodeCustomExpression  fault.Code = "name.custom_expression"
	CodeCustomNoExamples  fault.Code = "name.custom_no_examples"
	CodeCustomExampleLost fault.Code = "name.custom_example"
)
