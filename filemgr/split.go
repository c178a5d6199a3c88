package filemgr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"pabal/internal/fault"
	"pabal/transfer"
)

// SplitOptions say how a file becomes blocks.
type SplitOptions struct {
	Form     Form
	Encoding Encoding
	Checks   CheckOptions
	Names    Names
	Geometry transfer.Geometry
	// Parts goes with an Encoding that has a tag, and says what else travels.
	Parts *Parts

	// Identity that the file must have at the start, "" = any. It is not known
	// when the file is a backup.
	Identity string
	// MaxWire is the most bytes that the profile's block counter can number
	// (protocols §1.5), 0 = no limit.
	MaxWire int64
	// Progress is called after every piece with the file bytes read so far. nil = not.
	Progress func(read int64)
}

// Result is what one pass over a file found.
type Result struct {
	FileSize   int64
	WireSize   int64
	FileDigest string // sha256, hex
	WireDigest string // sha256, hex
	Records    int64  // 0 for raw
	Sequences  int64
	Blocks     int64
}

// Split reads the file at path once, checks it, turns it into wire bytes and
// hands these to emit in blocks of the geometry, in order. Memory does not
// depend on the file's size.
//
// The block, its payload and its lengths are used again for the next one: emit
// must not keep them. An error of emit ends the pass and is returned as it is.
// A failure of the content is found when its place is reached, and for totals
// at the end, so blocks may have been emitted of a file that is refused in the
// end; who stored them drops them.
//
// After the pass the file must still be the one that was opened: CodeChanged,
// CodeShrunk, CodeReplaced or CodeVanished say that it is not.
func Split(ctx context.Context, path string, o SplitOptions, emit func(transfer.Block) error) (Result, error) {
	cut, err := newCutter(o, path, emit)
	if err != nil {
		return Result{}, err
	}
	if err := o.Form.Validate(); err != nil {
		return Result{}, err
	}
	check, err := newChecker(o.Form, o.Checks, o.Names)
	if err != nil {
		return Result{}, err
	}
	f, before, err := openRegular(path)
	if err != nil {
		return Result{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	identity := identityOf(before)
	if o.Identity != "" && o.Identity != identity {
		return Result{}, compareIdentity(path, o.Identity, before.Size(), before)
	}
	if size, known := wireSize(o.Form, o.Encoding, before.Size()); known && o.MaxWire > 0 && size > o.MaxWire {
		return Result{}, tooLarge(path, size, o.MaxWire)
	}

	if size, known := wireSize(o.Form, o.Encoding, before.Size()); known {
		cut.block.Payload = make([]byte, 0, min(size, o.Geometry.BlockBytes()))
	}
	var wireSum hash.Hash
	wire := io.Writer(cut)
	if !SameBytes(o.Form, o.Encoding) {
		wireSum = sha256.New()
		wire = io.MultiWriter(wireSum, cut)
	}
	var tags *tagger
	if o.Encoding.Tag != "" {
		tags = newTagger(o, wire, cut.own)
		wire = tags
		if err := tags.begin(o.Parts); err != nil {
			return Result{}, err
		}
	}
	out := toWire(o.Form, o.Encoding, wire)
	read, fileDigest, err := pump(ctx, f, path, before.Size(), o.Progress, check, out)
	if err == nil && tags != nil {
		err = tags.end(o.Parts, check.records)
	}
	if err == nil {
		err = cut.flush()
	}
	if err != nil {
		// A file that was cut short while we read it fails its checks; that it
		// changed is the reason to name.
		if changed := unchanged(path, identity, before); changed != nil && fault.As(err) != nil {
			return Result{}, changed
		}
		return Result{}, err
	}
	if err := unchanged(path, identity, before); err != nil {
		return Result{}, err
	}
	if read != before.Size() {
		return Result{}, fault.New(CodeChanged, path, "was", before.Size(), "size", read)
	}
	r := Result{FileSize: read, WireSize: cut.size, Records: check.records,
		FileDigest: fileDigest,
		Blocks:     o.Geometry.Blocks(cut.size), Sequences: o.Geometry.Sequences(cut.size)}
	r.WireDigest = r.FileDigest
	if wireSum != nil {
		r.WireDigest = hex.EncodeToString(wireSum.Sum(nil))
	}
	return r, nil
}

// pump moves the file through digest, checks and transforms, and ends them. The
// digest, which costs as much as everything else, is computed beside the rest.
func pump(ctx context.Context, f *os.File, path string, size int64, progress func(int64),
	check *checker, out *chain) (read int64, digest string, err error) {
	sum := newDigester(size)
	defer func() { digest = sum.finish() }()
	for i := 0; ; i++ {
		if err := ctx.Err(); err != nil {
			return read, "", err
		}
		buf := sum.buffer(i)
		n, err := f.Read(buf)
		if n > 0 {
			read += int64(n)
			sum.pieces <- buf[:n]
			if _, werr := check.Write(buf[:n]); werr != nil {
				return read, "", werr
			}
			if _, werr := out.Write(buf[:n]); werr != nil {
				return read, "", werr
			}
			if progress != nil {
				progress(read)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return read, "", osFault(path, err)
		}
	}
	if err := check.Close(); err != nil {
		return read, "", err
	}
	return read, "", out.Close()
}

// digester computes a sha256 in a goroutine of its own. There are two buffers:
// a piece is accepted only when the one before it is done, so the buffer of the
// one before may be filled again.
type digester struct {
	room    int
	buffers [2][]byte
	pieces  chan []byte
	done    chan string
}

// bufferFor is the size of a buffer for so many bytes, with room to see their
// end; 0 is not known.
func bufferFor(size int64) int {
	if size <= 0 {
		return readBuffer
	}
	return int(min(max(size+1, 4<<10), readBuffer))
}

// newDigester makes one for about so many bytes; 0 is not known.
func newDigester(size int64) *digester {
	d := &digester{room: bufferFor(size), pieces: make(chan []byte), done: make(chan string)}
	go func() {
		h := sha256.New()
		for p := range d.pieces {
			h.Write(p) //nolint:errcheck // a hash never fails
		}
		d.done <- hex.EncodeToString(h.Sum(nil))
	}()
	return d
}

func (d *digester) buffer(i int) []byte {
	b := &d.buffers[i%2]
	if *b == nil {
		*b = make([]byte, d.room)
	}
	return *b
}

// finish ends the goroutine and returns the digest of all pieces.
func (d *digester) finish() string {
	close(d.pieces)
	return <-d.done
}

// unchanged says how the file at path differs from what was opened.
func unchanged(path, identity string, before fs.FileInfo) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return missingFault(path, err)
	}
	return compareIdentity(path, identity, before.Size(), fi)
}

func tooLarge(path string, size, limit int64) error {
	return fault.New(CodeTooLarge, path, "size", size, "limit", limit)
}

// cutter collects wire bytes into blocks.
type cutter struct {
	path  string
	limit int64
	g     transfer.Geometry
	emit  func(transfer.Block) error
	block transfer.Block
	start int64 // of the block
	tail  bool  // the last telegram, which is one of its own, …
	split int   // … begins here in the block
	size  int64 // wire bytes taken
	table *crc32.Table
}

func newCutter(o SplitOptions, path string, emit func(transfer.Block) error) (*cutter, error) {
	g := o.Geometry
	if o.Encoding.Tag != "" && g.DataSize <= len(o.Encoding.Tag) || o.Parts != nil && len(o.Parts.Head) != g.Head {
		return nil, fault.New(CodeBadGeometry, path, "data_size", g.DataSize, "per_block", g.PerBlock)
	}
	if g.DataSize < 1 || g.DataSize > MaxDataSize || g.PerBlock < 1 || g.PerBlock > transfer.MaxPerBlock {
		return nil, fault.New(CodeBadGeometry, path, "data_size", g.DataSize, "per_block", g.PerBlock)
	}
	return &cutter{path: path, limit: o.MaxWire, g: g, emit: emit, table: crc32.MakeTable(crc32.Castagnoli)}, nil
}

func (c *cutter) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	if c.limit > 0 && c.size > c.limit {
		return 0, tooLarge(c.path, c.size, c.limit)
	}
	for done := 0; done < len(p); {
		n := min(len(p)-done, c.room())
		c.block.Payload = append(c.block.Payload, p[done:done+n]...)
		done += n
		if c.room() == 0 {
			if err := c.flush(); err != nil {
				return done, err
			}
		}
	}
	return len(p), nil
}

// full is how many bytes the block has when all its telegrams are full.
func (c *cutter) full() int {
	n := int(c.g.BlockBytes())
	if c.g.Head > 0 && c.block.Number == 0 {
		n += c.g.Head - c.g.DataSize
	}
	return n
}

// room is how many bytes still fit into the block. Its buffer grows as needed,
// so a small file does not pay for a whole block.
func (c *cutter) room() int {
	if c.tail {
		return c.split + c.g.Tail - len(c.block.Payload)
	}
	return c.full() - len(c.block.Payload)
}

// own says that the next bytes are the last telegram, and one of its own.
func (c *cutter) own() error {
	if len(c.lengths()) == c.g.PerBlock {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.tail, c.split = true, len(c.block.Payload)
	return nil
}

// lengths are those of the telegrams of the block in hand.
func (c *cutter) lengths() []uint16 {
	b := &c.block
	b.Lengths = b.Lengths[:0]
	cut := len(b.Payload)
	if c.tail {
		cut = c.split
	}
	for at := 0; at < cut; {
		n := c.g.DataSize
		if at == 0 && b.Number == 0 && c.g.Head > 0 {
			n = c.g.Head
		}
		n = min(n, cut-at)
		b.Lengths = append(b.Lengths, uint16(n))
		at += n
	}
	if cut < len(b.Payload) {
		b.Lengths = append(b.Lengths, uint16(len(b.Payload)-cut))
	}
	return b.Lengths
}

// flush emits the block in hand and starts the next.
func (c *cutter) flush() error {
	b := &c.block
	if len(b.Payload) == 0 {
		return nil
	}
	c.lengths()
	b.Number++
	b.Offset = c.start
	c.start += int64(len(b.Payload))
	b.Checksum = crc32.Checksum(b.Payload, c.table)
	b.Held.Reset()
	b.Held.Fill(len(b.Lengths))
	err := c.emit(*b)
	b.Payload, c.tail = b.Payload[:0], false
	return err
}
