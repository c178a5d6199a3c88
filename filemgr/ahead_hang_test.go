package filemgr

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAheadInHangingDirectory: a receive directory that does not answer holds up
// nobody who begins a file, and who puts once, for a moment. When it answers at
// last nothing is left of the file that nobody waits for any more.
func TestAheadInHangingDirectory(t *testing.T) {
	for name, answers := range map[string]func(o AssembleOptions, path string) (*os.File, error){
		"with the file": func(o AssembleOptions, path string) (*os.File, error) {
			if err := MakeStaging(o); err != nil {
				return nil, err
			}
			return o.Access.OpenNew(path)
		},
		"with an error": func(o AssembleOptions, _ string) (*os.File, error) { return nil, os.ErrPermission },
	} {
		t.Run(name, func(t *testing.T) {
			o := AssembleOptions{ReceiveDir: t.TempDir(), ID: "1", Form: Form{Kind: Raw}}
			require.NoError(t, MakeStaging(o))
			synctest.Test(t, func(t *testing.T) {
				hangs := make(chan struct{})
				start := time.Now()
				a, err := buildAhead(o, func(path string) (*os.File, error) {
					<-hangs
					return answers(o, path)
				})
				require.NoError(t, err)
				a.Put([]byte("x"))
				require.Zero(t, time.Since(start))
				for range 5 {
					a.Put([]byte("x"))
				}
				require.Equal(t, aheadPatience, time.Since(start))
				a.End("")
				_, there := a.Adopt(context.Background(), o)
				require.False(t, there)
				require.False(t, a.Over())
				require.Equal(t, aheadPatience, time.Since(start))
				close(hangs)
				synctest.Wait()
				require.True(t, a.Over())
				require.Empty(t, staged(t, o.ReceiveDir))
			})
		})
	}
}

// TestAheadOfALaterSession: a file that waited for its directory is not opened
// over one that a later session builds for the same transfer.
func TestAheadOfALaterSession(t *testing.T) {
	o := AssembleOptions{ReceiveDir: t.TempDir(), ID: "1", Form: Form{Kind: Raw}}
	wire := []byte("abcdefg")
	later := ahead(t, o, wire, 3)
	later.End(digest(wire))
	<-later.done
	first := ahead(t, o, []byte("xyz"), 3)
	first.Drop()
	<-first.done
	require.ErrorIs(t, first.err, os.ErrExist)
	o.WireSize, o.WireDigest = int64(len(wire)), digest(wire)
	s, there := later.Adopt(context.Background(), o)
	require.True(t, there)
	require.Equal(t, wire, []byte(content(t, s.Path)))
	require.Equal(t, []string{"1"}, staged(t, o.ReceiveDir))
}
