package instance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// ownPartsOf is a file of kfb with header and trailer of its own, every record as
// long as the others; with says what is different.
func ownPartsOf(n int, with ...string) string {
	line := func(text string) string { return fmt.Sprintf("%-*s", 2+partsRecord, text) }
	all := line("11057GR15112020261120")
	for i := range n {
		all += line("22" + string(records(n)[i*partsRecord:(i+1)*partsRecord]))
	}
	all += line(fmt.Sprintf("33%010d%012d", n, n*partsRecord))
	return strings.NewReplacer(with...).Replace(all)
}

// givesParts has a registration give such files.
func givesParts(f *File) {
	f.AllParts, f.Form.Length = true, 2+partsRecord
}

// What has its parts already leaves as it stands, a record in each telegram, and
// is to the counterparty what it would be had we made the parts.
func TestOwnPartsAreSentAsTheyStand(t *testing.T) {
	t.Parallel()
	for _, on := range []engine{sqlite, postgresFiles} {
		for _, way := range []string{"up", "down"} {
			t.Run(string(on)+"/"+way, func(t *testing.T) {
				p, from, to := kfb(t, on, way, nil)
				givesParts(&from.opt.Files[0])
				p.start()
				file := ownPartsOf(120)
				from.drop("GR15."+from.opt.Institutions[0].Code+".JOB.20261120", []byte(file))
				s := from.await(transfer.Send, transfer.Sent, 1)[0]
				require.Equal(t, []int{0, 0, 62}, []int{s.HeadSize, s.TailSize, s.DataSize})
				require.EqualValues(t, []int64{122, 122 * 62}, []int64{s.Sequences, s.WireSize})
				require.Equal(t, []string{sum([]byte(file)), sum([]byte(file))}, []string{s.FileDigest, s.WireDigest})
				r := to.await(transfer.Receive, transfer.Assembled, 1)[0]
				b, err := os.ReadFile(r.FinalPath)
				require.NoError(t, err)
				require.Equal(t, string(records(120)), string(b))
				said := "parts in order, 120 records, 7200 bytes"
				require.Contains(t, transfer.ProofsOf(r.Proofs), transfer.Proof{Name: transfer.ProofTrailerTotals, Expected: said, Actual: said})
			})
		}
	}
}

// Both ends with all parts: the file is the same at both. The records of what
// is received are counted without tags, as a telegram may carry several.
func TestOwnPartsToAllParts(t *testing.T) {
	t.Parallel()
	p, from, to := kfb(t, sqlite, "up", nil)
	givesParts(&from.opt.Files[0])
	to.opt.Files[0].AllParts = true
	p.start()
	from.drop("GR15.CENTRE.JOB.20261120", []byte(ownPartsOf(3)))
	r := to.await(transfer.Receive, transfer.Assembled, 1)[0]
	b, err := os.ReadFile(r.FinalPath)
	require.NoError(t, err)
	require.Equal(t, ownPartsOf(3), string(b))
	require.Equal(t, from.await(transfer.Send, transfer.Sent, 1)[0].FileDigest, r.FileDigest)
}

// What the counterparty would refuse is refused before it is called.
func TestOwnPartsAreSeenBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	_, from, _ := kfb(t, sqlite, "up", givesParts)
	from.opt.Institutions[0].Connect = "127.0.0.1:1"
	from.start()
	for n, c := range []struct {
		what, file string
		code       fault.Code
		because    fault.Code
	}{
		{"no header", ownPartsOf(2)[62:], CodeOwnParts, protocol.CodePart},
		{"no trailer", ownPartsOf(2)[:3*62], CodeOwnParts, protocol.CodePart},
		{"a record without a tag", ownPartsOf(2, "220", "000"), CodeOwnParts, protocol.CodePart},
		{"behind the trailer", ownPartsOf(2) + ownPartsOf(2)[62:124], CodeOwnParts, protocol.CodePart},
		{"the header of another file", ownPartsOf(2, "GR151120", "GR161120"), CodeOwnParts, protocol.CodePartOfOther},
		{"the header of another day", ownPartsOf(2, "20261120", "20261119"), CodeOwnParts, protocol.CodePartOfOther},
		{"a record less than said", ownPartsOf(2, "330000000002", "330000000003"), CodeOwnTrailer, ""},
		{"other bytes than said", ownPartsOf(2, "000000000120", "000000000119"), CodeOwnTrailer, ""},
	} {
		from.drop("GR15.CENTRE.JOB.20261120", []byte(c.file))
		all := from.await(transfer.Send, transfer.Refused, n+1)
		row := all[n]
		require.Equal(t, string(c.code), row.ErrorCode, c.what)
		require.Equal(t, string(c.because), fault.Noted(row.ErrorCode, row.ErrorDetail).Args["because"], c.what)
	}
}

// A counterparty that takes smaller telegrams cannot be given such a file: its
// tags stand where they stand.
func TestOwnPartsAreNotCutAnew(t *testing.T) {
	t.Parallel()
	p, from, to := kfb(t, sqlite, "up", nil)
	givesParts(&from.opt.Files[0])
	from.opt.Institutions[0].MessageSize, to.opt.Institutions[0].MessageSize = 0, 34+40
	p.start()
	from.drop("GR15.CENTRE.JOB.20261120", []byte(ownPartsOf(2)))
	require.Equal(t, string(filemgr.CodeBadPacking), from.await(transfer.Send, transfer.Refused, 1)[0].ErrorCode)
}
