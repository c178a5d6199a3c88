package instance

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// TestLineDiesInSilence: in the middle of a file the line goes dead without a
// word. The counterparty gives up waiting, calls again and sends the file; then
// what was under way on the old line arrives after all. The file is there once.
func TestLineDiesInSilence(t *testing.T) {
	t.Parallel()
	onBoth(t, lineDiesInSilence)
}

func lineDiesInSilence(t *testing.T, on engine) {
	centre := newHost(t, on, "cms", "centre", []file{rawForm("EB21")}, nil)
	centre.opt.Listen[0].Address = "127.0.0.1:0"
	centre.start()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	heal := make(chan struct{})
	var passing sync.WaitGroup
	t.Cleanup(func() { _ = ln.Close(); passing.Wait() })
	passing.Go(func() {
		for first := true; ; first = false {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", centre.inst.Addresses()[0])
			if err != nil {
				t.Error(err)
				return
			}
			passing.Go(func() {
				defer to.Close()
				if first {
					_, _ = io.CopyN(to, from, 1<<20) // two blocks and a part of the third
					<-heal
				}
				_, _ = io.Copy(to, from)
			})
			passing.Go(func() { defer from.Close(); _, _ = io.Copy(from, to) })
		}
	})
	institution := newHost(t, sqlite, "cms", "institution", []file{rawForm("EB21")}, nil)
	n := &institution.opt.Institutions[0]
	n.Connect, n.Reply = ln.Addr().String(), 300*time.Millisecond
	institution.start()
	body := content(2 << 20)
	institution.drop("EB21.CENTRE.JOB", body)
	institution.await(transfer.Send, transfer.Sent, 1)
	row := centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	before := picture(t, centre.store)
	close(heal)
	_ = ln.Close()
	institution.end()
	passing.Wait() // the old session has heard everything and is over
	require.Equal(t, before, picture(t, centre.store))
	b, err := os.ReadFile(row.FinalPath)
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, b))
	sessions, err := centre.store.Sessions(t.Context(), store.SessionFilter{})
	require.NoError(t, err)
	require.Equal(t, string(CodeOccupied), sessions[0].ErrorCode)
	entries, err := os.ReadDir(centre.path("receive"))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the file and .pabal")
}
