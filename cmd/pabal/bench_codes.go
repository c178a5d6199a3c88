package main

import "pabal/internal/fault"

// Measurements.
const (
	codeBenchSize     fault.Code = "bench.size"     // too small to be a business file
	codeBenchNumber   fault.Code = "bench.number"   // a count that makes no sense
	codeBenchStep     fault.Code = "bench.step"     // a measuring process failed
	codeBenchLate     fault.Code = "bench.late"     // not everything arrived within the time
	codeBenchUnlike   fault.Code = "bench.unlike"   // what arrived is not what left
	codeBenchNoSyncs  fault.Code = "bench.no_syncs" // system calls cannot be traced here
	codeBenchRival    fault.Code = "bench.rival"    // a program to compare with did not work
	codeBenchNotThere fault.Code = "bench.not_installed"
	codeBenchNames    fault.Code = "bench.names" // more files than a profile has names for
	codeBenchTwice    fault.Code = "bench.twice" // two profiles of one name
)
