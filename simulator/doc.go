// Package simulator is the other side of a line: a counterparty that speaks a
// profile in either role, takes what is sent, gives what lies in a folder, and
// misbehaves on demand.
//
// A Peer is well-behaved: it runs the same machines as the server, with files
// and a few notes on disk in the place of a store, so that it survives being
// killed and goes on where the documents say. What it does not promise is to
// survive a loss of power: it never waits for the disk.
//
// # Faults
//
// Faults are done to the bytes on their way through the connection, so that
// neither the server nor the Peer has a hook for them. They are written as a
// list of key=value, separated by semicolons:
//
//	lose=2:37,2:58        data telegrams lost once each, by block:sequence
//	lose=5%               … or this share of all data telegrams, resent ones too
//	duplicate=1:1         come twice
//	reorder=1:5           come one telegram later
//	seed=7                makes the shares repeatable
//	delay=50ms            before every telegram in either direction
//	delay=check-reply:2s  before the telegrams of one kind
//	split=3               what we send leaves in pieces of 3 bytes at most
//	drip=1/100ms          … with a pause after each piece
//	cut=check-reply:3     the line is cut instead of the third check-reply
//	cut=after-sent:17     … after the 17th telegram that we send
//	silence=received:4    nothing passes any more from our fourth telegram received on
//	garbage=sent:5        the fifth telegram that we send becomes as many random bytes
//	length=check@2        the check of the second block is a byte shorter than it says
//	never=EB210602        our checks of this file always answer that everything is missing
//	never=all             … of every file
//	size=+10              the sizes that we declare are wrong by so many bytes
//
// cut, silence, garbage and length take a kind of telegram as profiles name them
// (open, info, data, check, end …), "sent" or "received", before or, with
// "after-", after the one that is counted. "end" means end-more too, "end-reply"
// end-more-reply. With @2 only those about the second block count. Telegrams are
// counted over all sessions of a Peer and each such point happens once; several
// are separated by commas. garbage and length are done to what we send.
//
// What a Peer answers is changed by Faults.Answers, which has no text form:
// package scenario reads it from a file.
package simulator
