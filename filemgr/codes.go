package filemgr

import "pabal/internal/fault"

// Codes of trouble with directories, files and disks.
const (
	CodeDirMissing     fault.Code = "file.dir_missing"     // a directory is not there
	CodeNotADir        fault.Code = "file.not_a_dir"       // a file stands where a directory should be
	CodeDirOverlap     fault.Code = "file.dir_overlap"     // two directories are the same or one is in the other
	CodeOtherDisk      fault.Code = "file.other_disk"      // scan and work directory are not on one file system
	CodeDiskFull       fault.Code = "file.disk_full"       // no space or quota left
	CodeReadOnly       fault.Code = "file.read_only"       // the file system is mounted read-only
	CodeAccess         fault.Code = "file.access"          // we may not give it the mode or owner that is set
	CodeOpenDirectory  fault.Code = "file.open_directory"  // everybody may write into a directory of ours
	CodeNoPermission   fault.Code = "file.no_permission"   // we may not read or write it
	CodeIO             fault.Code = "file.io"              // any other answer of the operating system
	CodeSymlink        fault.Code = "file.symlink"         // a symbolic link, never followed
	CodeDirectory      fault.Code = "file.directory"       // a directory where files are scanned
	CodeNotRegular     fault.Code = "file.not_regular"     // a device, socket or pipe
	CodeUnreadable     fault.Code = "file.unreadable"      // the file cannot be opened
	CodeStillGrowing   fault.Code = "file.still_growing"   // size or time has not stood still for long
	CodeFlagMissing    fault.Code = "file.flag_missing"    // the flag file has not come for long
	CodeChanged        fault.Code = "file.changed"         // written to after it was taken for ready
	CodeReplaced       fault.Code = "file.replaced"        // another file has taken the name
	CodeShrunk         fault.Code = "file.shrunk"          // became smaller
	CodeVanished       fault.Code = "file.vanished"        // is no longer there
	CodeNameTooLong    fault.Code = "file.name_too_long"   // no room for the transfer's ID before the name
	CodeNameNotUTF8    fault.Code = "file.name_not_utf8"   // a name that is not UTF-8
	CodeBadID          fault.Code = "file.bad_id"          // a transfer ID that cannot be part of a file name
	CodeClaimTaken     fault.Code = "file.claim_taken"     // the work directory has a file of that ID and name
	CodeTooLarge       fault.Code = "file.too_large"       // more bytes than the block counter can number
	CodeExists         fault.Code = "file.exists"          // the final name is taken
	CodeStagedBusy     fault.Code = "file.staged_busy"     // another process of this place is at it, or stands still at it
	CodeNoFreeName     fault.Code = "file.no_free_name"    // all numbered names are taken
	CodeBackupConflict fault.Code = "file.backup_conflict" // another content stands under the backup's name
	CodeGzip           fault.Code = "file.gzip"            // what came is not the gzip data it should be
	CodeInflated       fault.Code = "file.inflated"        // decompressed data exceed the limit
	CodeWirePartial    fault.Code = "file.wire_partial"    // what came is not whole records
)

// Codes of content that fails a registration's checks.
const (
	CodeEmpty        fault.Code = "check.empty"
	CodeRecordLength fault.Code = "check.record_length" // the size is not a multiple of the record
	CodeLineLength   fault.Code = "check.line_length"
	CodeLineTooLong  fault.Code = "check.line_too_long"
	CodeLineEnd      fault.Code = "check.line_end" // LF where CRLF should be, or the reverse
	CodeLastLineEnd  fault.Code = "check.last_line_end"
	CodeHeaderMark   fault.Code = "check.header_mark"
	CodeTrailerMark  fault.Code = "check.trailer_mark"
	CodeHeaderName   fault.Code = "check.header_name"
	CodeHeaderDate   fault.Code = "check.header_date"
	CodeField        fault.Code = "check.field"  // a record is too short for a field
	CodeNumber       fault.Code = "check.number" // a field is not a number
	CodeCount        fault.Code = "check.count"
	CodeAmount       fault.Code = "check.amount"
	CodeText         fault.Code = "check.text" // bytes that are no character of the set
	CodeRule         fault.Code = "check.rule" // an expression said no
	CodeRuleFailed   fault.Code = "check.rule_failed"
)

// Codes of options that cannot work.
const (
	CodeBadForm     fault.Code = "file.bad_form"
	CodeBadEncoding fault.Code = "file.bad_encoding"
	CodeBadPacking  fault.Code = "file.bad_packing"
	CodeBadGeometry fault.Code = "file.bad_geometry"
	CodeBadOption   fault.Code = "check.bad_option"
	CodeBadRule     fault.Code = "check.bad_rule"
)

// IsContent reports that a code says what is wrong with the content of a file,
// as a registration's checks find it.
func IsContent(code fault.Code) bool {
	switch code {
	case CodeEmpty, CodeRecordLength, CodeLineLength, CodeLineTooLong, CodeLineEnd, CodeLastLineEnd, CodeHeaderMark,
		CodeTrailerMark, CodeHeaderName, CodeHeaderDate, CodeField, CodeNumber, CodeCount, CodeAmount, CodeText, CodeRule, CodeRuleFailed:
		return true
	}
	return false
}

// Waits reports whether the cause of an error code lies outside the file and
// passes by itself or by an operator's hand, so that the transfer should wait
// and be tried again instead of failing. CodeChanged and CodeShrunk are among
// them: the writer had not ended. A claimed file that was replaced is not; that
// was no writer, and a person should see it.
func Waits(code fault.Code) bool {
	switch code {
	case CodeDirMissing, CodeNotADir, CodeDiskFull, CodeReadOnly, CodeNoPermission, CodeAccess, CodeIO,
		CodeExists, CodeStagedBusy, CodeNoFreeName, CodeChanged, CodeShrunk:
		return true
	}
	return false
}
