package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// crockford is base32 without the letters that people confuse.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength is the length of an id: 64 bits in characters of five.
const idLength = 13

// NewID makes an id: 48 bits of milliseconds and 16 random bits as 13
// characters of lower-case base32, which sort by time of creation.
func NewID(now time.Time) string {
	var random [2]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	v := uint64(now.UnixMilli())<<16 | uint64(binary.BigEndian.Uint16(random[:]))
	var id [idLength]byte
	for i := idLength - 1; i >= 0; i-- {
		id[i] = crockford[v&31]
		v >>= 5
	}
	return string(id[:])
}

// NewIDs makes n ids that no transfer has, in rising order. Many of one
// millisecond could otherwise be two of a kind.
func (s *Store) NewIDs(ctx context.Context, now time.Time, n int) ([]string, error) {
	first := NewID(now)[:idLength-4] // what comes of the random bits is in the last four
	rows, err := s.query(ctx, "SELECT id FROM transfers WHERE id >= $1 AND id < $2", first, first+"~")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	taken := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, s.engine.translate(err)
		}
		taken[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, s.engine.translate(err)
	}
	ids := make([]string, 0, n)
	for len(ids) < n {
		if id := NewID(now); !taken[id] {
			taken[id] = true
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// TimeOf is when an id was made, to the millisecond; zero if it is none of ours.
func TimeOf(id string) time.Time {
	if len(id) != idLength {
		return time.Time{}
	}
	var v uint64
	for i := range id {
		n := strings.IndexByte(crockford, id[i])
		if n < 0 {
			return time.Time{}
		}
		v = v<<5 | uint64(n)
	}
	return time.UnixMilli(int64(v >> 16)).UTC()
}

// readID undoes what people do to an id when they read it aloud or copy it.
func readID(typed string) string {
	return strings.NewReplacer("o", "0", "i", "1", "l", "1", "-", "", " ", "").Replace(strings.ToLower(typed))
}
