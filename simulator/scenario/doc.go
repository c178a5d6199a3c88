// Package scenario reads what a counterparty is to do from a YAML file, has a
// simulator.Peer do it, and says whether it came out as the file expects: a
// scenario is a test by itself.
//
// docs/simulator.md teaches the form of the file. What goes wrong in it is done
// by the faults of package simulator; there is no other way.
package scenario
