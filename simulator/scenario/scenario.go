package scenario

import (
	"time"

	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/simulator"
	"pabal/simulator/sample"
)

// Scenario is a file that was read and can be run.
type Scenario struct {
	Name    string
	About   map[string]string // by language
	Profile *protocol.Profile
	Side    protocol.Side // the part that it plays
	Listens bool          // it waits for calls, else it calls
	Address string        // where; "" = said when it is run
	Fetch   bool          // it calls to take, or its callers come to give nothing and take

	Who   simulator.Options // names, passwords, sizes, waits and faults; no directories
	TLS   *TLS              // nil = in clear
	Gifts []Gift
	Take  bool

	Sessions int           // at once
	Calls    int           // most calls of each of them, until everything is done
	Pause    time.Duration // between two calls
	Within   time.Duration // everything must be over by then

	Server Server
	Expect Expect
}

// Gift is a file to give.
type Gift struct {
	Name         string // in the folder, see simulator.Options.GiveDir
	Wire         string // its name on the wire
	Path         string // a file to copy; "" = it is made
	Sample       sample.Kind
	Size         int64 // of one that is made
	Seed         int64 // no two are alike
	Unregistered bool  // the server made for the scenario does not know it
}

// Server is what the other end has where it is made for the scenario alone.
type Server struct {
	Sends    []Gift
	Sender   string // that it demands of callers and says of itself
	Password string
	Login    *machine.Login // … before the opening; nil = the same
	Reply    time.Duration  // how long it waits for an answer
	Rounds   int            // of missing numbers before it gives a file up; 0 = the profile's
}

// Expect is how it must come out.
type Expect struct {
	Given    int               // files whose end was confirmed to us
	Taken    int               // files that we have whole
	Failed   map[string]string // by name on the wire: response code, result, or code of the error
	Resent   int64             // sequences sent again, both ways; -1 = any number
	Sessions int               // there were so many; 0 = any number
	Ends     string            // how the last session of each caller ends: "" = in peace, else the code of its error; "any"
	Server   map[string]string // by name on the wire: the status of the transfer at a server made for it
}
