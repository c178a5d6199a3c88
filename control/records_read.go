package control

import (
	"context"
	"errors"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// wireRecords reads a range of the wire bytes of a transfer, or as much of it
// as there is, and says how many bytes are held without a gap.
func (c *Control) wireRecords(ctx context.Context, t *transfer.Transfer, offset, length int64) (wire []byte, held int64, err error) {
	held, err = c.s.Contiguous(ctx, t.ID)
	switch {
	case err != nil:
		return nil, 0, err
	case held == 0:
		return nil, 0, fault.New(CodeNoPayload, title(t))
	case offset >= held:
		return nil, held, nil
	}
	wire, err = c.s.ReadRange(ctx, t.ID, offset, min(length, held-offset), nil)
	return wire, held, err
}

// errEnough ends reading.
var errEnough = errors.New("enough was read")

// taggedRecords is wireRecords where telegrams begin with a tag, which is no
// part of a record: it reads from the start, telegram by telegram. held is how
// far it has come.
func (c *Control) taggedRecords(ctx context.Context, t *transfer.Transfer, offset, length int64) (wire []byte, held int64, err error) {
	enc, err := filemgr.ParseEncoding(t.Encoding)
	if err != nil {
		return nil, 0, err
	}
	telegrams := 0
	source := func(emit func([]byte) error) error {
		return c.s.Telegrams(ctx, t.ID, func(p []byte) error { telegrams++; return emit(p) })
	}
	collect := writer(func(p []byte) error {
		from, to := max(offset-held, 0), min(offset+length-held, int64(len(p)))
		if from < to {
			wire = append(wire, p[from:to]...)
		}
		if held += int64(len(p)); held >= offset+length {
			return errEnough
		}
		return nil
	})
	err = filemgr.ToFile(ctx, filemgr.Form{Kind: filemgr.Raw}, filemgr.Encoding{Tag: enc.Tag}, 0, source, collect)
	switch {
	case errors.Is(err, errEnough), fault.CodeOf(err) == store.CodeBlockMissing && held > 0: // of a file that is still coming
		err = nil
	case err == nil && telegrams == 0:
		err = fault.New(CodeNoPayload, title(t))
	}
	return wire, held, err
}

type writer func([]byte) error

func (w writer) Write(p []byte) (int, error) { return len(p), w(p) }
