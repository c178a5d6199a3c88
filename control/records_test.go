package control

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/internal/mask"
	"pabal/store"
)

// TestRecordsByType: declared fields show what their type lets show, all else
// its shape; who wants more goes on record before he sees it.
func TestRecordsByType(t *testing.T) {
	d := newDesk(t, catalog.EN)
	tr := sending()
	tr.WireSize, tr.Blocks = 60, 1
	made := d.create(tr)
	b := part(1, 3, 1, 2, 3)
	b.Payload = []byte("H00001EB21" + "D110234567" + "D\xc8\xab\xb1\xe6\xb5\xbf\x1b12" + "R987654321" + "R987654321" + "T0000009  ")
	putBlocks(d, made, b)
	layout := Layout{
		{Name: "kind", Offset: 0, Length: 1, Type: mask.Code},
		{Name: "account", Offset: 1, Length: 8, Type: mask.Account, Starts: "D1"},
		{Name: "holder", Offset: 1, Length: 6, Type: mask.Name, Starts: "D\xc8"},
		{Name: "overlaps", Offset: 3, Length: 4, Type: mask.Code, Starts: "D"},
		{Name: "too long", Offset: 9, Length: 9, Type: mask.Code},
	}
	got, err := d.c.Records(t.Context(), made.ID, RecordQuery{From: 1, To: 3, Layout: layout})
	require.NoError(t, err)
	require.Equal(t, []Record{
		{1, "H99999xx99", []RecordField{{"kind", "code", "H"}}},
		{2, "D****34569", []RecordField{{"kind", "code", "D"}, {"account", "account", "****3456"}}},
		{3, "D홍*동?99", []RecordField{{"kind", "code", "D"}, {"holder", "name", "홍*동"}}},
	}, got)

	before, err := d.s.Transfer(t.Context(), made.ID)
	require.NoError(t, err)
	all := RecordQuery{From: 2, To: 3, Layout: layout, Unmasked: true, By: Actor{Who: "kim", Host: "h"}}
	_, err = d.c.Records(t.Context(), made.ID, all)
	require.Equal(t, CodeReasonMissing, fault.CodeOf(err))
	forbidden := all
	forbidden.By.Reason, forbidden.Never = "dispute 17", "host"
	_, err = d.c.Records(t.Context(), made.ID, forbidden)
	require.Equal(t, CodeMaskAlways, fault.CodeOf(err))
	commands, err := d.s.Commands(t.Context(), store.CommandFilter{TransferID: made.ID})
	require.NoError(t, err)
	require.Empty(t, commands)

	all.By.Reason = "dispute 17"
	got, err = d.c.Records(t.Context(), made.ID, all)
	require.NoError(t, err)
	require.Equal(t, "D110234567", got[0].Text)
	require.Equal(t, "D홍길동?12", got[1].Text)
	commands, err = d.s.Commands(t.Context(), store.CommandFilter{TransferID: made.ID})
	require.NoError(t, err)
	require.Len(t, commands, 1)
	require.Equal(t, []string{ShowRecords, "kim", "dispute 17", "2..3"}, []string{commands[0].Name, commands[0].Who, commands[0].Reason, commands[0].Subject})
	after, err := d.s.Transfer(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, before.Ref(), after.Ref(), "whoever holds the transfer goes on")
}
