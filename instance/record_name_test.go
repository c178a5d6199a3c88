package instance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/naming"
	"pabal/transfer"
)

// A file travels under the name that its header record says (protocols §4.13),
// and one whose record says none is refused before anything is sent.
func TestNameFromTheFirstRecord(t *testing.T) { onBoth(t, testNameFromTheFirstRecord) }

func testNameFromTheFirstRecord(t *testing.T, on engine) {
	fixed := file{id: "EB21", form: filemgr.Form{Kind: filemgr.Fixed, Length: 150}, opt: func(f *File) { f.WireName = "${FILE_ID:4}+${RECORD@29:4}" }}
	p := newPair(t, on, "cms", []file{fixed}, nil, nil)
	record := func(begins string) string { return begins + strings.Repeat(" ", 150-len(begins)) }
	p.institution.drop("EB21.CENTRE.JOB", []byte(record("H000000001234567890EB210602260602")+record("R")))
	sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	require.Equal(t, "EB210602", sent.WireName)
	require.Equal(t, "EB210602", p.centre.await(transfer.Receive, transfer.Assembled, 1)[0].WireName)

	p.institution.drop("EB21.CENTRE.JOB.20261120", []byte(record("H")+record("R")))
	refused := p.institution.await(transfer.Send, transfer.Refused, 1)[0]
	require.Equal(t, string(naming.CodeRecordCharacters), refused.ErrorCode)
}
