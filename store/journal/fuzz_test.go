package journal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// FuzzRecall: whatever a crash, a full disk or a person has left in a journal, it
// is read, it is written on, and what is written then counts: none of it is lost
// to what stands before it. Nothing is remembered that no line says.
func FuzzRecall(f *testing.F) {
	base := Line{What: lineBase, Event: 3, At: begun.UnixMicro(), Identity: "db", Terms: map[string]int64{"one": 2}}
	var lines []byte
	for _, w := range append(wrote(4, "a", transfer.Stored), wrote(5, "a", transfer.Sending)...) {
		lines = append(lines, lineOf(w).bytes()...)
	}
	backup := Line{What: lineEvent, Event: 6, Transfer: "a", Kind: store.EventBackup, Detail: `{"path":"b/a"}`}
	lines = append(lines, backup.bytes()...)
	term := lineOf(store.Written{Instance: "one", Term: 3}).bytes()
	distrust := Line{What: lineDistrust, Quarantine: "q1"}.bytes()
	whole := bytes.Join([][]byte{base.bytes(), lines, term, distrust, base.bytes(), lines}, nil)
	f.Add(whole, uint16(0))
	f.Add(whole, uint16(len(whole)/2))
	f.Add(append(base.bytes(), lines[:len(lines)-9]...), uint16(100))
	f.Add(bytes.Join([][]byte{base.bytes(), lines[:150], lines, make([]byte, 100), []byte("\n{}\nnull\n[1]\n"), lines}, nil), uint16(20))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		// As two files: the first ends anywhere.
		first, second := filepath.Join(dir, fileName(1)), filepath.Join(dir, fileName(2))
		until := int(cut) % (len(text) + 1)
		require.NoError(t, os.WriteFile(first, text[:until], 0o600))
		require.NoError(t, os.WriteFile(second, text[until:], 0o600))
		said := map[string]bool{}
		for _, path := range []string{first, second} {
			require.NoError(t, readFile(path, func(l Line) {
				require.NotEmpty(t, l.What)
				if l.What == lineEvent && l.Row != nil {
					said[l.Transfer] = true
				}
			}))
		}
		before, err := Recall(dir)
		require.NoError(t, err)
		for id, k := range before.Transfers {
			require.True(t, said[id])
			require.Equal(t, id, k.Transfer(id).ID)
		}

		open := func() *Journal {
			j, err := Open(Options{Dir: dir, Server: true, Size: 1 << 30, Now: func() time.Time { return begun }, Failed: func(err error) { t.Error(err) }})
			require.NoError(t, err)
			j.day = begun.Format(time.DateOnly) // no new file on another day
			return j
		}
		j := open()
		was := j.Mark()
		require.NoError(t, j.Close())
		j = open()
		require.Equal(t, was, j.Mark(), "opening alone changes nothing")
		later := max(was.Event.ID, 0) + 1
		if later < 1 {
			later = was.Event.ID
		}
		j.Wrote(wrote(later, "new", transfer.Held))
		want := j.Mark()
		require.NoError(t, j.Close())
		require.Equal(t, want, func() store.Mark { j := open(); defer j.Close(); return j.Mark() }(), "what was written is remembered")

		j = open()
		j.Distrust("of this test")
		j.Trust(store.Mark{Identity: "another", Terms: map[string]int64{"one": 9}})
		want = j.Mark()
		require.NoError(t, j.Close())
		require.Equal(t, want, func() store.Mark { j := open(); defer j.Close(); return j.Mark() }())
		after, err := Recall(dir)
		require.NoError(t, err)
		if k := after.Transfers["new"]; !said["new"] {
			require.NotNil(t, k, "a line behind it is lost")
			require.Equal(t, transfer.Held, k.Status)
		}
		for id := range after.Transfers {
			require.True(t, said[id] || id == "new")
		}
		b, err := os.ReadFile(second)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(b, text[until:]), "what stood there stays")
	})
}

// FuzzLine: a line is read as it was written, whatever stands in it, also behind
// one that a crash has torn at any byte.
func FuzzLine(f *testing.F) {
	f.Add("EB21", `{"what":`, "two\nlines", int64(7), uint16(30))
	f.Add("\xff\u2028", `"}\`, "", int64(-1), uint16(0))
	f.Fuzz(func(t *testing.T, name, detail, code string, number int64, cut uint16) {
		w := store.Written{Event: transfer.Event{ID: number, At: begun, TransferID: name, Kind: store.EventBackup, Code: code, Detail: detail},
			Row: &transfer.Transfer{Name: name, WireName: code, Proofs: detail, WireSize: number, CreatedAt: begun}}
		want := lineOf(w)
		line := want.bytes()
		require.Equal(t, len(line)-1, bytes.IndexByte(line, '\n'))
		require.Equal(t, 0, bytes.LastIndex(line, []byte(lineBegins)), "it begins once")
		// What is no UTF-8 is written as what stands for it.
		require.NoError(t, json.Unmarshal([]byte(strings.TrimSpace(string(line))), &want))
		path := filepath.Join(t.TempDir(), fileName(1))
		torn := line[:int(cut)%len(line)]
		for _, text := range [][]byte{append(bytes.Clone(torn), line...), append(bytes.Clone(line), torn...)} {
			require.NoError(t, os.WriteFile(path, text, 0o600))
			var all []Line
			require.NoError(t, readFile(path, func(l Line) { all = append(all, l) }))
			if len(all) == 2 { // of the other only the line end was missing
				require.Equal(t, all[0], all[1])
				all = all[:1]
			}
			require.Equal(t, []Line{want}, all)
		}
	})
}
