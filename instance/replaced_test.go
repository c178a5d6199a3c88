package instance

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/store"
	"pabal/transfer"
)

// TestDatabaseTakenAwayInMidSession: after the first block another copy is put
// in the place of the database, or it is removed. No positive answer leaves
// after that, and the instance ends and says why.
func TestDatabaseTakenAwayInMidSession(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(path string) error{
		"renamed over": func(path string) error { return os.Rename(path+".copy", path) },
		"removed":      os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			p := makePair(t, sqlite, "cms", []file{rawForm("EB21")}, nil, nil)
			h := p.centre
			h.listen()
			var once sync.Once
			var mu sync.Mutex
			var after []string
			gone := false
			var failed error
			h.opt.Trace = func(_ string, out bool, tel *protocol.Telegram, _ []byte) {
				if !out {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if gone {
					after = append(after, tel.Text(protocol.Response))
				}
				if tel.Kind == protocol.CheckReply {
					once.Do(func() { failed, gone = take(strings.TrimPrefix(h.url, "sqlite:")), true })
				}
			}
			p.start()
			path := strings.TrimPrefix(h.url, "sqlite:")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path+".copy", b, 0o600))
			p.institution.drop("EB21.CENTRE.JOB", content(4*blockOf("cms")+1))
			err = <-h.done
			require.Equal(t, store.CodeReplaced, fault.CodeOf(err), "%v", err)
			h.stop()
			h.stop = nil
			require.NoError(t, h.store.Close())
			mu.Lock()
			defer mu.Unlock()
			require.NoError(t, failed)
			require.True(t, gone)
			require.NotContains(t, after, "000")
			rows, err := p.institution.store.List(t.Context(), store.Filter{})
			require.NoError(t, err)
			require.Len(t, rows, 1)
			for _, r := range rows {
				require.NotEqual(t, transfer.Sent, r.Status)
			}
		})
	}
}
