package protocol

import "pabal/internal/fault"

// What can be wrong with bytes that a peer sent.
const (
	CodeTooShort      fault.Code = "wire.too_short"
	CodeTooLong       fault.Code = "wire.too_long"
	CodeNotANumber    fault.Code = "wire.not_a_number"
	CodeBadLength     fault.Code = "wire.bad_length"
	CodeUnknownType   fault.Code = "wire.unknown_type"
	CodeDataLength    fault.Code = "wire.data_length"
	CodeDoesNotFit    fault.Code = "wire.does_not_fit"
	CodeNotInProfile  fault.Code = "wire.not_in_profile"
	CodeWrongBusiness fault.Code = "wire.wrong_business"
	CodeWrongConstant fault.Code = "wire.wrong_constant" // a request whose constant field says something else
	CodeCharset       fault.Code = "wire.charset"
	CodeBadPrefix     fault.Code = "wire.bad_prefix"
	CodeGreeting      fault.Code = "wire.greeting" // bytes before the first telegram that are not those of the profile
	CodeDelimiter     fault.Code = "wire.delimiter"
	CodeCounter       fault.Code = "wire.counter"       // a running number has passed its last
	CodeExpression    fault.Code = "wire.expression"    // an expression has no value for this telegram
	CodePart          fault.Code = "wire.part"          // a tag that sorts data has no place here, or is none
	CodePartOfOther   fault.Code = "wire.part_of_other" // the header in the data is about another file
	// A captured stream that is not, or not only, telegrams of the profile.
	CodeNotThisProfile fault.Code = "wire.not_this_profile"
)

// What can be wrong with a profile.
const (
	CodeProfileSyntax   fault.Code = "profile.syntax"
	CodeProfileField    fault.Code = "profile.field"
	CodeProfileWidth    fault.Code = "profile.width"
	CodeProfileMissing  fault.Code = "profile.missing"
	CodeProfileAbsent   fault.Code = "profile.absent" // a key that cannot be left out
	CodeProfileValue    fault.Code = "profile.value"
	CodeProfileUnknown  fault.Code = "profile.unknown"
	CodeProfileBusiness fault.Code = "profile.business" // no room for another business code
	// An expression that does not compile: what and at which column.
	CodeProfileExpression fault.Code = "profile.expression"
	// What loads, and is seldom meant.
	CodeProfileNear  fault.Code = "profile.near"
	CodeProfileZeros fault.Code = "profile.zeros"
)
