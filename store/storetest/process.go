package storetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// childVariable tells a test binary that it is a child of the suite.
const childVariable = "PABAL_STORETEST_CHILD"

// keyVariable says that a child seals payload with TestKey.
const keyVariable = "PABAL_STORETEST_SEALED"

// TestKey is what a variant of the suite may seal payload with; no other,
// because processes of the suite open the database too.
func TestKey() store.Key {
	k, err := store.NewKey(bytes.Repeat([]byte{7}, store.KeySize))
	if err != nil {
		panic(err) // a key of the right size is one
	}
	return k
}

func childOptions(url string, server bool) store.Options {
	o := store.Options{URL: url, Server: server}
	if _, sealed := os.LookupEnv(keyVariable); sealed {
		o.Keys = []store.Key{TestKey()}
	}
	return o
}

// Child runs what the suite asked this process to be. ran is false in the
// test process itself.
func Child() (ran bool, err error) {
	job, ok := os.LookupEnv(childVariable)
	if !ok {
		return false, nil
	}
	what, rest, _ := strings.Cut(job, " ")
	url, id, _ := strings.Cut(rest, " ")
	switch what {
	case "write":
		return true, childWrites(context.Background(), url)
	case "command":
		return true, childCommands(context.Background(), url, id)
	case "purge":
		return true, childPurges(context.Background(), url)
	case "start":
		return true, childStarts(context.Background(), url)
	}
	return true, errors.New("storetest: unknown job " + what)
}

// sealed reports that payload in s is sealed.
func sealed(s *store.Store) bool { return len(s.OpenedWith().Keys) > 0 }

// child is a process of this binary. Its standard output is read by lines.
func child(t *testing.T, job string, sealed bool) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+job)
	if sealed {
		cmd.Env = append(cmd.Env, keyVariable+"=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// childPayload is what a child writes for a transfer: recognisable, so that
// the parent can tell a torn block.
func childPayload(id string) []byte { return bytes.Repeat([]byte(id), 50) }

// childWrites creates and stores transfers until it is killed, and says each
// id after its change has returned.
func childWrites(ctx context.Context, url string) error {
	s, err := store.Open(ctx, childOptions(url, true))
	if err != nil {
		return err
	}
	term, err := s.Begin(ctx, start, "child", "host", os.Getpid())
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 4 { // at once, so that the kill meets groups of writes
		go func() {
			for {
				row := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Storing, Owner: "child", Term: term, DataSize: 100, PerBlock: 10}
				if err := s.Create(ctx, start, row); err != nil {
					failed <- err
					return
				}
				if _, err := s.Change(ctx, start, row.Ref(), to(transfer.Stored), block(row, 1, childPayload(row.ID))); err != nil {
					failed <- err
					return
				}
				if _, err := io.WriteString(os.Stdout, row.ID+"\n"); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// testKill: what returned before SIGKILL is there, and nothing half.
func testKill(t *testing.T, open Open) {
	s := open(t)
	require.NoError(t, s.Close())
	said := 0
	for round := range 3 {
		cmd, lines := child(t, "write "+s.URL(), sealed(s))
		var ids []string
		for len(ids) < 20+30*round && lines.Scan() {
			ids = append(ids, lines.Text())
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
			ids = append(ids, lines.Text())
		}
		require.Error(t, cmd.Wait(), "killed")
		require.NotEmpty(t, ids)
		said += len(ids)

		s := openAgain(t, s.OpenedWith(), true) // the lock of the dead is gone
		for _, id := range ids {
			require.Equal(t, transfer.Stored, read(t, s, id).Status)
		}
		all, err := s.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(all), said)
		for _, row := range all {
			got, err := s.BlockInfos(t.Context(), row.ID)
			require.NoError(t, err)
			if row.Status == transfer.Storing {
				require.Empty(t, got, "block and status are one")
				require.Len(t, events(t, s, row.ID), 1)
				continue
			}
			require.Len(t, events(t, s, row.ID), 2)
			payload, err := s.ReadRange(t.Context(), row.ID, 0, int64(len(childPayload(row.ID))), nil)
			require.NoError(t, err)
			require.Equal(t, childPayload(row.ID), payload)
		}
		require.NoError(t, s.Close())
	}
}

// childCommands is an operator's process: it lists, and holds and releases a
// transfer, each in a store opened anew.
func childCommands(ctx context.Context, url, id string) error {
	for i := range 6 {
		s, err := store.Open(ctx, childOptions(url, false))
		if err != nil {
			return err
		}
		if _, err := s.List(ctx, store.Filter{Limit: 50, NewestFirst: true}); err != nil {
			return err
		}
		status := transfer.Held
		if i%2 == 1 {
			status = transfer.Waiting
		}
		_, err = s.Command(ctx, start, transfer.Command{Name: "child", TransferID: id}, to(status))
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
		fmt.Println(status)
	}
	return nil
}

// testOperator: commands of another process get in while the server writes
// without a pause.
func testOperator(t *testing.T, open Open) {
	s, term := begin(t, open)
	row := create(t, s, transfer.Send, transfer.Waiting)
	busy := held(t, s, term, transfer.Receive, transfer.Receiving, func(row *transfer.Transfer) { row.DataSize, row.PerBlock = 4000, 100 })
	payload := random(400000)
	var stop atomic.Bool
	failed := make(chan error, 2)
	for i := range 2 {
		go func() {
			var err error
			for n := int64(0); !stop.Load() && err == nil; n++ {
				_, err = s.PutBlocks(t.Context(), start, busy.Ref(), []transfer.Block{block(busy, 1+int64(i)*10+n%10, payload)}, nil)
			}
			failed <- err
		}()
	}
	cmd, lines := child(t, "command "+s.URL()+" "+row.ID, sealed(s))
	n := 0
	for lines.Scan() {
		n++
	}
	require.NoError(t, cmd.Wait())
	stop.Store(true)
	require.NoError(t, <-failed)
	require.NoError(t, <-failed)
	require.Equal(t, 6, n)
	require.Equal(t, transfer.Waiting, read(t, s, row.ID).Status)
	require.EqualValues(t, 6, read(t, s, row.ID).Attempt)
	commands, err := s.Commands(t.Context(), store.CommandFilter{TransferID: row.ID})
	require.NoError(t, err)
	require.Len(t, commands, 6)
}
