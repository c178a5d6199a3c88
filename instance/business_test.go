package instance

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/transfer"
)

// The business code is the institution's (protocols §1.2): two of one code in
// the header call at one address, and each is spoken to with its own.
func TestBusinessOfAnInstitution(t *testing.T) {
	t.Parallel()
	onBoth(t, testBusinessOfAnInstitution)
}

func testBusinessOfAnInstitution(t *testing.T, on engine) {
	var mu sync.Mutex
	seen := map[string]int{}
	p := newPair(t, on, "cms", []file{rawForm("EB21")}, []file{rawForm("EB22")}, func(a, b *Options) {
		ksn, err := a.Institutions[0].Profile.ForBusiness("KSN")
		require.NoError(t, err)
		a.Institutions[0].Profile = ksn
		other := b.Institutions[0]
		other.Code = "OTHER"
		b.Institutions[0].Profile = ksn
		b.Institutions = append(b.Institutions, other)
		b.Trace = func(_ string, _ bool, tg *protocol.Telegram, frame []byte) {
			mu.Lock()
			defer mu.Unlock()
			seen[string(frame[4:7])]++
		}
		require.Empty(t, b.Validate(), "one code and two businesses tell callers apart")
		b.Institutions[1].Profile = ksn
		require.Equal(t, CodeSameCaller, b.Validate()[0].Err.Code)
		b.Institutions[1] = other
	})
	p.institution.drop("EB21.CENTRE.JOB", content(5000))
	p.centre.drop("EB22.MEMBER.JOB", content(6000))
	p.institution.await(transfer.Send, transfer.Sent, 1)
	p.centre.await(transfer.Send, transfer.Sent, 1)
	require.Equal(t, "MEMBER", p.centre.await(transfer.Receive, transfer.Assembled, 1)[0].Institution)
	mu.Lock()
	defer mu.Unlock()
	require.Greater(t, seen["KSN"], 10)
	require.Len(t, seen, 1, "every telegram of both sides")
}

// A code that is another institution's is refused as one that nobody has.
func TestBusinessOfAnother(t *testing.T) {
	t.Parallel()
	onBoth(t, testBusinessOfAnother)
}

func testBusinessOfAnother(t *testing.T, on engine) {
	p := newPair(t, on, "cms", []file{rawForm("EB21")}, nil, func(_, b *Options) {
		other := b.Institutions[0]
		other.Code, other.WireCode = "OTHER", "87654321"
		ksn, err := other.Profile.ForBusiness("KSN")
		require.NoError(t, err)
		b.Institutions[0].Profile = ksn
		b.Institutions = append(b.Institutions, other) // FTE is spoken at the address, but not by this one
	})
	p.institution.drop("EB21.CENTRE.JOB", content(5000))
	var waits *transfer.Transfer
	for waits == nil || waits.ErrorCode == "" {
		waits = p.institution.await(transfer.Send, transfer.Waiting, 1)[0]
	}
	require.Equal(t, string(machine.CodeSessionRefused), waits.ErrorCode)
	require.Contains(t, waits.ErrorDetail, "631")
}
