package naming

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/transfer"
)

// edi is a registration whose business system writes names like
// KSNET_20260320_007.edi and will not change.
func edi() Registration {
	return Registration{
		FileID: "100", Institution: "KSNET", Job: "FIRM", Direction: transfer.Send,
		Parse:    `let g = groups(name, "KSNET_([0-9]{8})_([0-9]{3})[.]edi"); g == nil ? nil : {"wire_name": "FB" + g[2], "base_date": g[1], "serial": g[2], "suffix": ".edi"}`,
		Format:   `institution + "_" + base_date + "_" + serial + suffix`,
		Examples: []string{"KSNET_20240229_001.edi"},
	}
}

func TestCustomNames(t *testing.T) {
	b := newBook(t, append(cms()[:4], edi()))
	n, err := b.Parse("KSNET_20260319_007.edi", march20)
	require.NoError(t, err)
	require.Equal(t, Name{FileID: "100", WireName: "FB007", Institution: "KSNET", Job: "FIRM", BaseDate: "20260319", Suffix: ".edi", Serial: "007"}, n)
	again, err := b.Format(n)
	require.NoError(t, err)
	require.Equal(t, "KSNET_20260319_007.edi", again)

	_, err = b.Parse("KSNET_20260230_007.edi", march20)
	require.Equal(t, CodeBadDate, fault.CodeOf(err), "%v", err)
	_, err = b.Parse("100.KSNET.FIRM", march20)
	require.Equal(t, CodeUnknownFileID, fault.CodeOf(err), "custom names replace the rule: %v", err)
	n, err = b.Parse("EB21.KFTC.CMS", march20)
	require.NoError(t, err)
	require.Equal(t, "EB210320", n.WireName, "other registrations keep the rule")
}

func TestCustomNameThatAnotherAlsoTakes(t *testing.T) {
	greedy := edi()
	greedy.Parse, greedy.Format, greedy.Examples = `{"wire_name": name}`, `wire_name`, []string{"anything"}
	b := newBook(t, []Registration{cms()[0], greedy})
	_, err := b.Parse("EB21.KFTC.CMS", march20)
	require.Equal(t, CodeAmbiguous, fault.CodeOf(err), "%v", err)
}

func TestCustomOfReceivedFile(t *testing.T) {
	r := Registration{FileID: "C02", Institution: "KSNET", Job: "CARD", Direction: transfer.Receive,
		Parse:    `let g = groups(name, "card-([0-9]{8})"); g == nil ? nil : {"base_date": g[1]}`,
		Format:   `"card-" + base_date`,
		Examples: []string{"card-20260320"}}
	b := newBook(t, []Registration{r})
	_, n, err := b.Receive("KSNET", "C02", march20)
	require.NoError(t, err)
	got, err := b.ReceivedName(n, march20)
	require.NoError(t, err)
	require.Equal(t, "card-20260320", got)
	_, err = b.Parse("card-20260320", march20)
	require.Error(t, err, "a receive registration never takes a dropped file")
}

func TestCustomRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Registration)
		path   string
		code   fault.Code
	}{
		"parse alone":    {func(r *Registration) { r.Format = "" }, "files[0].custom", CodeCustomPair},
		"examples alone": {func(r *Registration) { r.Format, r.Parse = "", "" }, "files[0].custom", CodeCustomPair},
		"no examples":    {func(r *Registration) { r.Examples = nil }, "files[0].custom", CodeCustomNoExamples},
		"syntax":         {func(r *Registration) { r.Parse = `groups(` }, "files[0].custom.parse", CodeCustomExpression},
		"unknown name":   {func(r *Registration) { r.Format = `file_name` }, "files[0].custom.format", CodeCustomExpression},
		"not text":       {func(r *Registration) { r.Format = `1 + 2` }, "files[0].custom.format", CodeCustomExpression},
		"not taken":      {func(r *Registration) { r.Examples = append(r.Examples, "x") }, "files[0].custom.examples[1]", CodeCustomExampleLost},
		"other name":     {func(r *Registration) { r.Format = `institution + serial` }, "files[0].custom.examples[0]", CodeCustomExampleLost},
		"no map":         {func(r *Registration) { r.Parse = `name` }, "files[0].custom.examples[0]", CodeCustomFailed},
		"bad pattern":    {func(r *Registration) { r.Parse = `groups(name, "(") == nil ? nil : {}` }, "files[0].custom.examples[0]", CodeCustomFailed},
		"no date":        {func(r *Registration) { r.Parse = `{"base_date": "2024"}` }, "files[0].custom.examples[0]", CodeBadDate},
		"number":         {func(r *Registration) { r.Parse = `{"serial": 7}` }, "files[0].custom.examples[0]", CodeCustomFailed},
	} {
		r := edi()
		tc.change(&r)
		_, problems := NewBook([]Registration{r})
		require.Len(t, problems, 1, "%s: %v", name, problems)
		require.Equal(t, tc.path, problems[0].Path, name)
		require.Equal(t, tc.code, problems[0].Err.Code, "%s: %v", name, problems)
	}
}
