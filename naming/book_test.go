package naming

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/transfer"
)

const byDay = "${FILE_ID:4}+${MMdd:4}"

// cms has the registrations of a CMS institution (protocols §5.6).
func cms() []Registration {
	return []Registration{
		{FileID: "EB21", Institution: "KFTC", Job: "CMS", Direction: transfer.Send, WireName: byDay, Suffixes: []string{".dat", ".dat.csv"}},
		{FileID: "EB13", Institution: "KFTC", Job: "CMS", Direction: transfer.Send, WireName: byDay},
		{FileID: "EB22", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: byDay},
		{FileID: "EB11", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: byDay},
		{FileID: "C02", Institution: "KSNET", Job: "CARD", Direction: transfer.Receive},
		{FileID: "100", Institution: "KSNET", Job: "FIRM", Direction: transfer.Send},
		{FileID: "100", Institution: "KSNET", Job: "CARD", Direction: transfer.Send},
		{FileID: "SQ", Institution: "VAN", Job: "J", Direction: transfer.Send, WireName: "${FILE_ID}+${SEQ:3}"},
		{FileID: "DOT", Institution: "VAN", Job: "J", Direction: transfer.Send, WireName: "${FILE_ID}+.+${MMdd}"},
	}
}

func newBook(t *testing.T, regs []Registration) *Book {
	t.Helper()
	b, problems := NewBook(regs)
	require.Empty(t, problems)
	return b
}

func TestParse(t *testing.T) {
	b := newBook(t, cms())
	for name, want := range map[string]Name{
		"EB21.KFTC.CMS":                                 {"EB21", "EB210320", "KFTC", "CMS", "20260320", "", ""},
		"EB21.KFTC.CMS.20260321":                        {"EB21", "EB210321", "KFTC", "CMS", "20260321", "", ""},
		"EB21.KFTC.CMS.dat":                             {"EB21", "EB210320", "KFTC", "CMS", "20260320", ".dat", ""},
		"EB21.KFTC.CMS.20260321.dat.csv":                {"EB21", "EB210321", "KFTC", "CMS", "20260321", ".dat.csv", ""},
		"EB21.EB210321.KFTC.CMS.20260321":               {"EB21", "EB210321", "KFTC", "CMS", "20260321", "", ""},
		"EB21.EB210319.KFTC.CMS":                        {"EB21", "EB210319", "KFTC", "CMS", "20260319", "", ""},
		"EB21.${FILE_ID:4}+${MMdd:4}.KFTC.CMS":          {"EB21", "EB210320", "KFTC", "CMS", "20260320", "", ""},
		"EB21.${FILE_ID:4}+${MMdd:4}.KFTC.CMS.20251231": {"EB21", "EB211231", "KFTC", "CMS", "20251231", "", ""},
		"100.KSNET.FIRM":                                {"100", "100", "KSNET", "FIRM", "20260320", "", ""},
		"100.KSNET.CARD.20260319":                       {"100", "100", "KSNET", "CARD", "20260319", "", ""},
		"100.ANY_NAME.KSNET.CARD":                       {"100", "ANY_NAME", "KSNET", "CARD", "20260320", "", ""},
		"SQ.SQ007.VAN.J":                                {"SQ", "SQ007", "VAN", "J", "20260320", "", "007"},
		"DOT.DOT.0319.VAN.J":                            {"DOT", "DOT.0319", "VAN", "J", "20260319", "", ""},
		"DOT.DOT.0319.VAN.J.20250319":                   {"DOT", "DOT.0319", "VAN", "J", "20250319", "", ""},
		"DOT.VAN.J":                                     {"DOT", "DOT.0320", "VAN", "J", "20260320", "", ""},
	} {
		got, err := b.Parse(name, march20)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
}

func TestParseRefusals(t *testing.T) {
	b := newBook(t, cms())
	for name, want := range map[string]fault.Code{
		"":                                        CodeEmptyPart,
		"EB21":                                    CodeTooFewParts,
		"readme.txt":                              CodeTooFewParts,
		"EB21.KFTC":                               CodeTooFewParts,
		"EB21.KFTC.dat":                           CodeTooFewParts,
		"EB99.KFTC.CMS":                           CodeUnknownFileID,
		"eb21.KFTC.CMS":                           CodeUnknownFileID,
		"EB21.KFTX.CMS":                           CodeUnknownInstitution,
		"EB21.KFTX.CMS.20260320":                  CodeUnknownInstitution,
		"EB21.KSNET.CARD":                         CodeUnknownInstitution,
		"EB21.KFTC.CMX":                           CodeUnknownJob,
		"EB21.KFTC.CMX.20260320":                  CodeUnknownJob,
		"EB21.EB210320.KFTC.CMX":                  CodeUnknownJob,
		"100.KSNET.CMS":                           CodeUnknownJob,
		"EB22.KFTC.CMS":                           CodeReceiveOnly,
		"EB22.EB220320.KFTC.CMS.20260320":         CodeReceiveOnly,
		"EB21.KFTC.CMS.20260230":                  CodeBadDate,
		"EB21.KFTC.CMS.2026032":                   CodeBadDate,
		"EB21.KFTC.CMS.260320":                    CodeBadDate,
		"EB21.KFTC.CMS.20261301.dat":              CodeBadDate,
		"EB21.KFTC.CMS.txt":                       CodeUnknownSuffix,
		"EB21.KFTC.CMS.20260320.txt":              CodeUnknownSuffix,
		"EB13.KFTC.CMS.dat":                       CodeUnknownSuffix,
		"EB21.EB220320.KFTC.CMS":                  CodeWireNameMisfit,
		"EB21.EB210320.KFTC.CMS.20260321":         CodeWireNameMisfit,
		"EB21.EB219999.KFTC.CMS":                  CodeWireNameMisfit,
		"EB21.EB21.0320.KFTC.CMS":                 CodeTooManyParts,
		"100.A.B.KSNET.CARD.20260320":             CodeTooManyParts,
		"EB21.A.B.C.D.E.F":                        CodeTooManyParts,
		"EB21..KFTC.CMS":                          CodeEmptyPart,
		".EB21.KFTC.CMS":                          CodeEmptyPart,
		"EB21.KFTC.CMS.":                          CodeEmptyPart,
		"EB21.KFTC.CMS\n":                         CodeNotText,
		"EB21.KFTC.CMS\xb0\xa1":                   CodeNotText,
		"SQ.VAN.J":                                CodeSerialMissing,
		"SQ.${FILE_ID}+${SEQ:3}.VAN.J":            CodeSerialMissing,
		"EB21.${FILE}.KFTC.CMS":                   CodeScriptUnknownName,
		"EB21.${FILE_ID:9}.KFTC.CMS":              CodeScriptShort,
		"EB21.${FILE_ID:4}+${yyMMdd}.KFTC.CMS":    CodeWireNameMisfit,
		strings.Repeat("A.", 2000) + "KFTC.CMS":   CodeUnknownFileID,
		"EB21" + strings.Repeat(".KFTC.CMS", 500): CodeTooManyParts,
	} {
		got, err := b.Parse(name, march20)
		require.Equal(t, want, fault.CodeOf(err), "%q: %v", name, err)
		require.Equal(t, Name{}, got)
	}
}

// An institution and a job may be called so that a name has two readings.
func TestParseShowsBothReadings(t *testing.T) {
	b := newBook(t, []Registration{
		{FileID: "X1", Institution: "KFTC", Job: "CMS", Direction: transfer.Send},
		{FileID: "X1", Institution: "CMS", Job: "20260320", Direction: transfer.Send},
	})
	_, err := b.Parse("X1.KFTC.CMS.20260320", march20)
	f := fault.As(err)
	require.NotNil(t, f)
	require.Equal(t, CodeAmbiguous, f.Code)
	require.ElementsMatch(t, []string{
		"FILE_ID=X1 WIRE_NAME=X1 INSTITUTION=KFTC JOB=CMS DATE=20260320",
		"FILE_ID=X1 WIRE_NAME=KFTC INSTITUTION=CMS JOB=20260320 DATE=20260320",
	}, []string{f.Args["first"], f.Args["second"]})

	got, err := b.Parse("X1.X1.KFTC.CMS.20260320", march20)
	require.NoError(t, err, "in full, as the next step advises")
	require.Equal(t, "CMS", got.Job)
}

func TestReceive(t *testing.T) {
	b := newBook(t, cms())
	for _, tc := range []struct{ institution, wire, id, job, date string }{
		{"KFTC", "EB220319", "EB22", "CMS", "20260319"},
		{"KFTC", "EB110320", "EB11", "CMS", "20260320"},
		{"KSNET", "C02", "C02", "CARD", "20260320"},
	} {
		r, n, err := b.Receive(tc.institution, tc.wire, march20)
		require.NoError(t, err, tc.wire)
		require.Equal(t, tc.id, r.FileID)
		require.Equal(t, Name{FileID: tc.id, WireName: tc.wire, Institution: tc.institution, Job: tc.job, BaseDate: tc.date}, n)
		name, err := b.ReceivedName(n, march20)
		require.NoError(t, err)
		require.Equal(t, strings.Join([]string{tc.id, tc.wire, tc.institution, tc.job, tc.date}, "."), name)
	}
	for _, tc := range [][2]string{{"KFTC", "EB210320"}, {"KFTC", "EB22"}, {"KSNET", "EB220320"}, {"NONE", "C02"}, {"KFTC", "../EB22"}, {"KFTC", ""}, {"KFTC", "EB22\x000"}} {
		_, _, err := b.Receive(tc[0], tc[1], march20)
		require.Equal(t, CodeReceiveUnknown, fault.CodeOf(err), tc)
	}
	_, err := b.ReceivedName(Name{FileID: "EB21", Institution: "KFTC", Job: "CMS"}, march20)
	require.Equal(t, CodeNotRegistered, fault.CodeOf(err), "EB21 is registered for sending")
}

func TestReceivedNameIsOneSafeElement(t *testing.T) {
	named := func(script string, n Name) (string, error) {
		b := newBook(t, []Registration{{FileID: "A", Institution: "I", Job: "J", Direction: transfer.Receive, ReceiveName: script}})
		n.FileID, n.Institution, n.Job = "A", "I", "J"
		return b.ReceivedName(n, march20)
	}
	n := Name{WireName: "A", BaseDate: "20260319"}
	got, err := named("${INSTITUTION}+_+${WIRE_NAME}+_+${yyyyMMdd}+.+${HHmmss}", n)
	require.NoError(t, err)
	require.Equal(t, "I_A_20260319.235901", got)

	for _, wire := range []string{"../x", "a/b", ".hidden", ".", "..", "nul\x00", "tab\t", "\xff", strings.Repeat("w", 256)} {
		_, err := named("${WIRE_NAME}", Name{WireName: wire, BaseDate: "20260319"})
		require.Equal(t, CodeUnsafe, fault.CodeOf(err), "%q", wire)
		if f := fault.As(err); f != nil {
			require.True(t, readable(f.Subject), "what is shown of %q", wire)
		}
	}
	_, err = named("", Name{WireName: strings.Repeat("w", 250), BaseDate: "20260319"})
	require.Equal(t, CodeUnsafe, fault.CodeOf(err))
}

func TestBookRefusesWhatCannotWork(t *testing.T) {
	send := Registration{FileID: "EB21", Institution: "KFTC", Job: "CMS", Direction: transfer.Send, WireName: byDay}
	receive := Registration{FileID: "EB22", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: byDay}
	with := func(r Registration, change func(*Registration)) Registration { change(&r); return r }
	for name, tc := range map[string]struct {
		regs []Registration
		path string
		code fault.Code
	}{
		"dot in file ID": {[]Registration{with(send, func(r *Registration) { r.FileID = "EB.21" })}, "files[0].id", CodeBadPart},
		"no job":         {[]Registration{with(send, func(r *Registration) { r.Job = "" })}, "files[0].job", CodeBadPart},
		"slash":          {[]Registration{send, with(receive, func(r *Registration) { r.Institution = "a/b" })}, "files[1].institution", CodeBadPart},
		"direction":      {[]Registration{with(send, func(r *Registration) { r.Direction = "out" })}, "files[0].direction", CodeBadDirection},
		"suffix":         {[]Registration{with(send, func(r *Registration) { r.Suffixes = []string{".csv", "dat"} })}, "files[0].suffixes[1]", CodeBadSuffix},
		"script":         {[]Registration{send, with(receive, func(r *Registration) { r.WireName = "${FILE:4}" })}, "files[1].wire_name", CodeScriptUnknownName},
		"short file ID":  {[]Registration{with(send, func(r *Registration) { r.FileID = "C02" })}, "files[0].wire_name", CodeScriptShort},
		"receive name":   {[]Registration{with(receive, func(r *Registration) { r.ReceiveName = "${X}" })}, "files[0].receive_name", CodeScriptUnknownName},
		"twice":          {[]Registration{send, receive, send}, "files[2].id", CodeRegisteredTwice},
		"same wire name sent": {[]Registration{
			with(send, func(r *Registration) { r.FileID = "EB2101" }), with(send, func(r *Registration) { r.FileID = "EB2102" }),
		}, "files[1].wire_name", CodeSendCollision},
		"same script received": {[]Registration{receive, with(receive, func(r *Registration) { r.Job = "B2B" })}, "files[1].wire_name", CodeReceiveOverlap},
		"date and serial": {[]Registration{receive,
			with(receive, func(r *Registration) { r.FileID = "Z"; r.WireName = "EB22+${SEQ:4}" })}, "files[1].wire_name", CodeReceiveOverlap},
		"open serial": {[]Registration{receive,
			with(receive, func(r *Registration) { r.FileID = "Z"; r.WireName = "EB+${SEQ}" })}, "files[1].wire_name", CodeReceiveOverlap},
		"file ID and script": {[]Registration{receive,
			{FileID: "EB220101", Institution: "KFTC", Job: "X", Direction: transfer.Receive}}, "files[1].wire_name", CodeReceiveOverlap},
	} {
		b, problems := NewBook(tc.regs)
		require.Nil(t, b, name)
		require.Len(t, problems, 1, "%s: %v", name, problems)
		require.Equal(t, tc.path, problems[0].Path, name)
		require.Equal(t, tc.code, problems[0].Err.Code, name)
	}
	// What looks alike and is not.
	newBook(t, []Registration{send, receive,
		with(receive, func(r *Registration) { r.Institution = "KFB" }),
		with(receive, func(r *Registration) { r.FileID = "Y"; r.WireName = "EB22+${yyMMdd}" }),
		with(receive, func(r *Registration) { r.FileID = "Z"; r.WireName = "EB229+${SEQ:3}" }), // no month begins with 9
		with(send, func(r *Registration) { r.Direction = transfer.Receive }),
	})
}

func TestOverlapExampleIsTakenByBoth(t *testing.T) {
	_, problems := NewBook([]Registration{
		{FileID: "EB22", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: byDay},
		{FileID: "Z", Institution: "KFTC", Job: "CMS", Direction: transfer.Receive, WireName: "E+B+${SEQ}"},
	})
	require.Len(t, problems, 1)
	require.Equal(t, "EB221111", problems[0].Err.Args["example"])
}
