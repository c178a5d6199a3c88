package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// TestRowsAreReadInTheirOrder: of a field with two rows the last one counts, however
// each of them is read; a row that is not there is empty; what an answer repeats is
// kept beside what the row means.
func TestRowsAreReadInTheirOrder(t *testing.T) {
	p := profile(t, "cms")
	digit := number{zero: '0', fill: '0'}
	l := &layout{kind: Info, places: []place{
		{field: Response, width: 3, fill: '*', trim: true, kept: noField},
		{field: noField, width: 1, kept: noField},
		{field: Size, width: 2, num: digit, kept: firstOwn},
		{field: Response, width: 3, kept: noField},
		{field: Size, width: 1, num: digit, kept: noField},
		{field: noField, width: 1, kept: firstOwn + 1},
		{field: Data, span: toEnd, kept: noField},
	}}
	l.plan()
	l.plan() // a layout that two kinds share
	read := func(frame string) (*Telegram, error) {
		var tg Telegram
		err := p.read(l, []byte(frame), &tg)
		return &tg, err
	}

	tg, err := read("AB*x12CD*7kdata")
	require.NoError(t, err)
	require.Equal(t, "CD*", string(tg.Raw(Response)))
	require.EqualValues(t, 7, tg.Number(Size))
	require.Equal(t, "12", string(tg.Raw(firstOwn)))
	require.Equal(t, "k", string(tg.Raw(firstOwn+1)))
	require.Equal(t, "data", string(tg.Data()))

	tg, err = read("AB*x1")
	require.NoError(t, err)
	require.Empty(t, tg.Raw(Response))
	require.Zero(t, tg.Number(Size))
	require.Equal(t, "1", string(tg.Raw(firstOwn)))

	_, err = read("AB*x1zCDE7kdata")
	require.Equal(t, CodeNotANumber, fault.CodeOf(err))
	_, err = read("AB*x12CDEzkdata")
	require.Equal(t, CodeNotANumber, fault.CodeOf(err))
}
