package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// This file is for engines whose database is a server, so that several
// processes may be the server process of pabal.

// childStarts is what a server process does with the database at its start.
// It waits for its parent, so that several begin at once.
func childStarts(ctx context.Context, url string) error {
	s, err := store.Open(ctx, store.Options{URL: url, Server: true})
	if err != nil {
		return err
	}
	fmt.Println("open")
	bufio.NewScanner(os.Stdin).Scan()
	err = s.Migrate(ctx)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	id, err := s.Identity(ctx)
	fmt.Println(id)
	return errors.Join(err, s.Close())
}

// StartTogether starts three processes at once on an empty database: it is
// migrated once, and all see the same.
func StartTogether(t *testing.T, url string) {
	var starts []*exec.Cmd
	var said []*bufio.Scanner
	var gates []interface{ Close() error }
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"=start "+url)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		gate, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		require.True(t, lines.Scan())
		require.Equal(t, "open", lines.Text())
		starts, said, gates = append(starts, cmd), append(said, lines), append(gates, gate)
	}
	for _, gate := range gates {
		require.NoError(t, gate.Close())
	}
	ids := map[string]bool{}
	for i, cmd := range starts {
		require.True(t, said[i].Scan())
		ids[said[i].Text()] = true
		require.NoError(t, cmd.Wait())
	}
	require.Len(t, ids, 1)
	s := openAgain(t, store.Options{URL: url}, false)
	have, want, err := s.SchemaVersions(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, have)
	id, err := s.Identity(t.Context())
	require.NoError(t, err)
	require.Contains(t, ids, id)
}

// ServerKilled writes while restart kills the database's server and starts it
// again: what was confirmed is there, what was not says so, and the store goes
// on by itself.
func ServerKilled(t *testing.T, url string, restart func()) {
	s := openAgain(t, store.Options{URL: url}, true)
	require.NoError(t, s.Migrate(t.Context()))
	term, err := s.Begin(t.Context(), start, "one", "host", 1)
	require.NoError(t, err)
	for range 2 {
		var mu sync.Mutex
		var confirmed []string
		enough := make(chan struct{})
		var once sync.Once
		var writers sync.WaitGroup
		former := term
		for range 4 {
			writers.Go(func() {
				for {
					row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Storing, Owner: "one", Term: former, DataSize: 100, PerBlock: 10}
					err := s.Create(t.Context(), start, row)
					if err == nil {
						_, err = s.Change(t.Context(), start, row.Ref(), to(transfer.Stored), block(row, 1, childPayload(row.ID)))
					}
					mu.Lock()
					switch {
					case err == nil:
						if confirmed = append(confirmed, row.ID); len(confirmed) == 40 {
							once.Do(func() { close(enough) })
						}
					case errors.Is(err, store.ErrFenced): // it did not notice
					case !store.Away(err):
						t.Errorf("not away: %v", err)
					}
					mu.Unlock()
					if err != nil {
						once.Do(func() { close(enough) })
						return
					}
				}
			})
		}
		<-enough
		restart()
		// Whoever was lucky enough not to notice is told to end.
		term, err = s.Begin(t.Context(), start, "one", "host", 1)
		require.NoError(t, err)
		writers.Wait()
		mu.Lock()
		for _, id := range confirmed {
			require.Equal(t, transfer.Stored, read(t, s, id).Status)
			payload, err := s.ReadRange(t.Context(), id, 0, int64(len(childPayload(id))), nil)
			require.NoError(t, err)
			require.Equal(t, childPayload(id), payload)
			require.Len(t, events(t, s, id), 2)
		}
		mu.Unlock()
	}
}
