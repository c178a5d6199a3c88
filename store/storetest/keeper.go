package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// keeper is the narrow contract of a payload keeper (design D3).
type keeper interface {
	PutBlocks(ctx context.Context, now time.Time, ref transfer.Ref, blocks []transfer.Block, f func(*transfer.Transfer) error) (*transfer.Transfer, error)
	ReadRange(ctx context.Context, id string, offset, length int64, dst []byte) ([]byte, error)
	BlockInfos(ctx context.Context, id string) ([]store.BlockInfo, error)
	Contiguous(ctx context.Context, id string) (int64, error)
	DropBlocks(ctx context.Context, now time.Time, ref transfer.Ref, fromNumber int64) error
	Release(ctx context.Context, now time.Time, id string) error
	Verify(ctx context.Context, id string) (store.Verified, error)
	Recheck(ctx context.Context, now time.Time, ref transfer.Ref) error
	Present(ctx context.Context, t *transfer.Transfer, size int64) (bool, error)
}

// place gives a new transfer the place of its payload: a path for the keeper
// "files", "" for the rows.
type place func(t require.TestingT) string

func inRows(require.TestingT) string { return "" }

// inFiles gives each transfer a file in a directory of the test.
func inFiles(t *testing.T) place {
	dir := t.TempDir()
	n := 0
	return func(require.TestingT) string {
		n++
		return filepath.Join(dir, fmt.Sprint(n))
	}
}

// Keeper runs the conformance suite of a payload keeper, for both of them.
func Keeper(t *testing.T, open Open) {
	tests := []struct {
		name string
		run  func(*testing.T, Open, place)
	}{
		{"PutAndRead", keeperPutAndRead},
		{"Empty", keeperEmpty},
		{"Replace", keeperReplace},
		{"Missing", keeperMissing},
		{"Invalid", keeperInvalid},
		{"Drop", keeperDrop},
		{"Release", keeperRelease},
		{"AnyOrder", keeperAnyOrder},
		{"LargeBlocks", keeperLarge},
	}
	for _, test := range tests {
		t.Run("database/"+test.name, func(t *testing.T) { test.run(t, open, inRows) })
		t.Run("files/"+test.name, func(t *testing.T) { test.run(t, open, inFiles(t)) })
	}
	t.Run("files", func(t *testing.T) { keeperFiles(t, open) })
}

// block makes the block of a number, of consecutive bytes, all but the last
// telegram full.
func block(row *transfer.Transfer, number int64, payload []byte) transfer.Block {
	b := transfer.Block{Number: number, Offset: (number - 1) * row.Geometry().BlockBytes(), Payload: payload}
	size := row.DataSize
	if size == 0 {
		size = 100 // the peer's choice
	}
	for at := 0; at < len(payload); at += size {
		b.Lengths = append(b.Lengths, uint16(min(size, len(payload)-at)))
		b.Held.Add(len(b.Lengths))
	}
	return b
}

// without takes sequences out of a block, as if they had not come: the payload
// is what is held, one behind the other.
func without(b transfer.Block, data int, seqs ...int) transfer.Block {
	for _, seq := range seqs {
		b.Held.Remove(seq)
	}
	var left []byte
	for i, l := range b.Lengths {
		if b.Held.Has(i + 1) {
			left = append(left, b.Payload[i*data:i*data+int(l)]...)
		}
	}
	b.Payload = left
	return b
}

// cut makes all blocks of a file.
func cut(row *transfer.Transfer, file []byte) []transfer.Block {
	var all []transfer.Block
	size := int(row.Geometry().BlockBytes())
	for at := 0; at < len(file); at += size {
		all = append(all, block(row, int64(len(all)+1), file[at:min(len(file), at+size)]))
	}
	return all
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func put(t require.TestingT, k keeper, row *transfer.Transfer, blocks ...transfer.Block) {
	_, err := k.PutBlocks(context.Background(), start, row.Ref(), blocks, nil)
	require.NoError(t, err)
}

func keeperPutAndRead(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	var k keeper = s
	row := heldRow(t, s, term, at)
	file := random(2345) // two blocks of 1000 and four telegrams, the last of 45
	out, err := k.PutBlocks(t.Context(), start, row.Ref(), cut(row, file), func(row *transfer.Transfer) error {
		row.WireSize = 2345
		return nil
	})
	require.NoError(t, err)
	require.EqualValues(t, 2345, out.WireSize)

	infos, err := k.BlockInfos(t.Context(), row.ID)
	require.NoError(t, err)
	require.Len(t, infos, 3)
	last := infos[2]
	if sealed(s) { // the checksum is that of what is stored, which nobody can foretell
		last.Checksum = crc32.Checksum(file[2000:], crc32.MakeTable(crc32.Castagnoli))
	}
	require.Equal(t, store.BlockInfo{Number: 3, Offset: 2000, Size: 345, Lengths: []uint16{100, 100, 100, 45},
		Held: last.Held, Checksum: crc32.Checksum(file[2000:], crc32.MakeTable(crc32.Castagnoli)), StoredAt: start}, last)
	require.Equal(t, 4, last.Held.Count())

	buffer := make([]byte, 0, 4096)
	for _, r := range [][2]int64{{0, 2345}, {0, 1}, {2344, 1}, {999, 2}, {1000, 1000}, {950, 1100}, {5, 0}, {123, 2000}} {
		got, err := k.ReadRange(t.Context(), row.ID, r[0], r[1], buffer)
		require.NoError(t, err)
		require.Equal(t, file[r[0]:r[0]+r[1]], got[:len(got):len(got)], r)
		require.Equal(t, &buffer[:1][0], &got[:1][0], "the buffer has room")
		got, err = k.ReadRange(t.Context(), row.ID, r[0], r[1], nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(file[r[0]:r[0]+r[1]], got))
	}
	held, err := k.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2345, held)
	v, err := k.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, store.Verified{Size: 2345, SHA256: digest(file), Blocks: 3, Sequences: 24, Continuous: true}, v)
}

func keeperEmpty(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, at, func(row *transfer.Transfer) { row.DataSize, row.PerBlock = 0, 0 })
	v, err := s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, store.Verified{SHA256: digest(nil), Continuous: true}, v)
	held, err := s.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.Zero(t, held)
	got, err := s.ReadRange(t.Context(), row.ID, 0, 0, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = s.ReadRange(t.Context(), row.ID, 0, 1, nil)
	requireCode(t, store.CodeBlockMissing, err)
	_, err = s.Verify(t.Context(), "none")
	requireCode(t, store.CodeNotFound, err)
}

// keeperReplace: a block that comes again, whole or fuller, replaces what the
// number had.
func keeperReplace(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, at)
	full := block(row, 1, random(1000))
	put(t, s, row, without(full, 100, 3, 10))
	put(t, s, row, block(row, 2, random(10)))
	for range 2 {
		put(t, s, row, full)
		got, err := s.ReadRange(t.Context(), row.ID, 0, 1000, nil)
		require.NoError(t, err)
		require.Equal(t, full.Payload, got)
		infos, err := s.BlockInfos(t.Context(), row.ID)
		require.NoError(t, err)
		require.Len(t, infos, 2)
		require.Equal(t, full.Held, infos[0].Held)
	}
}

func keeperMissing(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, at)
	file := random(3500)
	blocks := cut(row, file)
	blocks[1] = without(blocks[1], 100, 4, 5)
	put(t, s, row, blocks[0], blocks[1], blocks[3]) // block 3 has not come at all

	held, err := s.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1300, held)
	got, err := s.ReadRange(t.Context(), row.ID, 900, 400, nil)
	require.NoError(t, err)
	require.Equal(t, file[900:1300], got)
	for _, test := range []struct{ offset, length, block, seq int64 }{
		{900, 401, 2, 4}, {1350, 10, 2, 4}, {1400, 1, 2, 4}, {1500, 600, 2, 4}, {2050, 100, 2, 4}, {1900, 1200, 2, 4},
		{3400, 101, 4, 6}, {3600, 10, 4, 6}, {9000, 1, 4, 6}, // the first that is missing there or before
	} {
		_, err := s.ReadRange(t.Context(), row.ID, test.offset, test.length, nil)
		requireCode(t, store.CodeBlockMissing, err)
		require.Equal(t, fault.Args{"block": fmt.Sprint(test.block), "seq": fmt.Sprint(test.seq)}, fault.As(err).Args, "%v", test)
	}
	v, err := s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, store.Verified{Size: 1300, SHA256: digest(file[:1300]), Blocks: 3, Sequences: 23,
		Continuous: false, Gap: transfer.Position{Block: 2, Seq: 4}}, v)

	// The blocks of a received file are as long as the peer made them.
	row = held0(t, s, term, at)
	first := transfer.Block{Number: 1, Lengths: []uint16{100, 30, 70}, Payload: file[:200]}
	first.Held.Fill(3)
	second := transfer.Block{Number: 2, Offset: 200, Lengths: []uint16{1, 99}, Payload: file[200:300]}
	second.Held.Fill(2)
	put(t, s, row, first, second)
	got, err = s.ReadRange(t.Context(), row.ID, 120, 170, nil)
	require.NoError(t, err)
	require.Equal(t, file[120:290], got)
	v, err = s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, store.Verified{Size: 300, SHA256: digest(file[:300]), Blocks: 2, Sequences: 5, Continuous: true}, v)

	// A block that has not come at all, and one that ended early.
	row = heldRow(t, s, term, at)
	for _, test := range []struct {
		first []byte
		next  transfer.Block
		gap   transfer.Position
	}{
		{file[:1000], blocks[2], transfer.Position{Block: 2, Seq: 1}},
		{file[:700], block(row, 2, file[1000:2000]), transfer.Position{Block: 1, Seq: 8}},
	} {
		row = heldRow(t, s, term, at)
		put(t, s, row, block(row, 1, test.first), test.next)
		v, err = s.Verify(t.Context(), row.ID)
		require.NoError(t, err)
		require.False(t, v.Continuous)
		require.EqualValues(t, len(test.first), v.Size)
		require.Equal(t, digest(test.first), v.SHA256)
		require.Equal(t, test.gap, v.Gap)
	}

	// What is missing at the end of a block is missing, not a gap.
	row = heldRow(t, s, term, at)
	put(t, s, row, without(block(row, 1, file[:1000]), 100, 8, 9, 10))
	v, err = s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, store.Verified{Size: 700, SHA256: digest(file[:700]), Blocks: 1, Sequences: 7, Continuous: true}, v)
}

// held0 is a row without a geometry of ours.
func held0(t *testing.T, s *store.Store, term int64, at place) *transfer.Transfer {
	return heldRow(t, s, term, at, func(row *transfer.Transfer) { row.DataSize = 0 })
}

func heldRow(t *testing.T, s *store.Store, term int64, at place, f ...func(*transfer.Transfer)) *transfer.Transfer {
	return held(t, s, term, transfer.Receive, transfer.Receiving, append(f, func(row *transfer.Transfer) { row.PayloadIn = at(t) })...)
}

func keeperInvalid(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, at)
	for name, f := range map[string]func(*transfer.Block){
		"number":           func(b *transfer.Block) { b.Number, b.Offset = 0, -1000 },
		"offset":           func(b *transfer.Block) { b.Offset = 5 },
		"checksum":         func(b *transfer.Block) { b.Checksum = 1 },
		"held, no length":  func(b *transfer.Block) { b.Held.Add(4) },
		"too many":         func(b *transfer.Block) { b.Lengths = make([]uint16, 11) },
		"length too large": func(b *transfer.Block) { b.Lengths[0] = 101 },
		"no such length":   func(b *transfer.Block) { b.Lengths[0] = 65535 },
		"payload short":    func(b *transfer.Block) { b.Payload = b.Payload[:249] },
		"payload long":     func(b *transfer.Block) { b.Payload = make([]byte, 1001) },
	} {
		b := block(row, 1, random(250))
		f(&b)
		_, err := s.PutBlocks(t.Context(), start, row.Ref(), []transfer.Block{block(row, 2, []byte("good")), b}, nil)
		requireCode(t, store.CodeBlockInvalid, err)
		infos, err := s.BlockInfos(t.Context(), row.ID)
		require.NoError(t, err)
		require.Empty(t, infos, name)
	}
	b := block(row, 1, random(250))
	b.Checksum = crc32.Checksum(b.Payload, crc32.MakeTable(crc32.Castagnoli))
	put(t, s, row, b)
}

func keeperDrop(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, at)
	file := random(35 * 1000)
	put(t, s, row, cut(row, file)...)
	require.NoError(t, s.DropBlocks(t.Context(), start, row.Ref(), 5))
	held, err := s.Contiguous(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 4000, held)
	v, err := s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.True(t, v.Continuous)
	require.EqualValues(t, 4, v.Blocks)
	require.NoError(t, s.DropBlocks(t.Context(), start, row.Ref(), 1))
	infos, err := s.BlockInfos(t.Context(), row.ID)
	require.NoError(t, err)
	require.Empty(t, infos)
}

func keeperRelease(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row, other := heldRow(t, s, term, at), heldRow(t, s, term, at)
	put(t, s, row, cut(row, random(35*1000))...)
	put(t, s, other, block(other, 1, random(10)))
	requireCode(t, store.CodeNotFinal, s.Release(t.Context(), start, row.ID))
	requireCode(t, store.CodeNotFound, s.Release(t.Context(), start, "none"))
	_, err := s.Change(t.Context(), start, row.Ref(), to(transfer.Failed))
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, s.Release(t.Context(), start.Add(time.Hour), row.ID))
		infos, err := s.BlockInfos(t.Context(), row.ID)
		require.NoError(t, err)
		require.Empty(t, infos)
	}
	require.Equal(t, start.Add(time.Hour), read(t, s, row.ID).ReleasedAt)
	all := events(t, s, row.ID)
	require.Equal(t, store.EventRelease, all[len(all)-1].Kind)
	require.Len(t, all, 3)
	held, err := s.Contiguous(t.Context(), other.ID)
	require.NoError(t, err)
	require.EqualValues(t, 10, held)

	// Stored again, the payload is there again.
	again, err := s.PutBlocks(t.Context(), start, row.Ref(), []transfer.Block{block(row, 1, random(10))}, nil)
	require.NoError(t, err)
	require.Zero(t, again.ReleasedAt)
}

// keeperAnyOrder: whatever order, repetition and loss, what is held reads as
// it was, and Contiguous says exactly how far that goes.
func keeperAnyOrder(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	rapid.Check(t, func(r *rapid.T) {
		row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, Owner: "one", Term: term, PayloadIn: at(r),
			DataSize: rapid.IntRange(1, 40).Draw(r, "data"), PerBlock: rapid.IntRange(1, 8).Draw(r, "per block")}
		require.NoError(r, s.Create(t.Context(), start, row))
		file := rapid.SliceOfN(rapid.Byte(), 1, 700).Draw(r, "file")
		blocks := cut(row, file)
		lost := map[int64][]int{}
		want := int64(len(file))
		for _, b := range blocks {
			for seq := range b.Lengths {
				if rapid.IntRange(0, 99).Draw(r, "luck") < 3 {
					lost[b.Number] = append(lost[b.Number], seq+1)
					want = min(want, b.Offset+int64(seq*row.DataSize))
				}
			}
		}
		order := rapid.Permutation(append(blocks[:len(blocks):len(blocks)], blocks[0], blocks[len(blocks)-1])).Draw(r, "order")
		for i, b := range order {
			order[i] = without(b, row.DataSize, lost[b.Number]...)
		}
		for some := range slices.Chunk(order, rapid.IntRange(1, 40).Draw(r, "at once")) {
			put(r, s, row, some...)
		}
		held, err := s.Contiguous(t.Context(), row.ID)
		require.NoError(r, err)
		require.Equal(r, want, held)
		got, err := s.ReadRange(t.Context(), row.ID, 0, want, nil)
		require.NoError(r, err)
		require.True(r, bytes.Equal(file[:want], got))
		v, err := s.Verify(t.Context(), row.ID)
		require.NoError(r, err)
		require.Equal(r, digest(file[:want]), v.SHA256)
		if want < int64(len(file)) {
			_, err = s.ReadRange(t.Context(), row.ID, 0, want+1, nil)
			require.Error(r, err)
		}
		at := rapid.Int64Range(0, max(0, want-1)).Draw(r, "at")
		n := rapid.Int64Range(0, want-at).Draw(r, "n")
		got, err = s.ReadRange(t.Context(), row.ID, at, n, nil)
		require.NoError(r, err)
		require.True(r, bytes.Equal(file[at:at+n], got))
	})
}

// keeperLarge: blocks of real size, read as whole rows and across them.
func keeperLarge(t *testing.T, open Open, at place) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, at, func(row *transfer.Transfer) { row.DataSize, row.PerBlock = 4057, 100 })
	file := random(20*405700 + 4057*3 + 1)
	for _, b := range cut(row, file) {
		put(t, s, row, b)
	}
	buffer := make([]byte, 0, 1<<20)
	for at := 0; at < len(file); at += 1 << 20 {
		n := min(1<<20, len(file)-at)
		got, err := s.ReadRange(t.Context(), row.ID, int64(at), int64(n), buffer)
		require.NoError(t, err)
		require.True(t, bytes.Equal(file[at:at+n], got))
	}
	v, err := s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, store.Verified{Size: int64(len(file)), SHA256: digest(file), Blocks: 21, Sequences: 2004, Continuous: true}, v)
}
