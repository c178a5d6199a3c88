package filemgr

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The vector of protocols §1.9.
func TestMACVector(t *testing.T) {
	got, err := MAC("6465911134", "5911135911", "23121023617800000000051204512110389840000000110120")
	require.NoError(t, err)
	require.Equal(t, "7370670538", got)
}

func TestMACInPartsIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.StringMatching(`[0-9]{0,70}`).Draw(t, "data")
		cut := rapid.IntRange(0, len(data)).Draw(t, "cut")
		whole, err := MAC("6465911134", "5911135911", data)
		require.NoError(t, err)
		m, err := NewMACState("6465911134", "5911135911")
		require.NoError(t, err)
		require.NoError(t, m.Add(data[:cut]))
		_ = m.Sum() // looking does not disturb
		require.NoError(t, m.Add(data[cut:]))
		require.Equal(t, whole, m.Sum())
	})
}

func TestMACRefuses(t *testing.T) {
	for _, c := range [][3]string{{"1", "5911135911", ""}, {"6465911134", "591113591x", ""}, {"6465911134", "5911135911", "12 3"}} {
		_, err := MAC(c[0], c[1], c[2])
		require.Error(t, err)
	}
}

func TestRotateRight(t *testing.T) {
	require.Equal(t, uint64(1234567890), rotateRight(1234567890, 0))
	require.Equal(t, uint64(123456789), rotateRight(1234567890, 1))
	require.Equal(t, uint64(8901234567), rotateRight(1234567890, 3))
}
