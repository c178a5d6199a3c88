package instance

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
	"pabal/protocol/machine"
	"pabal/store"
	"pabal/transfer"
)

// TestAnnouncedAtOnce: a counterparty announces one file on several lines at
// the same moment and brings all of it on each. It is one file: whoever brings it to
// its end, nobody else brings another: at most the same again, which is compared.
func TestAnnouncedAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, testAnnouncedAtOnce)
}

func testAnnouncedAtOnce(t *testing.T, on engine) {
	p := parkOn(t, on, store.Options{}, "cms", "centre", []file{rawForm("EB21")}, nil, eachItsName)
	body := content(1000)
	for _, name := range []string{"EB210001", "EB210002", "EB210003", "EB210004", "EB210005"} {
		const lines = 6
		ready := make(chan struct{})
		var all sync.WaitGroup
		var came [lines]bool
		for n := range lines {
			s := p.session()
			all.Go(func() {
				<-ready
				acc, err := s.Accept(t.Context(), machine.Offer{Name: name, Size: int64(len(body))})
				if err != nil || acc.Reason != protocol.OK || s.incoming == nil {
					return
				}
				b := transfer.Block{Number: 1, Lengths: []uint16{uint16(len(body))}, Payload: body}
				b.Held.Add(1)
				if s.Save(t.Context(), &b, true) != nil {
					return
				}
				reason, err := s.Verify(t.Context(), machine.Claims{Declared: int64(len(body)), AtEnd: int64(len(body)), Blocks: 1, Sequences: 1})
				came[n] = err == nil && reason == protocol.OK
			})
		}
		close(ready)
		all.Wait()
		told := 0
		for _, ok := range came {
			if ok {
				told++
			}
		}
		whole, err := p.s.List(t.Context(), store.Filter{WireName: name, Statuses: []transfer.Status{transfer.Received}})
		require.NoError(t, err)
		whole = slices.DeleteFunc(whole, func(r *transfer.Transfer) bool { return r.RepeatOf != "" }) // compared before anything is built
		require.LessOrEqual(t, len(whole), 1, "%s came whole more than once; %d sessions were told so", name, told)
	}
}
