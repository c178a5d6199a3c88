package config

import "pabal/internal/fault"

// The file as a whole.
const (
	CodeCannotRead       fault.Code = "config.cannot_read"
	CodeNotUTF8          fault.Code = "config.not_utf8"
	CodeNotYAML          fault.Code = "config.not_yaml"
	CodeEmpty            fault.Code = "config.empty"
	CodeSeveralDocuments fault.Code = "config.several_documents"
)

// The two parts.
const (
	CodeHostKey fault.Code = "config.host_key"
)

// Keys and the form of values.
const (
	CodeUnknownKey     fault.Code = "config.unknown_key"
	CodeUnknownKeyNear fault.Code = "config.unknown_key_near"
	CodeDuplicateKey   fault.Code = "config.duplicate_key"
	CodeWantMapping    fault.Code = "config.want_mapping"
	CodeWantList       fault.Code = "config.want_list"
	CodeWantText       fault.Code = "config.want_text"
	CodeWantNumber     fault.Code = "config.want_number"
	CodeWantBool       fault.Code = "config.want_bool"
	CodeWantMode       fault.Code = "config.want_mode"
	CodeModeOpen       fault.Code = "config.mode_open"
	CodeSecretOpen     fault.Code = "config.secret_open"
	CodeWantDuration   fault.Code = "config.want_duration"
	CodeWantSize       fault.Code = "config.want_size"
	CodeWantTimeOfDay  fault.Code = "config.want_time_of_day"
	CodeWantNetwork    fault.Code = "config.want_network"
	CodeNetworkBits    fault.Code = "config.network_bits"
	CodeEmptyEntry     fault.Code = "config.empty_entry"
	CodeRequired       fault.Code = "config.required"
	CodeNotOneOf       fault.Code = "config.not_one_of"
	CodeNotOneOfNear   fault.Code = "config.not_one_of_near"
	CodeOutOfRange     fault.Code = "config.out_of_range"
	CodeFieldsOverlap  fault.Code = "config.fields_overlap"
	CodeKeptTooShort   fault.Code = "config.kept_too_short"
)

// Secrets.
const (
	CodeSecretForm      fault.Code = "config.secret_form"
	CodeSecretMisplaced fault.Code = "config.secret_misplaced"
	CodeSecretEnv       fault.Code = "config.secret_env"
	CodeSecretLiteral   fault.Code = "config.secret_literal"
	CodeSecretFile      fault.Code = "config.secret_file"
)

// What does not fit together.
const (
	CodeBadZone           fault.Code = "config.bad_zone"
	CodeBadDatabase       fault.Code = "config.bad_database"
	CodeBodiesInClear     fault.Code = "config.bodies_in_clear"
	CodeKeeperInClear     fault.Code = "config.keeper_in_clear"
	CodeBadAddress        fault.Code = "config.bad_address"
	CodeAddressTwice      fault.Code = "config.address_twice"
	CodeTwice             fault.Code = "config.twice"
	CodeNoInstitution     fault.Code = "config.no_institution"
	CodeNoJob             fault.Code = "config.no_job"
	CodeNoInstance        fault.Code = "config.no_instance"
	CodeWhichInstance     fault.Code = "config.which_instance"
	CodeBadInstanceID     fault.Code = "config.bad_instance_id"
	CodeInstanceDirectory fault.Code = "config.instance_directory"
	CodeNoScanRouter      fault.Code = "config.no_scan_router"
	CodeDirectorySame     fault.Code = "config.directory_same"
	CodeDirectoryInside   fault.Code = "config.directory_inside"
	CodeNobodyConnects    fault.Code = "config.nobody_connects"
	CodeWindowNoConnect   fault.Code = "config.window_no_connect"
	CodeWindowEmpty       fault.Code = "config.window_empty"
	CodeRetryOrder        fault.Code = "config.retry_order"
	CodeStripNothing      fault.Code = "config.strip_nothing"
	CodeSpanOutside       fault.Code = "config.span_outside"
	CodeOtherWay          fault.Code = "config.other_way" // a setting of the other direction
	CodeGoesWith          fault.Code = "config.goes_with"
	CodeDateLength        fault.Code = "config.date_length"
	CodeBadFlag           fault.Code = "config.bad_flag"
)
