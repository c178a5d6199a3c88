package instance

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol/protocoltest"
	"pabal/transfer"
)

// A file travels under the name that its header record says (protocols §4.13),
// and one whose record says none is refused before anything is sent.
func TestNameFromTheFirstRecord(t *testing.T) {
	t.Parallel()
	onBoth(t, testNameFromTheFirstRecord)
}

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

// The rule for names may be the profile's alone: registrations of either end say
// no wire name, and one that does is named by its own. What comes is recognised
// by the rule, and what it does not fit is refused as any unknown name is.
func TestNameByTheRuleOfTheProfile(t *testing.T) {
	t.Parallel()
	onBoth(t, testNameByTheRuleOfTheProfile)
}

func testNameByTheRuleOfTheProfile(t *testing.T, on engine) {
	fixed := filemgr.Form{Kind: filemgr.Fixed, Length: 150}
	ruled := func(id string) file {
		return file{id: id, form: fixed, opt: func(f *File) { f.WireName = "" }}
	}
	own := file{id: "EC10", form: fixed, opt: func(f *File) { f.WireName = "${FILE_ID}" }}
	p := newPair(t, on, "stranger", []file{ruled("EB21"), own}, []file{ruled("EB22")}, func(institution, centre *Options) {
		for _, o := range []*Options{institution, centre} {
			o.Institutions[0].WireCode = "A0001"
			o.Institutions[0].Sender.Password = ""
		}
		centre.Institutions[0].Expect.Name = institution.Institutions[0].Sender.Name
	})
	record := func(begins string) string { return begins + strings.Repeat(" ", 150-len(begins)) }
	file := func(day string) []byte {
		return []byte(record("H000000001234567890EB21    26"+day) + record("R"))
	}
	p.institution.drop("EB21.CENTRE.JOB", file("0602"))
	sent := p.institution.await(transfer.Send, transfer.Sent, 1)[0]
	require.Equal(t, "EB210602", sent.WireName)
	got := p.centre.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, []string{"EB21", "EB210602"}, []string{got.FileID, got.WireName})
	content, err := os.ReadFile(p.centre.path("receive", got.Name))
	require.NoError(t, err)
	require.Equal(t, file("0602"), content)

	p.centre.drop("EB22.MEMBER.JOB", file("0603"))
	got = p.institution.await(transfer.Receive, transfer.Assembled, 1)[0]
	require.Equal(t, []string{"EB22", "EB220603"}, []string{got.FileID, got.WireName})

	p.institution.drop("EC10.CENTRE.JOB", file("0602"))
	require.Equal(t, "EC10", p.institution.await(transfer.Send, transfer.Sent, 2)[1].WireName)

	p.institution.drop("EB21.CENTRE.JOB.20261120", []byte(record("H")+record("R")))
	refused := p.institution.await(transfer.Send, transfer.Refused, 1)[0]
	require.Equal(t, string(naming.CodeRecordCharacters), refused.ErrorCode)
}

// A file ID that the rule cannot take enough of, and two that it would give one
// name, are refused with the configuration, at the registration.
func TestTheRuleIsHeldAgainstEveryRegistration(t *testing.T) {
	t.Parallel()
	p := protocoltest.Parse(t, "profile: test\nextends: stranger\nfiles: {name: \"${FILE_ID:3}+${RECORD@0:4}\"}\n")
	one := func(id string, d transfer.Direction) File {
		return File{Registration: naming.Registration{FileID: id, Institution: "CENTRE", Job: "JOB", Direction: d}}
	}
	for _, c := range []struct {
		files []File
		code  fault.Code
	}{
		{[]File{one("EB21", transfer.Send), one("EC", transfer.Send)}, naming.CodeScriptShort},
		{[]File{one("EB21", transfer.Send), one("EB22", transfer.Send)}, naming.CodeSendCollision},
		{[]File{one("EB21", transfer.Receive), one("EB22", transfer.Receive)}, naming.CodeReceiveOverlap},
		{[]File{one("EB21", transfer.Receive), one("EB22", transfer.Send)}, ""},
	} {
		o := Options{Institutions: []Institution{{Code: "CENTRE", Profile: p}}, Files: c.files}
		_, problems := naming.NewBook(o.Registrations())
		if c.code == "" {
			require.Empty(t, problems)
			continue
		}
		require.Len(t, problems, 1)
		require.Equal(t, c.code, problems[0].Err.Code)
		require.Equal(t, "files[1].wire_name", problems[0].Path)
	}
}
