package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/store"
	"pabal/transfer"
)

// The benchmarks measure design D3: durable block rows of 400 KB in one
// database, and what claiming costs beside many finished rows.

const benchData, benchPerBlock = 4057, 100

// engines are the databases to measure, in one run. Both sync every commit.
func engines(b *testing.B, f func(b *testing.B, url string)) {
	b.Run("sqlite", func(b *testing.B) { f(b, "sqlite:"+b.TempDir()+"/pabal.db") })
	b.Run("postgres", func(b *testing.B) { f(b, running.postgres.URL(b)) })
}

func benchStore(b *testing.B, url string) (*store.Store, func() *transfer.Transfer) {
	s, err := store.Open(b.Context(), store.Options{URL: url, Server: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	require.NoError(b, s.Migrate(b.Context()))
	now := time.Now()
	term, err := s.Begin(b.Context(), now, "one", "host", 1)
	require.NoError(b, err)
	return s, func() *transfer.Transfer {
		t := &transfer.Transfer{Direction: transfer.Receive, Status: transfer.Receiving, Owner: "one", Term: term,
			DataSize: benchData, PerBlock: benchPerBlock}
		require.NoError(b, s.Create(b.Context(), now, t))
		return t
	}
}

func benchBlock() transfer.Block {
	b := transfer.Block{Payload: make([]byte, benchData*benchPerBlock)}
	for i := range b.Payload {
		b.Payload[i] = byte(i * 7)
	}
	for seq := 1; seq <= benchPerBlock; seq++ {
		b.Lengths = append(b.Lengths, benchData)
		b.Held.Add(seq)
	}
	return b
}

// BenchmarkPutBlocks writes blocks durably, one call each, from one and more
// sessions at once.
func BenchmarkPutBlocks(b *testing.B) {
	for _, sessions := range []int{1, 4} {
		b.Run(fmt.Sprint("sessions=", sessions), func(b *testing.B) {
			engines(b, func(b *testing.B, url string) {
				s, create := benchStore(b, url)
				b.SetBytes(benchData * benchPerBlock)
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range sessions {
					t := create()
					n := b.N / sessions
					if i == 0 {
						n += b.N % sessions
					}
					wg.Go(func() {
						block := benchBlock()
						for number := int64(1); number <= int64(n); number++ {
							block.Number, block.Offset = number, (number-1)*t.Geometry().BlockBytes()
							if _, err := s.PutBlocks(b.Context(), t.CreatedAt, t.Ref(), []transfer.Block{block}, nil); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			})
		})
	}
}

// BenchmarkReadRange reads blocks of 400 KB, and single telegrams.
func BenchmarkReadRange(b *testing.B) { engines(b, benchReadRange) }

func benchReadRange(b *testing.B, url string) {
	s, create := benchStore(b, url)
	t := create()
	const blocks = 100
	for number := int64(1); number <= blocks; number++ {
		block := benchBlock()
		block.Number, block.Offset = number, (number-1)*t.Geometry().BlockBytes()
		_, err := s.PutBlocks(b.Context(), t.CreatedAt, t.Ref(), []transfer.Block{block}, nil)
		require.NoError(b, err)
	}
	for _, length := range []int64{benchData * benchPerBlock, benchData} {
		b.Run(fmt.Sprint("bytes=", length), func(b *testing.B) {
			b.SetBytes(length)
			b.ReportAllocs()
			dst := make([]byte, 0, length)
			for i := range b.N {
				at := int64(i) * length % (blocks * benchData * benchPerBlock)
				if _, err := s.ReadRange(b.Context(), t.ID, at, length, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(blocks * benchData * benchPerBlock)
		for range b.N {
			if _, err := s.Verify(b.Context(), t.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkChange changes a status durably, from one and from many at once.
func BenchmarkChange(b *testing.B) {
	for _, sessions := range []int{1, 16} {
		b.Run(fmt.Sprint("sessions=", sessions), func(b *testing.B) {
			engines(b, func(b *testing.B, url string) {
				s, create := benchStore(b, url)
				b.ReportAllocs()
				b.SetParallelism(sessions)
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range sessions {
					t := create()
					n := b.N / sessions
					if i == 0 {
						n += b.N % sessions
					}
					wg.Go(func() {
						for k := range n {
							_, err := s.Change(b.Context(), t.CreatedAt, t.Ref(), func(t *transfer.Transfer) error {
								t.Missed = int64(k)
								return nil
							})
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			})
		})
	}
}

// BenchmarkBesideFinished claims and lists beside no finished transfers and
// beside a million.
func BenchmarkBesideFinished(b *testing.B) { engines(b, benchBesideFinished) }

func benchBesideFinished(b *testing.B, url string) {
	for _, finished := range []int{0, 1_000_000} {
		if finished > 0 && strings.HasPrefix(url, "postgres") {
			url = running.postgres.URL(b)
		} else if finished > 0 {
			url = "sqlite:" + b.TempDir() + "/pabal.db"
		}
		s, create := benchStore(b, url)
		model := create()
		_, err := s.Change(b.Context(), model.CreatedAt, model.Ref(), func(t *transfer.Transfer) error {
			t.Status = transfer.Failed
			t.Owner = ""
			return nil
		})
		require.NoError(b, err)
		db := raw(b, s)
		copies, err := db.Prepare(`INSERT INTO transfers
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			SELECT 'x' || i, ` + strings.TrimPrefix(columnsOfTransfers(b, db), "id, ") + ` FROM n, transfers WHERE $1 > 0 AND status = 'failed'`)
		require.NoError(b, err)
		_, err = copies.Exec(finished)
		require.NoError(b, err)
		require.NoError(b, copies.Close())
		for range 100 {
			t := &transfer.Transfer{Direction: transfer.Send, Status: transfer.Stored}
			require.NoError(b, s.Create(b.Context(), time.Now(), t))
		}
		b.Run(fmt.Sprint("claim/finished=", finished), func(b *testing.B) {
			for range b.N {
				// What is claimed goes back, so that each turn finds the same.
				got, err := s.Claim(b.Context(), time.Now(), store.ClaimQuery{Owner: "one", Term: 1,
					Statuses: []transfer.Status{transfer.Stored}, Limit: 1})
				require.NoError(b, err)
				require.Len(b, got, 1)
				_, err = s.Change(b.Context(), time.Now(), got[0].Ref(), func(t *transfer.Transfer) error { t.Owner = ""; return nil })
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprint("nothing/finished=", finished), func(b *testing.B) {
			for range b.N {
				got, err := s.Claim(b.Context(), time.Now(), store.ClaimQuery{Owner: "one", Term: 1,
					Statuses: []transfer.Status{transfer.Received, transfer.Waiting}, Limit: 1})
				require.NoError(b, err)
				require.Empty(b, got)
			}
		})
		b.Run(fmt.Sprint("list/finished=", finished), func(b *testing.B) {
			for range b.N {
				_, err := s.List(b.Context(), store.Filter{NewestFirst: true, Limit: 50})
				require.NoError(b, err)
			}
		})
	}
}

func columnsOfTransfers(b *testing.B, db *sql.DB) string {
	rows, err := db.Query(`SELECT * FROM transfers LIMIT 0`)
	require.NoError(b, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(b, err)
	require.NoError(b, rows.Err())
	return strings.Join(names, ", ")
}
