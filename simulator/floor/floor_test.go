package floor

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/line"
	"pabal/protocol/protocoltest"
)

// TestFilesArrive carries several files of several sizes over two sessions,
// under every profile that there is.
func TestFilesArrive(t *testing.T) {
	for _, name := range append(protocol.Embedded(), protocoltest.Names(t)...) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := protocoltest.Load(t, name)
			l := p.MaxData(p.Files.MessageSize)
			o := Options{Profile: p, DataSize: l, Dir: t.TempDir(), Sync: true}
			names := []string{"B01", "B02", "B03", "B04"}
			sizes := []int{1, l * p.Files.PerBlock, 2*l*p.Files.PerBlock + 150, 150}
			from := t.TempDir()
			var files []File
			want := map[string][]byte{}
			for n, size := range sizes {
				f := File{Name: names[n], Path: filepath.Join(from, names[n])}
				if p.Carries(protocol.DataTelegram, protocol.Date) || p.Carries(protocol.Info, protocol.Date) || p.Session.NamesFile {
					f.Date = "20260320"
				}
				want[f.Name] = content(size)
				require.NoError(t, os.WriteFile(f.Path, want[f.Name], 0o640))
				files = append(files, f)
			}
			carry(t, o, 2, files)
			entries, err := os.ReadDir(o.Dir)
			require.NoError(t, err)
			got := map[string][]byte{}
			for _, e := range entries {
				body, err := os.ReadFile(filepath.Join(o.Dir, e.Name()))
				require.NoError(t, err)
				got[e.Name()[:3]] = body
			}
			require.Equal(t, want, got)
		})
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i*7+i/251)%26) // no delimiter
	}
	return b
}

// carry has both ends carry files over so many sessions.
func carry(t *testing.T, o Options, sessions int, files []File) {
	t.Helper()
	var mu sync.Mutex
	next := func() (File, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(files) == 0 {
			return File{}, false
		}
		f := files[0]
		files = files[1:]
		return f, true
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var all sync.WaitGroup
	errs := make(chan error, 2*sessions)
	for range sessions {
		ours, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		theirs, err := l.Accept()
		require.NoError(t, err)
		all.Go(func() { errs <- Send(t.Context(), ours, o, next) })
		all.Go(func() { errs <- Receive(t.Context(), theirs, o) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// TestNothingIsAllocatedPerTelegram: a block costs both ends as many allocations
// with few telegrams as with many, under every profile.
func TestNothingIsAllocatedPerTelegram(t *testing.T) {
	for _, name := range append(protocol.Embedded(), protocoltest.Names(t)...) {
		t.Run(name, func(t *testing.T) { // one after the other: those of the whole process are counted
			p := protocoltest.Load(t, name)
			const each = 16
			dir := t.TempDir()
			o := Options{Profile: p, DataSize: each, Dir: t.TempDir(), Buffers: line.NewBuffers(4)}
			f := File{Name: "B01", Date: "20260320", Path: filepath.Join(dir, "B01")}
			allocated := func(telegrams int) uint64 {
				require.NoError(t, os.WriteFile(f.Path, content(telegrams*each), 0o640))
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				carry(t, o, 1, []File{f})
				runtime.ReadMemStats(&after)
				taken, err := filepath.Glob(filepath.Join(o.Dir, "*"))
				require.NoError(t, err)
				require.Len(t, taken, 1)
				require.NoError(t, os.Remove(taken[0])) // the name is free again
				return after.Mallocs - before.Mallocs
			}
			few, many := max(1, p.Files.PerBlock/10), p.Files.PerBlock
			a, b := allocated(few), allocated(many)
			// Others of the process allocate now and then; the least is ours.
			for range 20 {
				a, b = min(a, allocated(few)), min(b, allocated(many))
				if b <= a {
					return
				}
			}
			require.Less(t, b, a+uint64(many-few), "%d telegrams cost %d allocations, %d cost %d", few, a, many, b)
		})
	}
}
