package filemgr

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/place"
)

// ahead puts wire in pieces of n bytes into a new file of o.
func ahead(t *testing.T, o AssembleOptions, wire []byte, n int) *Ahead {
	t.Helper()
	a, err := BuildAhead(o)
	require.NoError(t, err)
	for piece := make([]byte, n); len(wire) > 0; {
		got := copy(piece, wire)
		a.Put(piece[:got])
		clear(piece) // it was copied
		wire = wire[got:]
	}
	return a
}

func staged(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(StagingDir(dir))
	require.NoError(t, err)
	for _, e := range entries {
		if !place.IsGuard(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestAheadIsWhatBuildMakes: whatever the form, a file that was built while its
// bytes came has the bytes, sizes and digests of one that is built from them.
func TestAheadIsWhatBuildMakes(t *testing.T) {
	for _, test := range []struct {
		form     string
		encoding Encoding
		wire     string
	}{
		{"raw", Encoding{}, strings.Repeat("abcdefg", 100_000)},
		{"raw", Encoding{}, ""},
		{"raw", Encoding{EBCDIC: true}, strings.Repeat("abcdefg", 1000)},
		{"fixed:7", Encoding{}, strings.Repeat("abcdefg", 1000)},
		{"lines:crlf:strip:7", Encoding{}, strings.Repeat("abcdefg", 30_000)},
		{"lines:lf:keep:6", Encoding{}, strings.Repeat("abcdef\n", 1000)},
	} {
		t.Run(test.form+" "+test.encoding.String(), func(t *testing.T) {
			form, err := ParseForm(test.form)
			require.NoError(t, err)
			dir, wire := t.TempDir(), []byte(test.wire)
			o := AssembleOptions{ReceiveDir: dir, ID: "1", Form: form, Encoding: test.encoding}
			built, err := Build(context.Background(), AssembleOptions{ReceiveDir: dir, ID: "2", Form: form, Encoding: test.encoding}, source(wire))
			require.NoError(t, err)

			a := ahead(t, o, wire, 1000)
			require.NoFileExists(t, StagedPath(dir, "1"), "it is nothing yet")
			a.End(digest(wire))
			o.WireSize, o.WireDigest = int64(len(wire)), digest(wire)
			s, there := a.Adopt(context.Background(), o)
			require.True(t, there)
			require.Equal(t, []string{"1", "2"}, staged(t, dir))
			require.Equal(t, content(t, built.Path), content(t, s.Path))
			built.Path = s.Path
			require.Equal(t, built, s)
		})
	}
}

// TestAheadThatIsNotWanted: what is not the file that is asked for is not taken
// for it, and nothing of it is left.
func TestAheadThatIsNotWanted(t *testing.T) {
	wire := bytes.Repeat([]byte("abcdefg"), 1000)
	for name, spoil := range map[string]func(a *Ahead, o *AssembleOptions){
		"another digest": func(_ *Ahead, o *AssembleOptions) { o.WireDigest = digest([]byte("x")) },
		"no digest":      func(a *Ahead, o *AssembleOptions) { a.wire, o.WireDigest = "", "" },
		"another size":   func(_ *Ahead, o *AssembleOptions) { o.WireSize++ },
		"another form":   func(_ *Ahead, o *AssembleOptions) { o.Form = Form{Kind: Fixed, Length: 7} },
		"another code":   func(_ *Ahead, o *AssembleOptions) { o.Encoding.EBCDIC = true },
		"too large":      func(_ *Ahead, o *AssembleOptions) { o.MaxSize = 6999 },
		"checked":        func(_ *Ahead, o *AssembleOptions) { o.Check = &Check{} },
		"dropped":        func(a *Ahead, _ *AssembleOptions) { a.Drop() },
		"no place": func(_ *Ahead, o *AssembleOptions) {
			_ = os.MkdirAll(filepath.Join(StagedPath(o.ReceiveDir, o.ID), "in the way"), 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := AssembleOptions{ReceiveDir: t.TempDir(), ID: "1", Form: Form{Kind: Raw}}
			a := ahead(t, o, wire, 4096)
			a.End(digest(wire))
			o.WireSize, o.WireDigest = int64(len(wire)), digest(wire)
			spoil(a, &o)
			_, there := a.Adopt(context.Background(), o)
			require.False(t, there)
			a.Drop() // once more does no harm
			gone := func() bool { _, err := os.Lstat(a.staged.Path); return os.IsNotExist(err) }
			require.Eventually(t, gone, time.Minute, time.Millisecond)
			_, err := os.ReadFile(StagedPath(o.ReceiveDir, o.ID))
			require.Error(t, err)
		})
	}
}

// TestAheadOnFullDisk: one that cannot be written is given up at once, and who
// puts does not wait for it.
func TestAheadOnFullDisk(t *testing.T) {
	o := AssembleOptions{ReceiveDir: t.TempDir(), ID: "1", Form: Form{Kind: Raw}}
	a, err := buildAhead(o, func(path string) (*os.File, error) {
		require.NoError(t, MakeStaging(o))
		f, err := o.Access.OpenNew(path)
		require.NoError(t, err)
		return f, f.Close() // nothing can be written to it
	})
	require.NoError(t, err)
	for range 3 {
		a.Put(make([]byte, aheadBuffer))
	}
	<-a.done
	a.End("")
	_, there := a.Adopt(context.Background(), o)
	require.False(t, there)
	require.Empty(t, staged(t, o.ReceiveDir))
}

// TestAheadOnHangingDisk: a disk that does not come back holds up who puts once,
// for a moment.
func TestAheadOnHangingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Ahead{pieces: make(chan []byte), idle: make(chan struct{}, 1), dropped: make(chan struct{}), done: make(chan struct{})}
		a.err = errStopped
		start := time.Now()
		for range 5 {
			a.Put([]byte("x")) // the one before it is never written
		}
		require.Equal(t, aheadPatience, time.Since(start))
		close(a.done)
	})
}
