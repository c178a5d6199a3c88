package instance

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// damage blanks the payload of the second block of the only transfer, behind
// the store's back.
func damage(t *testing.T, url string) {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, url = "sqlite", "file:"+path
	}
	db, err := sql.Open(driver, url) // both are registered by the store
	require.NoError(t, err)
	defer db.Close()
	var n int64
	require.NoError(t, db.QueryRow(`SELECT length(payload) FROM blocks WHERE number = 2`).Scan(&n))
	r, err := db.Exec(`UPDATE blocks SET payload = $1 WHERE number = 2`, make([]byte, n))
	require.NoError(t, err)
	n, err = r.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
