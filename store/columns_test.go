package store

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/transfer"
)

// TestColumnNames: a column is called like the field that it holds.
func TestColumnNames(t *testing.T) {
	words := regexp.MustCompile(`([a-z])([A-Z])`)
	check := func(v any, columns []column, others map[string]string) {
		s := reflect.ValueOf(v).Elem()
		require.Len(t, columns, s.NumField())
		for i := range s.NumField() {
			field := s.Type().Field(i).Name
			want := strings.ToLower(words.ReplaceAllString(field, "${1}_${2}"))
			if other := others[field]; other != "" {
				want = other
			}
			at := s.Field(i).Addr().Pointer()
			found := ""
			for _, c := range columns {
				ref := reflect.ValueOf(c.ref)
				switch r := c.ref.(type) {
				case micros:
					ref = reflect.ValueOf(r.t)
				case flag:
					ref = reflect.ValueOf(r.b)
				}
				if ref.Pointer() == at {
					found = c.name
				}
			}
			require.Equal(t, want, found)
		}
	}
	row, event, command, session := new(transfer.Transfer), new(transfer.Event), new(transfer.Command), new(transfer.Session)
	check(row, transferColumns(row), nil)
	check(event, eventColumns(event), map[string]string{"From": "from_status", "To": "to_status"})
	check(command, commandColumns(command), map[string]string{"Before": "before_status", "After": "after_status"})
	check(session, sessionColumns(session), nil)
}

// TestPragmas: what makes a commit durable, asked of the connection itself.
func TestPragmas(t *testing.T) {
	s := openServer(t)
	require.NoError(t, s.write(t.Context(), 0, func(tx *tx) error {
		for pragma, want := range map[string]string{
			"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "6000",
			"wal_autocheckpoint": "4000", "temp_store": "2",
		} {
			var got string
			_, err := tx.scan([]any{&got}, "PRAGMA "+pragma)
			require.NoError(t, err)
			require.Equal(t, want, got, pragma)
		}
		return nil
	}))
	rows, err := s.engine.readers().direct(t.Context(), "DELETE FROM meta")
	if err == nil {
		require.False(t, rows.Next())
		err = rows.Err()
		require.NoError(t, rows.Close())
	}
	require.Error(t, err, "the readers' connections do not write")
}

// TestDropStep: a deletion that stops half way leaves a run from the start.
func TestDropStep(t *testing.T) {
	s := openServer(t)
	row := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, DataSize: 10, PerBlock: 1}
	require.NoError(t, s.Create(t.Context(), time.Now(), row))
	var blocks []transfer.Block
	for n := int64(1); n <= 2*dropStep; n++ {
		b := transfer.Block{Number: n, Offset: 10 * (n - 1), Lengths: []uint16{10}, Payload: make([]byte, 10)}
		b.Held.Add(1)
		blocks = append(blocks, b)
	}
	_, err := s.PutBlocks(t.Context(), time.Now(), row.Ref(), blocks, nil)
	require.NoError(t, err)
	require.NoError(t, s.write(t.Context(), 0, func(tx *tx) error {
		n, err := tx.deleteBlocks(row.ID, 1)
		require.EqualValues(t, dropStep, n)
		return err
	}))
	v, err := s.Verify(t.Context(), row.ID)
	require.NoError(t, err)
	require.EqualValues(t, 10*dropStep, v.Size)
	require.True(t, v.Continuous)
}
