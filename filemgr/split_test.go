package filemgr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pabal/internal/fault"
	"pabal/transfer"
)

func put(t testing.TB, path string, content []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// wireOf splits a file and returns its wire bytes, checking each block's account.
func wireOf(t require.TestingT, path string, o SplitOptions) ([]byte, Result) {
	var wire []byte
	var number int64
	r, err := Split(context.Background(), path, o, func(b transfer.Block) error {
		number++
		require.Equal(t, number, b.Number)
		require.Equal(t, int64(len(wire)), b.Offset)
		sum := 0
		for i, n := range b.Lengths {
			sum += int(n)
			require.True(t, b.Held.Has(i+1))
			if i+1 < len(b.Lengths) {
				require.Equal(t, o.Geometry.DataSize, int(n), "only the last is short")
			}
		}
		require.Equal(t, len(b.Lengths), b.Held.Count())
		require.Equal(t, len(b.Payload), sum)
		require.NotZero(t, sum)
		wire = append(wire, b.Payload...)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(len(wire)), r.WireSize)
	require.Equal(t, digest(wire), r.WireDigest)
	require.Equal(t, number, r.Blocks)
	return wire, r
}

func assembled(t require.TestingT, dir string, o SplitOptions, wire []byte) ([]byte, Staged) {
	s, err := Assemble(context.Background(), AssembleOptions{ReceiveDir: dir, ID: "t1", Form: o.Form, Encoding: o.Encoding},
		func(emit func([]byte) error) error {
			for len(wire) > 0 { // in pieces that fit nothing
				n := min(len(wire), 37)
				if err := emit(wire[:n]); err != nil {
					return err
				}
				wire = wire[n:]
			}
			return nil
		})
	require.NoError(t, err)
	content, err := os.ReadFile(s.Path)
	require.NoError(t, err)
	return content, s
}

// Split, then Assemble: equal, for every form and encoding, around every border.
func TestSplitAssembleIsIdentity(t *testing.T) {
	dir := t.TempDir()
	forms := []string{"raw", "fixed:7", "lines:lf:keep", "lines:crlf:keep", "lines:lf:keep:7", "lines:crlf:keep:7", "lines:lf:strip:7", "lines:crlf:strip:7"}
	rapid.Check(t, func(t *rapid.T) {
		form, err := ParseForm(rapid.SampledFrom(forms).Draw(t, "form"))
		require.NoError(t, err)
		o := SplitOptions{
			Form:     form,
			Encoding: Encoding{Gzip: rapid.Bool().Draw(t, "gzip"), EBCDIC: rapid.Bool().Draw(t, "ebcdic")},
			Checks:   CheckOptions{SendEmpty: true},
			Geometry: transfer.Geometry{DataSize: rapid.IntRange(1, 30).Draw(t, "L"), PerBlock: rapid.SampledFrom([]int{1, 3, 100, 999}).Draw(t, "per block")},
		}
		block := int(o.Geometry.BlockBytes())
		size := max(0, block*rapid.IntRange(0, 3).Draw(t, "blocks")+rapid.IntRange(-8, 8).Draw(t, "more"))
		seed := rapid.Byte().Draw(t, "seed")
		var file []byte
		var records int64
		for i := 0; form.Kind == Raw && i < size; i++ {
			file = append(file, byte(i)*31+seed)
		}
		for form.Kind != Raw && len(file) < size {
			n := form.Length
			if n == 0 {
				n = (len(file) + int(seed)) % 23
			}
			for i := range n {
				b := byte(len(file)*31+i) + seed
				if form.Kind == Lines && (b == '\n' || b == '\r') {
					b = 'x'
				}
				file = append(file, b)
			}
			file = append(file, form.lineEnd()...)
			records++
		}
		path := filepath.Join(dir, "in")
		require.NoError(t, os.WriteFile(path, file, 0o600))
		wire, r := wireOf(t, path, o)
		require.Equal(t, int64(len(file)), r.FileSize)
		require.Equal(t, digest(file), r.FileDigest)
		require.Equal(t, records, r.Records)
		back, s := assembled(t, dir, o, wire)
		require.True(t, bytes.Equal(file, back), "the file came back different")
		require.Equal(t, Staged{Path: s.Path, FileSize: r.FileSize, WireSize: r.WireSize, FileDigest: r.FileDigest,
			WireDigest: r.WireDigest, Records: s.Records}, s)
		if form.Length > 0 {
			require.Equal(t, records, s.Records)
		}
	})
}

func TestSplitEveryByteValueAndExactBlocks(t *testing.T) {
	dir := t.TempDir()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	path := put(t, filepath.Join(dir, "in"), every)
	for _, e := range []Encoding{{}, {Gzip: true}, {EBCDIC: true}, {Gzip: true, EBCDIC: true}} {
		o := SplitOptions{Form: Form{Kind: Fixed, Length: 16}, Encoding: e, Geometry: transfer.Geometry{DataSize: 16, PerBlock: 4}}
		wire, r := wireOf(t, path, o)
		back, _ := assembled(t, dir, o, wire)
		require.Equal(t, every, back)
		if e == (Encoding{}) {
			require.Equal(t, Result{FileSize: 256, WireSize: 256, FileDigest: digest(every), WireDigest: digest(every), Records: 16, Sequences: 16, Blocks: 4}, r)
		}
	}
}

func TestSplitBlocksInFull(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "in"), []byte("123456789"))
	var got []transfer.Block
	_, err := Split(context.Background(), path, SplitOptions{Form: Form{Kind: Raw}, Geometry: transfer.Geometry{DataSize: 2, PerBlock: 3}},
		func(b transfer.Block) error {
			b.Payload = bytes.Clone(b.Payload)
			b.Lengths = append([]uint16(nil), b.Lengths...)
			got = append(got, b)
			return nil
		})
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "123456", string(got[0].Payload))
	require.Equal(t, []uint16{2, 2, 2}, got[0].Lengths)
	require.Equal(t, int64(6), got[1].Offset)
	require.Equal(t, "789", string(got[1].Payload))
	require.Equal(t, []uint16{2, 1}, got[1].Lengths)

	// The check value of CRC-32C is that of "123456789": E3069283.
	_, err = Split(context.Background(), path, SplitOptions{Form: Form{Kind: Raw}, Geometry: transfer.Geometry{DataSize: 9, PerBlock: 1}},
		func(b transfer.Block) error { require.Equal(t, uint32(0xE3069283), b.Checksum); return nil })
	require.NoError(t, err)
}

func TestSplitStripsLineEndsOnTheWire(t *testing.T) {
	dir := t.TempDir()
	o := SplitOptions{Form: Form{Kind: Lines, Length: 3, Strip: true, CRLF: true}, Geometry: transfer.Geometry{DataSize: 3, PerBlock: 100}}
	wire, r := wireOf(t, put(t, filepath.Join(dir, "in"), []byte("H01\r\nR02\r\nT03\r\n")), o)
	require.Equal(t, "H01R02T03", string(wire))
	require.Equal(t, int64(3), r.Records)
	o.Encoding.EBCDIC = true
	wire, _ = wireOf(t, filepath.Join(dir, "in"), o)
	require.Equal(t, "\xC8\xF0\xF1\xD9\xF0\xF2\xE3\xF0\xF3", string(wire))
}

func TestGzipIsTheSameEveryTime(t *testing.T) {
	dir := t.TempDir()
	o := SplitOptions{Form: Form{Kind: Raw}, Encoding: Encoding{Gzip: true}, Geometry: transfer.Geometry{DataSize: 100, PerBlock: 100}}
	a := put(t, filepath.Join(dir, "a"), bytes.Repeat([]byte("record"), 1000))
	one, _ := wireOf(t, a, o)
	b := filepath.Join(dir, "b")
	require.NoError(t, os.Rename(a, b))
	require.NoError(t, os.Chtimes(b, time.Unix(1, 0), time.Unix(1, 0)))
	two, _ := wireOf(t, b, o)
	require.Equal(t, one, two)
}

func TestSplitRefuses(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "in"), bytes.Repeat([]byte("x"), 100))
	good := SplitOptions{Form: Form{Kind: Raw}, Geometry: transfer.Geometry{DataSize: 10, PerBlock: 2}}
	emit := func(transfer.Block) error { return nil }
	with := func(change func(*SplitOptions)) SplitOptions { o := good; change(&o); return o }

	for _, g := range []transfer.Geometry{{}, {DataSize: 1}, {DataSize: 65536, PerBlock: 1}, {DataSize: 1, PerBlock: 1000}} {
		_, err := Split(ctx, path, with(func(o *SplitOptions) { o.Geometry = g }), emit)
		requireCode(t, CodeBadGeometry, err)
	}
	_, err := Split(ctx, path, with(func(o *SplitOptions) { o.Form = Form{} }), emit)
	requireCode(t, CodeBadForm, err)

	// Known from the size: refused before any block.
	_, err = Split(ctx, path, with(func(o *SplitOptions) { o.MaxWire = 99 }), func(transfer.Block) error { t.Fatal("emitted"); return nil })
	f := requireCode(t, CodeTooLarge, err)
	require.Equal(t, "100", f.Args["size"])
	require.Equal(t, "99", f.Args["limit"])
	_, err = Split(ctx, path, with(func(o *SplitOptions) { o.MaxWire = 100 }), emit)
	require.NoError(t, err)
	// Known only on the way.
	_, err = Split(ctx, path, with(func(o *SplitOptions) { o.MaxWire, o.Encoding.Gzip = 10, true }), emit)
	requireCode(t, CodeTooLarge, err)

	boom := errors.New("boom")
	for _, fail := range []int64{1, 5} { // in the middle and at the flush of the end
		_, err = Split(ctx, path, good, func(b transfer.Block) error {
			if b.Number == fail {
				return boom
			}
			return nil
		})
		require.ErrorIs(t, err, boom)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Split(cancelled, path, good, emit)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSplitNoticesThatTheFileChanged(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
		code   fault.Code
	}{
		{"grown", func(t *testing.T, p string) {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString("more")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, CodeChanged},
		{"touched", func(t *testing.T, p string) { require.NoError(t, os.Chtimes(p, time.Unix(5, 0), time.Unix(5, 0))) }, CodeChanged},
		{"shrunk", func(t *testing.T, p string) { require.NoError(t, os.Truncate(p, 3)) }, CodeShrunk},
		{"gone", func(t *testing.T, p string) { require.NoError(t, os.Remove(p)) }, CodeVanished},
		{"replaced", func(t *testing.T, p string) {
			require.NoError(t, os.Rename(put(t, p+".new", bytes.Repeat([]byte("y"), 100)), p))
		}, CodeReplaced},
		{"a link", func(t *testing.T, p string) {
			require.NoError(t, os.Rename(p, p+".old"))
			require.NoError(t, os.Symlink(p+".old", p))
		}, CodeReplaced},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := put(t, filepath.Join(t.TempDir(), "in"), bytes.Repeat([]byte("x"), 100))
			id, err := Identity(path)
			require.NoError(t, err)
			o := SplitOptions{Form: Form{Kind: Raw}, Geometry: transfer.Geometry{DataSize: 10, PerBlock: 5}, Identity: id}
			_, err = Split(ctx, path, o, func(b transfer.Block) error {
				if b.Number == 1 {
					c.change(t, path)
				}
				return nil
			})
			requireCode(t, c.code, err)
			// A file that differs from the claimed one is not even read.
			if c.name == "grown" {
				_, err = Split(ctx, path, o, func(transfer.Block) error { t.Fatal("read"); return nil })
				requireCode(t, CodeChanged, err)
			}
		})
	}
}

// Memory must not depend on the size: the greatest heap seen while a file four
// times as large passes is at most 8 MiB more.
func TestSplitMemoryIsConstant(t *testing.T) {
	dir := t.TempDir()
	peak := func(size int64, o SplitOptions) uint64 {
		path := filepath.Join(dir, fmt.Sprint(size))
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(size))
		require.NoError(t, f.Close())
		runtime.GC()
		var most uint64
		_, err = Split(context.Background(), path, o, func(b transfer.Block) error {
			if b.Number%64 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
			return nil
		})
		require.NoError(t, err)
		return most
	}
	o := SplitOptions{Form: Form{Kind: Fixed, Length: 128}, Geometry: transfer.Geometry{DataSize: 3968, PerBlock: 100},
		Checks: CheckOptions{Header: &HeaderCheck{}, Trailer: &TrailerCheck{Totals: []Total{}}}}
	small, large := peak(64<<20, o), peak(256<<20, o)
	require.Less(t, large, small+8<<20, "peaks %d and %d", small, large)
}

// The way back, with everything that can be in it, is constant too.
func TestToFileMemoryIsConstant(t *testing.T) {
	form, e := Form{Kind: Lines, Length: 126, Strip: true, CRLF: true}, Encoding{Gzip: true, EBCDIC: true}
	peak := func(size int) uint64 {
		var z bytes.Buffer
		line := append(bytes.Repeat([]byte("x"), 126), "\r\n"...)
		out := toWire(form, e, &z)
		chunk := bytes.Repeat(line, 1024)
		for n := 0; n < size; n += len(chunk) {
			_, err := out.Write(chunk)
			require.NoError(t, err)
		}
		require.NoError(t, out.Close())
		runtime.GC()
		gauge := &heapGauge{}
		require.NoError(t, ToFile(context.Background(), form, e, 0, source(z.Bytes()), gauge))
		require.Equal(t, size, gauge.size)
		return gauge.most - uint64(z.Len())
	}
	small, large := peak(8<<20), peak(32<<20)
	require.Less(t, large, small+8<<20, "peaks %d and %d", small, large)
}

// heapGauge counts bytes and notes the greatest heap at some of its writes.
type heapGauge struct {
	size, writes int
	most         uint64
}

func (g *heapGauge) Write(p []byte) (int, error) {
	g.size += len(p)
	if g.writes++; g.writes%64 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		g.most = max(g.most, m.HeapAlloc)
	}
	return len(p), nil
}

// A file eight times as long costs no more allocations: none per telegram, none
// per block, none per record.
func TestSplitAllocatesNothingPerTelegram(t *testing.T) {
	dir := t.TempDir()
	allocs := func(records int) float64 {
		content := "H" + fmt.Sprintf("%-16s", "")
		for range records {
			content += "R+000001         "
		}
		content += fmt.Sprintf("%-17s", fmt.Sprintf("T%04d%08d", records, records))
		path := put(t, filepath.Join(dir, "in"), []byte(content))
		o := SplitOptions{Form: Form{Kind: Fixed, Length: 17}, Geometry: transfer.Geometry{DataSize: 17, PerBlock: 10},
			Checks: CheckOptions{Header: &HeaderCheck{Mark: "H"}, Trailer: smallChecks.Trailer, Text: TextEUCKR}}
		return testing.AllocsPerRun(10, func() {
			_, err := Split(context.Background(), path, o, func(transfer.Block) error { return nil })
			require.NoError(t, err)
		})
	}
	small, large := allocs(500), allocs(4000)
	require.Less(t, large, small+10, "allocations %v and %v", small, large)
}

func BenchmarkSplit(b *testing.B) {
	const size = 64 << 20
	path := filepath.Join(b.TempDir(), "in")
	record := bytes.Repeat([]byte("R"), 149)
	record = append(record, ' ')
	put(b, path, bytes.Repeat(record, size/150))
	for _, c := range []struct {
		name string
		o    SplitOptions
	}{
		{"raw", SplitOptions{Form: Form{Kind: Raw}}},
		{"fixed with totals", SplitOptions{Form: Form{Kind: Fixed, Length: 150}, Checks: CheckOptions{Header: &HeaderCheck{}, Trailer: &TrailerCheck{}}}},
		{"fixed with text", SplitOptions{Form: Form{Kind: Fixed, Length: 150}, Checks: CheckOptions{Text: TextEUCKR}}},
		{"ebcdic", SplitOptions{Form: Form{Kind: Raw}, Encoding: Encoding{EBCDIC: true}}},
		{"gzip", SplitOptions{Form: Form{Kind: Raw}, Encoding: Encoding{Gzip: true}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.o.Geometry = transfer.Geometry{DataSize: 4050, PerBlock: 100}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Split(context.Background(), path, c.o, func(transfer.Block) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
