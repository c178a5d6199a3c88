// Package line runs a machine.Session on a connection: it reads and writes
// telegrams, keeps the timer, holds one block buffer, and asks the host what
// the machine asks. It decides nothing about the procedure.
package line

import (
	"context"
	"errors"

	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// Gate answers what concerns the session itself.
type Gate interface {
	// Open judges a caller by its opening.
	Open(ctx context.Context, t *protocol.Telegram) (Judgement, error)
	// Fetch counts what a caller asked for.
	Fetch(ctx context.Context, t *protocol.Telegram) (Counted, error)
	// Inquire answers an inquiry or a cancellation, by t.Kind.
	Inquire(ctx context.Context, t *protocol.Telegram) (Answer, error)
}

// Outbox gives files.
type Outbox interface {
	// Next says what the driving side does next.
	Next(ctx context.Context) (machine.Order, error)
	// Load fills dst with the wire bytes of the ordered file from offset.
	Load(ctx context.Context, offset int64, dst []byte) error
	// Missed hears which sequences of a block the peer has asked for again, for
	// the file's history. It must not hold the session up.
	Missed(ctx context.Context, block int64, missing *transfer.SeqSet)
	// Ending commits that the end request is about to leave, and says whether
	// another file will follow. resent counts sequences sent again so far.
	Ending(ctx context.Context, resent int64) (more bool, err error)
}

// Inbox takes files.
type Inbox interface {
	// Accept says whether an offered file is taken, and from where. The bytes
	// of a block that is held in part are in Acceptance.Partial.
	Accept(ctx context.Context, o machine.Offer) (Acceptance, error)
	// Save makes a block durable before it returns. b.Payload is good until then.
	Save(ctx context.Context, b *transfer.Block, complete bool) error
	// Verify holds the proofs against the store and commits the result.
	Verify(ctx context.Context, c machine.Claims) (protocol.Reason, error)
}

// Host is what a session needs of the server that runs it. Its methods are
// called one at a time. An error that is ErrDropped concerns the file alone;
// any other ends the session.
type Host interface {
	Gate
	Outbox
	Inbox
	// Finish commits what became of the file under way.
	Finish(ctx context.Context, o machine.Outcome) error
}

// ErrDropped marks errors about a file that is no longer ours to carry:
// held, cancelled or taken over. The session goes on without it.
var ErrDropped = errors.New("the file is no longer ours")

// Judgement of a caller.
type Judgement struct {
	Reason protocol.Reason
	Terms  machine.Terms // agreed with this caller
	Err    error         // why not, for our log
}

// Counted is the answer to a fetch.
type Counted struct {
	Reason protocol.Reason
	Count  int // files that this session will bring
	Total  int // files that wait in all
}

// Acceptance of an offered file.
type Acceptance struct {
	Reason  protocol.Reason
	Resume  machine.Resume
	Partial []byte // the held sequences of Resume.Block, one after the other
}

// Answer to an inquiry.
type Answer struct {
	Reason  protocol.Reason
	Finding protocol.Finding // what has become of the file; "" = Reason says it
	Size    int64            // bytes held
}
