package instance

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/transfer"
)

// limited is cms with limits of the counterparty.
func limited(t *testing.T, limits string) *protocol.Profile {
	t.Helper()
	p, err := protocol.Parse("limited.yaml", []byte("profile: cms-limited\nextends: cms\n"+limits))
	require.NoError(t, err)
	return p
}

// What a counterparty would not take is refused when it is stored; it is never
// called for it (protocols §4.12).
func TestLimitsOfTheCounterparty(t *testing.T) {
	t.Parallel()
	onBoth(t, testLimitsOfTheCounterparty)
}

func testLimitsOfTheCounterparty(t *testing.T, on engine) {
	for _, c := range []struct {
		limits, form, body string
		code               fault.Code // "" = it is taken
	}{
		{"limits: {first_data: 100}", "raw", "ninety-nine bytes are too few" + string(bytes.Repeat([]byte("."), 70)), CodeFirstData},
		{"limits: {first_data: 100}", "raw", string(bytes.Repeat([]byte("."), 100)), ""},
		{"limits: {empty: refuse}", "raw", "", filemgr.CodeEmpty},
		{"limits: {text: ascii}", "raw", "ascii\r\nand \xb0\xa1\n", filemgr.CodeText},
		{"limits: {text: euc-kr}", "raw", "ascii\r\nand \xb0\xa1\n", ""},
		{"limits: {text: euc-kr}", "fixed:10", "0123456789\x00123456789", filemgr.CodeText},
		{"files: {max_block: 2, per_block: 3, message_size: 49}", "raw", "sixty bytes are what six telegrams of ten bytes carry, no mo", ""},
		{"files: {max_block: 2, per_block: 3, message_size: 49}", "raw", "sixty bytes are what six telegrams of ten bytes carry, no mor", filemgr.CodeTooLarge},
		{"files: {max_block: 99, per_block: 6, message_size: 47, sequences: running}\nbodies:\n  data: {sequence: {width: 1}}\n  check: {sequence: {width: 1}}\n  check-reply: {sequence: {width: 1}}\n",
			"raw", string(bytes.Repeat([]byte("."), 91)), filemgr.CodeTooLarge}, // nine sequences of ten bytes
		{"limits: {full: true}", "lines:lf:keep", "short\nlonger line\n", ""},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.limits, c.form, len(c.body)), func(t *testing.T) {
			t.Parallel()
			form, err := filemgr.ParseForm(c.form)
			require.NoError(t, err)
			h := lone(t, on, "cms", []file{{id: "EB21", form: form}}, func(o *Options) {
				o.Institutions[0].Profile = limited(t, c.limits)
				o.Institutions[0].Connect = "" // it has no line, and none is needed
				o.Files[0].Checks.SendEmpty = false
			})
			h.drop("EB21.CENTRE.JOB", []byte(c.body))
			if c.code == "" {
				r := h.await(transfer.Send, transfer.Stored, 1)[0]
				require.Empty(t, r.ErrorCode)
				return
			}
			r := h.await(transfer.Send, transfer.Refused, 1)[0]
			require.Equal(t, string(c.code), r.ErrorCode)
			require.Zero(t, r.SentBytes)
		})
	}
}

// What the configuration alone can tell is refused with it.
func TestLimitsOfRegistrations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limits, form string
		change       func(*Options)
		path         string
		code         fault.Code
	}{
		{"limits: {empty: refuse}", "raw", func(o *Options) { o.Files[0].Checks.SendEmpty = true }, "files[0].empty", CodeNoEmpty},
		{"limits: {full: true}", "fixed:150", nil, "files[0].packing", CodeNotFull}, // 27 × 150 = 4050 of 4057
		{"limits: {full: true}", "fixed:150", func(o *Options) { o.Files[0].Packing = filemgr.PackFilled }, "", ""},
		{"limits: {full: true}", "fixed:150", func(o *Options) { o.Institutions[0].MessageSize = 39 + 10*150 }, "", ""},
		{"limits: {first_data: 200}", "fixed:150", func(o *Options) { o.Files[0].Packing = filemgr.PackOne }, "files[0].packing", CodeFirstData},
		{"limits: {first_data: 200}", "fixed:150", nil, "", ""},
		{"limits: {text: ascii}\nfiles: {gzip: true}", "raw", func(o *Options) { o.Institutions[0].Gzip = true }, "institutions[0].options", CodeGzipText},
	} {
		o, err := sideOptions(t.TempDir(), "cms", "institution", []file{{id: "EB21", form: mustForm(t, c.form)}}, nil)
		require.NoError(t, err)
		o.Institutions[0].Profile = limited(t, c.limits)
		o.Files[0].Checks.SendEmpty = false
		if c.change != nil {
			c.change(&o)
		}
		var codes []string
		for _, p := range o.Validate() {
			codes = append(codes, p.Path+" "+string(p.Err.Code))
		}
		if c.path == "" {
			require.Empty(t, codes, c.limits)
			continue
		}
		require.Equal(t, []string{c.path + " " + string(c.code)}, codes, c.limits)
	}
}

func mustForm(t *testing.T, text string) filemgr.Form {
	t.Helper()
	form, err := filemgr.ParseForm(text)
	require.NoError(t, err)
	return form
}
