package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/store"
	"pabal/store/storetest"
	"pabal/transfer"
)

func openSealed(t *testing.T, url string, keys ...store.Key) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url, Server: true, Keys: keys})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// TestPostgresSealed runs what has to do with payload; the rest of the suite
// meets no key.
func TestPostgresSealed(t *testing.T) {
	storetest.Keeper(t, func(t *testing.T) *store.Store {
		return openSealed(t, running.migrated(t), storetest.TestKey())
	})
}

func key(t *testing.T, b byte) store.Key {
	k, err := store.NewKey(bytes.Repeat([]byte{b}, store.KeySize))
	require.NoError(t, err)
	return k
}

// putText makes a transfer of one block per text.
func putText(t *testing.T, s *store.Store, texts ...string) string {
	t.Helper()
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, PerBlock: 10}
	require.NoError(t, s.Create(t.Context(), now, row))
	offset := int64(0)
	for n, text := range texts {
		b := transfer.Block{Number: int64(n) + 1, Offset: offset, Lengths: []uint16{uint16(len(text))}, Payload: []byte(text)}
		b.Held.Add(1)
		_, err := s.PutBlocks(t.Context(), now, row.Ref(), []transfer.Block{b}, nil)
		require.NoError(t, err)
		offset += int64(len(text))
	}
	return row.ID
}

func getText(t *testing.T, s *store.Store, id string, from, length int64) (string, error) {
	got, err := s.ReadRange(t.Context(), id, from, length, nil)
	return string(got), err
}

// bothSealed runs f on a database without content of each engine.
func bothSealed(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, running.sqlite.URL(t, t.TempDir())) })
	t.Run("postgres", func(t *testing.T) { f(t, running.migrated(t)) })
}

// TestSealHides: nothing of the payload is in the database, and equal payloads
// are stored as different bytes.
func TestSealHides(t *testing.T) {
	bothSealed(t, func(t *testing.T, url string) {
		s := openSealed(t, url, key(t, 1))
		secret := strings.Repeat("110123456789 HONG GILDONG ", 40)
		id := putText(t, s, secret, secret)
		rows, err := raw(t, s).Query("SELECT payload FROM blocks ORDER BY number")
		require.NoError(t, err)
		defer rows.Close()
		var seen [][]byte
		for rows.Next() {
			var b []byte
			require.NoError(t, rows.Scan(&b))
			require.NotContains(t, string(b), "HONG")
			seen = append(seen, b)
		}
		require.NoError(t, rows.Err())
		require.Len(t, seen, 2)
		require.NotEqual(t, seen[0], seen[1])
		got, err := getText(t, s, id, 4, 2*int64(len(secret))-8)
		require.NoError(t, err)
		require.Equal(t, (secret + secret)[4:2*len(secret)-4], got)
		if !strings.HasPrefix(url, "sqlite") {
			return
		}
		for _, end := range []string{"", "-wal"} {
			file, err := os.ReadFile(path(s) + end)
			require.NoError(t, err)
			require.False(t, bytes.Contains(file, []byte("HONG")), end)
		}
	})
}

// TestSealFaults: damage, a row that was moved, and a key that is not there
// are told apart, and none of them gives bytes.
func TestSealFaults(t *testing.T) {
	bothSealed(t, func(t *testing.T, url string) {
		one, two := key(t, 1), key(t, 2)
		s := openSealed(t, url, one)
		id := putText(t, s, "first-----", "second----")
		other := putText(t, s, "other-----", "more------")
		db := raw(t, s)
		read := func(s *store.Store, id string) fault.Code {
			got, err := getText(t, s, id, 0, 20)
			_, verr := s.Verify(t.Context(), id)
			require.Equal(t, fault.CodeOf(err), fault.CodeOf(verr), "%v %v", err, verr)
			require.Empty(t, got)
			return fault.CodeOf(err)
		}
		for _, test := range []struct {
			name   string
			change string
			want   fault.Code
		}{
			{"another key's name", `UPDATE blocks SET key_id = '000000000000' WHERE transfer_id = '%s' AND number = 1`, store.CodeKeyMissing},
			{"damaged", `UPDATE blocks SET checksum = checksum + 1 WHERE transfer_id = '%s' AND number = 1`, store.CodeBlockDamaged},
			{"moved within the file", `UPDATE blocks SET payload = (SELECT payload FROM blocks b WHERE b.transfer_id = blocks.transfer_id AND b.number = 2),
				checksum = (SELECT checksum FROM blocks b WHERE b.transfer_id = blocks.transfer_id AND b.number = 2) WHERE transfer_id = '%s' AND number = 1`, store.CodeBlockForeign},
			{"from another file", `UPDATE blocks SET payload = (SELECT payload FROM blocks b WHERE b.transfer_id = '` + other + `' AND b.number = blocks.number),
				checksum = (SELECT checksum FROM blocks b WHERE b.transfer_id = '` + other + `' AND b.number = blocks.number) WHERE transfer_id = '%s'`, store.CodeBlockForeign},
		} {
			id := putText(t, s, "first-----", "second----")
			_, err := db.Exec(fmt.Sprintf(test.change, id))
			require.NoError(t, err)
			require.Equal(t, test.want, read(s, id), test.name)
			_, err = db.Exec(`DELETE FROM blocks WHERE transfer_id = $1`, id)
			require.NoError(t, err)
		}

		// Without the key, or with another, no server starts, and an operator's
		// command reads nothing.
		require.NoError(t, s.Close())
		for _, keys := range [][]store.Key{nil, {two}} {
			_, err := store.Open(t.Context(), store.Options{URL: url, Server: true, Keys: keys})
			e := code(t, store.CodeKeyMissing, err)
			require.Equal(t, one.ID(), e.Args["key"])
			o, err := store.Open(t.Context(), store.Options{URL: url, Keys: keys})
			require.NoError(t, err)
			require.Equal(t, store.CodeKeyMissing, read(o, id))
			_, err = getText(t, o, id, 2, 3)
			code(t, store.CodeKeyMissing, err)
			require.NoError(t, o.Close())
		}
	})
}

// TestSealWhileOpen: a server that runs without keys beside one that has begun
// to seal never takes sealed bytes for payload.
func TestSealWhileOpen(t *testing.T) {
	url := running.postgres.URL(t)
	plain := openSealed(t, url)
	sealed := openSealed(t, url, key(t, 1))
	id := putText(t, sealed, strings.Repeat("0123456789", 100))
	_, err := getText(t, plain, id, 10, 10)
	e := code(t, store.CodeKeyMissing, err)
	require.Equal(t, key(t, 1).ID(), e.Args["key"])
	require.True(t, store.Away(err), "it waits for a person to give the key")
}

// TestSealRotation: old payload stays readable under its key, new payload
// takes the first, and a key is wanted only as long as something needs it.
func TestSealRotation(t *testing.T) {
	bothSealed(t, func(t *testing.T, url string) {
		s := openSealed(t, url)
		before := putText(t, s, "in clear")
		require.NoError(t, s.Close())

		one, two := key(t, 1), key(t, 2)
		s = openSealed(t, url, one)
		old := putText(t, s, "sealed by one")
		require.NoError(t, s.Close())

		s = openSealed(t, url, two, one)
		fresh := putText(t, s, "sealed by two")
		for id, want := range map[string]string{before: "in clear", old: "sealed by one", fresh: "sealed by two"} {
			got, err := getText(t, s, id, 0, int64(len(want)))
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = getText(t, s, id, 3, 2)
			require.NoError(t, err)
			require.Equal(t, want[3:5], got)
		}
		require.NoError(t, s.Close())
		_, err := store.Open(t.Context(), store.Options{URL: url, Server: true, Keys: []store.Key{two}})
		require.Equal(t, one.ID(), code(t, store.CodeKeyMissing, err).Args["key"])

		s = openSealed(t, url, two, one)
		_, err = s.Change(t.Context(), now, transferRef(t, s, old), func(r *transfer.Transfer) error { r.Status = transfer.Abandoned; return nil })
		require.NoError(t, err)
		require.NoError(t, s.Release(t.Context(), now, old))
		require.NoError(t, s.Close())
		require.NoError(t, openSealed(t, url, two).Close())
	})
}

func transferRef(t *testing.T, s *store.Store, id string) transfer.Ref {
	row, err := s.Transfer(t.Context(), id)
	require.NoError(t, err)
	return row.Ref()
}

func TestParseKey(t *testing.T) {
	want := key(t, 0xAB)
	for _, text := range []string{
		strings.Repeat("ab", 32), strings.Repeat("AB", 32) + "\n",
		"q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s",
	} {
		k, err := store.ParseKey(text)
		require.NoError(t, err, text)
		require.Equal(t, want.ID(), k.ID())
	}
	for _, text := range []string{"", "abcd", strings.Repeat("ab", 31), strings.Repeat("ab", 33), "not a key at all, but a pass phrase"} {
		_, err := store.ParseKey(text)
		code(t, store.CodeKeyInvalid, err)
		if text != "" {
			require.NotContains(t, err.Error(), text)
		}
	}
	// However it is printed, it shows its name and nothing else.
	b, err := json.Marshal(struct{ K store.Key }{want})
	require.NoError(t, err)
	shown := fmt.Sprintf("%v %+v %#v %d %x %s", want, want, want, want, want, b)
	require.Equal(t, strings.TrimSpace(strings.Repeat("key "+want.ID()+" ", 5))+` {"K":"key `+want.ID()+`"}`, shown)
}

func BenchmarkSeal(b *testing.B) {
	k, err := store.NewKey(make([]byte, store.KeySize))
	require.NoError(b, err)
	for _, keys := range [][]store.Key{nil, {k}} {
		b.Run(fmt.Sprintf("keys=%d", len(keys)), func(b *testing.B) {
			s, err := store.Open(b.Context(), store.Options{URL: "sqlite:" + b.TempDir() + "/pabal.db", Server: true, Keys: keys})
			require.NoError(b, err)
			defer s.Close()
			require.NoError(b, s.Migrate(b.Context()))
			row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, PerBlock: 100}
			require.NoError(b, s.Create(context.Background(), now, row))
			payload := bytes.Repeat([]byte("0123456789"), 40000)
			one := transfer.Block{Payload: payload}
			for range 100 {
				one.Lengths = append(one.Lengths, 4000)
			}
			one.Held.Fill(100)
			b.SetBytes(2 * int64(len(payload))) // in and out
			var dst []byte
			for n := 0; b.Loop(); n++ {
				one.Number, one.Offset = int64(n)+1, int64(n*len(payload))
				_, err := s.PutBlocks(b.Context(), now, row.Ref(), []transfer.Block{one}, nil)
				require.NoError(b, err)
				dst, err = s.ReadRange(b.Context(), row.ID, one.Offset, int64(len(payload)), dst)
				require.NoError(b, err)
			}
		})
	}
}
