package main

import "pabal/internal/fault"

// The demonstration.
const (
	codeDemoDirectory fault.Code = "demo.directory_in_use" // --dir has something in it
	codeDemoDatabase  fault.Code = "demo.database_in_use"  // --store has transfers in it
	codeDemoSize      fault.Code = "demo.size"             // too small to have a second block
	codeDemoServer    fault.Code = "demo.server"           // the server did not start, or ended by itself
	codeDemoLate      fault.Code = "demo.late"             // not everything arrived within the time
	codeDemoEnded     fault.Code = "demo.ended"            // a file ended without success
	codeDemoUnequal   fault.Code = "demo.unequal"          // a file arrived with other bytes
	codeDemoTwice     fault.Code = "demo.twice"            // a telegram went out a second time though nobody missed it
)
