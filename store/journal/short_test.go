package journal

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

var begun = time.Date(2026, 3, 20, 1, 2, 3, 0, time.UTC)

func wrote(n int64, id string, st transfer.Status) []store.Written {
	at := begun.Add(time.Duration(n) * time.Second)
	return []store.Written{{Event: transfer.Event{ID: n, At: at, TransferID: id, Kind: store.EventStatus, To: st},
		Row: &transfer.Transfer{Direction: transfer.Send, Name: id, CreatedAt: begun}}}
}

// full is a disk that takes so many bytes more.
type full struct {
	output
	room int
}

func (f *full) Write(b []byte) (int, error) {
	n, err := f.output.Write(b[:min(len(b), f.room)])
	f.room -= n
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

func opened(t *testing.T, dir string, o Options) *Journal {
	t.Helper()
	o.Dir, o.Now = dir, func() time.Time { return begun }
	j, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

func recalled(t *testing.T, dir string) map[string]transfer.Status {
	t.Helper()
	m, err := Recall(dir)
	require.NoError(t, err)
	out := map[string]transfer.Status{}
	for id, k := range m.Transfers {
		out[id] = k.Status
	}
	return out
}

// TestShortWrite: a line of which the disk took a part is lost, and only it,
// whoever writes behind it.
func TestShortWrite(t *testing.T) {
	dir := t.TempDir()
	failed := 0
	j := opened(t, dir, Options{Server: true, Failed: func(error) { failed++ }})
	beside := opened(t, dir, Options{})
	j.Trust(store.Mark{Identity: "db"})
	j.Wrote(wrote(1, "a", transfer.Stored))
	disk := j.file
	j.file = &full{disk, 30}
	j.Wrote(wrote(2, "lost", transfer.Stored))
	require.Equal(t, 1, failed)
	beside.Wrote(wrote(3, "b", transfer.Stored)) // knows nothing of it
	j.file = &full{disk, 30}
	j.Wrote(wrote(4, "lost too", transfer.Stored))
	j.file = disk
	j.Wrote(wrote(5, "c", transfer.Stored))
	require.Equal(t, 2, failed)
	require.Equal(t, map[string]transfer.Status{"a": "stored", "b": "stored", "c": "stored"}, recalled(t, dir))
	again := opened(t, dir, Options{Server: true})
	require.EqualValues(t, 5, again.Mark().Event.ID)
}

// TestTwoAroundRotation: two processes of one place write while a new file is
// begun. Each line counts in its time, whichever file it stands in, and the mark
// of who opens then is one that was committed.
func TestTwoAroundRotation(t *testing.T) {
	dir := t.TempDir()
	fail := func(err error) { t.Error(err) }
	one := opened(t, dir, Options{Server: true, Size: 2000, Failed: fail})
	one.Trust(store.Mark{Identity: "db", Terms: map[string]int64{"one": 1}})
	one.Wrote(wrote(1, "x", transfer.Stored))
	two := opened(t, dir, Options{Server: true, Size: 2000, Failed: fail})
	operator := opened(t, dir, Options{Failed: fail})
	n := int64(1)
	for one.number < 2 {
		n++
		one.Wrote(wrote(n, fmt.Sprint("y", n), transfer.Stored))
	}
	one.Wrote(wrote(n+1, "x", transfer.Sending))
	one.Wrote(wrote(n+2, "z", transfer.Sending))
	operator.Wrote(wrote(n+3, "x", transfer.Held)) // still in the first file
	two.Wrote(wrote(n+4, "z", transfer.Sent))
	require.Equal(t, 1, operator.number)
	require.Equal(t, 2, two.number, "a day later for it: it finds the file that the other has begun")
	two.Wrote(wrote(n+5, "w", transfer.Stored))
	got := recalled(t, dir)
	require.Equal(t, []transfer.Status{"held", "sent", "stored"}, []transfer.Status{got["x"], got["z"], got["w"]})
	files, err := filepath.Glob(filepath.Join(dir, "journal-*"))
	require.NoError(t, err)
	require.Len(t, files, 2, "one new file, not one for each")
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, byte('\n'), b[len(b)-1])
	}
	late := opened(t, dir, Options{Server: true})
	require.Equal(t, "db", late.Mark().Identity)
	require.Equal(t, map[string]int64{"one": 1}, late.Mark().Terms)
	require.Positive(t, late.Mark().Event.ID)
}
