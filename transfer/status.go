// Package transfer holds the words of the business: what a transfer is, the
// states it goes through, where a byte of it stands among blocks and
// sequences, and which pieces are missing. It does no I/O and reads no clock.
package transfer

import "slices"

// Direction is seen from our side.
type Direction string

const (
	Send    Direction = "send"
	Receive Direction = "receive"
	// BothWays is of a session that carried files either way; a transfer goes one.
	BothWays Direction = "both"
)

// Status is where a transfer stands. The stages of the server claim rows in
// one status and write the next.
type Status string

const (
	Storing   Status = "storing"   // the work file is being cut into blocks
	Stored    Status = "stored"    // ready to go
	Refused   Status = "refused"   // the file failed its checks; it is in error/
	Sending   Status = "sending"   // in a session
	Ending    Status = "ending"    // the file-end request may have left
	Sent      Status = "sent"      // the peer confirmed the end
	Waiting   Status = "waiting"   // something is in the way; tried again at NextTry
	Failed    Status = "failed"    // ended without success; nothing more happens by itself
	Unknown   Status = "unknown"   // the peer may have the file; settled by rule or person
	Held      Status = "held"      // stopped by or for a person
	Cancelled Status = "cancelled" // given up by a person

	Receiving Status = "receiving" // blocks are coming, or came before the line was cut
	Received  Status = "received"  // complete and proven
	Placing   Status = "placing"   // written beside its final name, about to be placed
	Assembled Status = "assembled" // stands in the receive directory
	Delivered Status = "delivered" // every delivery target has it
	Abandoned Status = "abandoned" // a partial file that nothing will resume
	Duplicate Status = "duplicate" // came again with the same content; not assembled
)

// Statuses lists every status in the order of a transfer's life.
func Statuses() []Status {
	return []Status{Storing, Stored, Sending, Ending, Receiving, Received, Placing,
		Waiting, Unknown, Held,
		Sent, Assembled, Delivered, Refused, Failed, Cancelled, Abandoned, Duplicate}
}

// moves lists the legal moves per direction. A status that is not a key is
// final for that direction.
var moves = map[Direction]map[Status][]Status{
	Send: {
		Storing:   {Stored, Refused, Waiting, Failed, Held, Cancelled},
		Stored:    {Sending, Storing, Waiting, Held, Cancelled, Failed},
		Sending:   {Ending, Waiting, Failed, Held, Storing, Cancelled, Unknown}, // Unknown: it was that before it was announced again
		Ending:    {Sent, Unknown, Failed, Waiting, Held},
		Unknown:   {Sent, Sending, Waiting, Failed, Held},
		Waiting:   {Sending, Storing, Sent, Held, Cancelled, Failed},
		Held:      {Waiting, Storing, Unknown, Sent, Failed, Cancelled}, // Unknown: what was unknown before it was held
		Failed:    {Waiting, Storing, Cancelled},
		Cancelled: {Waiting, Storing}, // Storing: sent again after the payload was deleted, or was never stored
		Sent:      {Waiting, Storing},
	},
	Receive: {
		Receiving: {Received, Failed, Abandoned, Held, Cancelled},
		Received:  {Placing, Waiting, Held, Failed, Cancelled, Duplicate},
		Waiting:   {Placing, Held, Cancelled, Failed, Duplicate},
		Placing:   {Assembled, Waiting, Failed},
		Assembled: {Delivered},
		Held:      {Received, Receiving, Placing, Cancelled, Failed}, // Receiving, Placing: what a quarantine held there
		Failed:    {Received, Abandoned, Cancelled},
		Abandoned: {},
		Duplicate: {Received}, // a person wants it all the same
	},
}

// CanMove says whether a transfer of direction d may go from one status to
// another. Staying is always legal.
func CanMove(d Direction, from, to Status) bool {
	return from == to || slices.Contains(moves[d][from], to)
}

// Moves lists where a transfer of direction d may go from a status.
func Moves(d Direction, from Status) []Status { return slices.Clone(moves[d][from]) }

// Final reports that no stage will touch a transfer in this status again
// unless a person asks for it.
func (s Status) Final() bool {
	switch s {
	case Sent, Assembled, Delivered, Refused, Failed, Cancelled, Abandoned, Duplicate:
		return true
	}
	return false
}

// Success reports that the file has arrived where it was going.
func (s Status) Success() bool { return s == Sent || s == Assembled || s == Delivered }
