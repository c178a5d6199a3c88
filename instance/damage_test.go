package instance

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the file is damaged behind the store's back
)

// damage flips bytes in the payload of the second block of every transfer.
func damage(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer db.Close()
	r, err := db.Exec(`UPDATE blocks SET payload = zeroblob(length(payload)) WHERE number = 2`)
	require.NoError(t, err)
	n, err := r.RowsAffected()
	require.NoError(t, err)
	require.Positive(t, n)
}
