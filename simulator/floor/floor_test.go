package floor

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// TestFilesArrive carries several files of several sizes over two sessions.
func TestFilesArrive(t *testing.T) {
	p, err := protocol.Load("cms")
	require.NoError(t, err)
	from, o := t.TempDir(), Options{Profile: p, DataSize: 4050, Dir: t.TempDir(), Sync: true}
	sizes := map[string]int{"B0000001": 1, "B0000002": 4050 * 100, "B0000003": 4050*200 + 150, "B0000004": 150}
	var mu sync.Mutex
	var files []File
	for name, size := range sizes {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i*7 + i/251)
		}
		path := filepath.Join(from, name)
		require.NoError(t, os.WriteFile(path, b, 0o640))
		files = append(files, File{name, path})
	}
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
	errs := make(chan error, 4)
	for range 2 {
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
	for name := range sizes {
		want, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(o.Dir, name))
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
}
