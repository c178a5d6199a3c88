package main

import "pabal/internal/fault"

// The command line.
const (
	codeUnknownCommand     fault.Code = "command.unknown_command"
	codeUnknownCommandNear fault.Code = "command.unknown_command_near"
	codeUnknownFlag        fault.Code = "command.unknown_flag"
	codeFlagNeedsValue     fault.Code = "command.flag_needs_value"
	codeFlagValue          fault.Code = "command.flag_value"
	codeFlagMissing        fault.Code = "command.flag_missing"
	codeFlagsExclude       fault.Code = "command.flags_exclude"
	codeArguments          fault.Code = "command.arguments"
	codeLine               fault.Code = "command.line"
	codeLanguage           fault.Code = "command.language"
	codeUnknownInstance    fault.Code = "command.unknown_instance"
	codeUnknownWord        fault.Code = "command.unknown_word"
	codeDiskLow            fault.Code = "command.disk_low"
	codeOneByOne           fault.Code = "command.one_by_one"
	codeSomeRefused        fault.Code = "command.some_refused"
)

// What a configuration asks for and this program cannot do.
const (
	codeUnknownOption    fault.Code = "command.unknown_option"
	codeBadOption        fault.Code = "command.bad_option"
	codeLinesWithoutEnd  fault.Code = "command.lines_without_end"
	codeProfileTwice     fault.Code = "command.profile_twice"
	codeProfileDirectory fault.Code = "command.profile_directory"
	codeNoCredential     fault.Code = "command.no_credential"
	codeTooWide          fault.Code = "command.too_wide" // a name, code or password that its row does not hold
	codeNoTransferPass   fault.Code = "command.no_transfer_password"
	codeNoUser           fault.Code = "command.no_user"
	codeNoGroup          fault.Code = "command.no_group"
	codeCannotGive       fault.Code = "command.cannot_give"
	codeOpenDatabase     fault.Code = "command.open_database"
	codeKeyTwice         fault.Code = "command.key_twice"
	codeProductionSite   fault.Code = "command.production_site"
	codeNoConfiguration  fault.Code = "command.no_configuration"
	codeVersionRefused   fault.Code = "command.version_refused"
	codeVersionNoShared  fault.Code = "command.version_no_shared"
	codeVersionNumber    fault.Code = "command.version_number"
	codeRestart          fault.Code = "command.restart"
	codeProduction       fault.Code = "command.production"
)

// Files that a command writes or reads.
const (
	codeExists      fault.Code = "command.exists"
	codeCannotWrite fault.Code = "command.cannot_write"
	codeNoScan      fault.Code = "command.no_registration"
	codeJournal     fault.Code = "command.journal"
	codeNoVariable  fault.Code = "command.no_variable"
	codeNoLogin     fault.Code = "command.no_login" // a profile has nobody say who it is before the opening
	codeCannotRead  fault.Code = "command.cannot_read"
)

// Profiles.
const (
	codeProfilePlay     fault.Code = "command.profile_play"
	codeNotHex          fault.Code = "command.not_hex"
	codeNothingCaptured fault.Code = "command.nothing_captured"
)

// The simulated counterparty.
const (
	codeCannotListen   fault.Code = "command.cannot_listen"
	codeSimulateFailed fault.Code = "command.simulate_failed"
	codeScenarioFailed fault.Code = "command.scenario_failed"
	codeScenarioRole   fault.Code = "command.scenario_role"
	codeCertifyWrong   fault.Code = "command.certify_wrong"
	codeLoadFailed     fault.Code = "command.load_failed"
	codeLoadCalls      fault.Code = "command.load_calls"
	codeLoadLost       fault.Code = "command.load_lost"
	codeLoadNotStored  fault.Code = "command.load_not_stored"
	codeLoadTooMany    fault.Code = "command.load_too_many"
	codeNotEmpty       fault.Code = "command.not_empty"
)
