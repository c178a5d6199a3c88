package storetest

import (
	"context"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// keeperFiles is what only the keeper "files" has: a file that others can
// touch, and one that is adopted.
func keeperFiles(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Adopted", filesAdopted},
		{"Spoilt", filesSpoilt},
		{"Vanished", filesVanished},
		{"Recheck", filesRecheck},
		{"Fenced", filesFenced},
		{"Locked", filesLocked},
		{"Claim", filesClaim},
		{"Release", filesRelease},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// adopt makes blocks of a file that is there already: all of a block but its
// payload.
func adopt(blocks []transfer.Block) []transfer.Block {
	for i := range blocks {
		b := &blocks[i]
		b.Checksum, b.Payload = crc32.Checksum(b.Payload, crc32.MakeTable(crc32.Castagnoli)), nil
	}
	return blocks
}

// adopted is a stored transfer whose payload is its work file.
func adopted(t *testing.T, s *store.Store, term int64, file []byte) *transfer.Transfer {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"work", "backup"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
	}
	work := filepath.Join(dir, "work", "file")
	require.NoError(t, os.WriteFile(work, file, 0o600))
	row := held(t, s, term, transfer.Send, transfer.Storing, func(row *transfer.Transfer) {
		row.WorkPath, row.BackupPath = work, filepath.Join(dir, "backup", "file")
	})
	out, err := s.PutBlocks(t.Context(), start, row.Ref(), adopt(cut(row, file)), func(row *transfer.Transfer) error {
		row.Status, row.PayloadIn, row.WireSize = transfer.Stored, transfer.InFile, int64(len(file))
		return nil
	})
	require.NoError(t, err)
	return out
}

func filesAdopted(t *testing.T, open Open) {
	s, term := begin(t, open)
	file := random(2345)
	row := adopted(t, s, term, file)
	whole := func() {
		t.Helper()
		for _, r := range [][2]int64{{0, 2345}, {0, 1}, {2344, 1}, {950, 1100}, {1000, 1000}} {
			got, err := s.ReadRange(t.Context(), row.ID, r[0], r[1], nil)
			require.NoError(t, err)
			require.Equal(t, file[r[0]:r[0]+r[1]], got)
		}
		v, err := s.Verify(t.Context(), row.ID)
		require.NoError(t, err)
		require.Equal(t, store.Verified{Size: 2345, SHA256: digest(file), Blocks: 3, Sequences: 24, Continuous: true}, v)
		there, err := s.Present(t.Context(), row, 2345)
		require.NoError(t, err)
		require.True(t, there)
		var all []byte
		require.NoError(t, s.Payload(t.Context(), row.ID, func(p []byte) error { all = append(all, p...); return nil }))
		require.Equal(t, file, all)
	}
	whole()
	infos, err := s.BlockInfos(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 345, infos[2].Size)

	// Reads follow the file: the rename comes before its note in the row.
	require.NoError(t, os.Rename(row.WorkPath, row.BackupPath))
	whole()
	err = s.BackedUp(t.Context(), start, store.Backup{ID: row.ID, Path: row.BackupPath})
	require.NoError(t, err)
	whole()

	// It is not ours to write to.
	_, err = s.PutBlocks(t.Context(), start, row.Ref(), cut(row, random(100)), nil)
	requireCode(t, store.CodeBlockInvalid, err)
	whole()
	// Without a file there is nothing to adopt.
	rows := heldRow(t, s, term, inRows)
	_, err = s.PutBlocks(t.Context(), start, rows.Ref(), adopt(cut(rows, file)), nil)
	requireCode(t, store.CodeBlockInvalid, err)
}

// filesSpoilt: what was written to the file since is never read as payload.
func filesSpoilt(t *testing.T, open Open) {
	s, term := begin(t, open)
	file := random(2345)
	damaged := func(row *transfer.Transfer, offset, length int64, block string) {
		t.Helper()
		_, err := s.ReadRange(t.Context(), row.ID, offset, length, nil)
		requireCode(t, store.CodeBlockDamaged, err)
		require.Equal(t, block, fault.As(err).Args["block"])
	}
	row := adopted(t, s, term, file)
	f, err := os.OpenFile(row.WorkPath, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{file[1999] ^ 1}, 1999)
	require.NoError(t, err)
	damaged(row, 0, 2345, "2")
	damaged(row, 1000, 1000, "2")
	damaged(row, 1000, 1, "2") // one byte, and not the one that was changed
	got, err := s.ReadRange(t.Context(), row.ID, 0, 1000, nil)
	require.NoError(t, err)
	require.Equal(t, file[:1000], got)
	_, err = s.Verify(t.Context(), row.ID)
	requireCode(t, store.CodeBlockDamaged, err)
	requireCode(t, store.CodeBlockDamaged, s.Payload(t.Context(), row.ID, func([]byte) error { return nil }))

	require.NoError(t, f.Truncate(2344))
	damaged(row, 2000, 1, "3")
	require.NoError(t, f.Close())
	there, err := s.Present(t.Context(), row, 2345)
	require.NoError(t, err)
	require.False(t, there)
}

func filesVanished(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := adopted(t, s, term, random(2345))
	require.NoError(t, os.Remove(row.WorkPath))
	_, err := s.ReadRange(t.Context(), row.ID, 0, 10, nil)
	requireCode(t, store.CodeBlockMissing, err)
	_, err = s.Verify(t.Context(), row.ID)
	requireCode(t, store.CodeBlockMissing, err)
	there, err := s.Present(t.Context(), row, 2345)
	require.NoError(t, err)
	require.False(t, there)

	// A directory that is gone looks like a file system that is not mounted.
	require.NoError(t, os.Remove(filepath.Dir(row.WorkPath)))
	_, err = s.ReadRange(t.Context(), row.ID, 0, 10, nil)
	requireCode(t, store.CodePayloadAway, err)
	require.True(t, store.Away(err))
	_, err = s.Present(t.Context(), row, 2345)
	require.True(t, store.Away(err))

	// A file that is received loses its beginning: the rest is not taken for
	// the whole, and the next holder begins anew.
	at := inFiles(t)
	in := heldRow(t, s, term, at)
	file := random(2345)
	blocks := cut(in, file)
	put(t, s, in, blocks[0])
	require.NoError(t, os.Remove(in.PayloadIn))
	_, err = s.PutBlocks(t.Context(), start, in.Ref(), blocks[1:2], nil)
	requireCode(t, store.CodeBlockMissing, err)
	require.NoFileExists(t, in.PayloadIn)
	require.NoError(t, s.Recheck(t.Context(), start, in.Ref()))
	put(t, s, in, blocks...)
	got, err := s.ReadRange(t.Context(), in.ID, 0, 2345, nil)
	require.NoError(t, err)
	require.Equal(t, file, got)
}

// filesRecheck: after a crash a block whose bytes are not what its row says is
// missing again, and so are those after it.
func filesRecheck(t *testing.T, open Open) {
	s, term := begin(t, open)
	at := inFiles(t)
	file := random(20_345)
	for name, test := range map[string]struct {
		spoil func(path string) error
		left  int64
	}{
		"whole":     {func(string) error { return nil }, 20_345},
		"torn":      {func(path string) error { return writeAt(path, 17_005, 0xff^file[17_005]) }, 17_000},
		"torn soon": {func(path string) error { return writeAt(path, 0, 0xff^file[0]) }, 0},
		"cut":       {func(path string) error { return os.Truncate(path, 20_344) }, 20_000},
		"gone":      {os.Remove, 0},
	} {
		row := heldRow(t, s, term, at)
		put(t, s, row, cut(row, file)...)
		require.NoError(t, test.spoil(row.PayloadIn))
		require.NoError(t, s.Recheck(t.Context(), start, row.Ref()))
		left, err := s.Contiguous(t.Context(), row.ID)
		require.NoError(t, err)
		require.Equal(t, test.left, left, name)
		v, err := s.Verify(t.Context(), row.ID)
		require.NoError(t, err, name)
		require.Equal(t, test.left, v.Size)
	}
}

func writeAt(path string, offset int64, b byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte{b}, offset)
	return err
}

// filesFenced: rows are fenced by the database, the file by us.
func filesFenced(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, inFiles(t))
	blocks := cut(row, random(3000))
	put(t, s, row, blocks[:2]...)
	now, err := s.TakeOver(t.Context(), start, row.ID, "one", term, "newer", "")
	require.NoError(t, err)
	_, err = s.PutBlocks(t.Context(), start, row.Ref(), []transfer.Block{block(row, 2, random(1000))}, nil)
	require.ErrorIs(t, err, store.ErrFenced)
	require.NoError(t, s.Recheck(t.Context(), start, now.Ref()))
	require.ErrorIs(t, s.DropBlocks(t.Context(), start, row.Ref(), 1), store.ErrFenced)
	put(t, s, now, blocks[2])
	v, err := s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 3000, v.Size)
}

// filesLocked: nobody writes or rechecks while another process has the file.
func filesLocked(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := heldRow(t, s, term, inFiles(t))
	file := random(2345)
	blocks := cut(row, file)
	put(t, s, row, blocks[0])
	other, err := os.Open(row.PayloadIn)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX))
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = s.PutBlocks(soon, start, row.Ref(), blocks[1:2], nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	info, err := other.Stat()
	require.NoError(t, err)
	require.EqualValues(t, 1000, info.Size(), "nothing was written")
	done := make(chan error, 1)
	go func() { done <- s.Recheck(context.WithoutCancel(t.Context()), start, row.Ref()) }()
	require.NoError(t, other.Close())
	require.NoError(t, <-done)
	put(t, s, row, blocks[1:]...)
	got, err := s.ReadRange(t.Context(), row.ID, 0, 2345, nil)
	require.NoError(t, err)
	require.Equal(t, file, got)
}

// filesClaim: what is in files is claimed where they are.
func filesClaim(t *testing.T, open Open) {
	s, term := begin(t, open)
	inFile := create(t, s, transfer.Send, transfer.Stored, func(row *transfer.Transfer) { row.Place, row.PayloadIn = "one", transfer.InFile })
	inRow := create(t, s, transfer.Send, transfer.Stored, func(row *transfer.Transfer) { row.Place = "one" })
	q := store.ClaimQuery{Owner: "one", Term: term, Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending, Limit: 9, Here: "two"}
	got, err := s.Claim(t.Context(), start, q)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, inRow.ID, got[0].ID)
	q.Here = "one"
	got, err = s.Claim(t.Context(), start, q)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, inFile.ID, got[0].ID)
}

// filesRelease: a file that is kept for the payload goes, the business side's
// stays.
func filesRelease(t *testing.T, open Open) {
	s, term := begin(t, open)
	ours := heldRow(t, s, term, inFiles(t))
	put(t, s, ours, cut(ours, random(35*1000))...)
	theirs := adopted(t, s, term, random(2345))
	for _, row := range []*transfer.Transfer{ours, theirs} {
		_, err := s.Change(t.Context(), start, row.Ref(), to(transfer.Failed))
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, s.Release(t.Context(), start, row.ID))
		}
		infos, err := s.BlockInfos(t.Context(), row.ID)
		require.NoError(t, err)
		require.Empty(t, infos)
	}
	require.NoFileExists(t, ours.PayloadIn)
	require.FileExists(t, theirs.WorkPath)
}
