package simulator

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
)

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Faults
	}{
		{"", Faults{}},
		{" ; ", Faults{}},
		{"lose=2:37,2:58", Faults{Lose: Pick{Places: []Place{{2, 37}, {2, 58}}}}},
		{"lose=5%;seed=7", Faults{Lose: Pick{Share: 0.05}, Seed: 7}},
		{"duplicate=1:1; reorder = 1:5", Faults{Duplicate: Pick{Places: []Place{{1, 1}}}, Reorder: Pick{Places: []Place{{1, 5}}}}},
		{"delay=50ms", Faults{Delay: 50 * time.Millisecond}},
		{"delay=check-reply:2s", Faults{Delay: 2 * time.Second, DelayKind: protocol.CheckReply}},
		{"split=3", Faults{Split: 3}},
		{"drip=1/100ms", Faults{Split: 1, Drip: 100 * time.Millisecond}},
		{"cut=check-reply:3", Faults{Cut: []Point{{Kind: protocol.CheckReply, N: 3}}}},
		{"cut=after-sent:17,end", Faults{Cut: []Point{{After: true, N: 17}, {Kind: protocol.End, N: 1}}}},
		{"silence=received:4", Faults{Silence: []Point{{Received: true, N: 4}}}},
		{"garbage=sent:5", Faults{Garbage: []Point{{N: 5}}}},
		{"never=EB210602,EB130602", Faults{Never: []string{"EB210602", "EB130602"}}},
		{"never=all", Faults{NeverAll: true}},
		{"size=+10", Faults{SizeBy: 10}},
		{"size=-1", Faults{SizeBy: -1}},
	} {
		got, err := ParseFaults(tt.text)
		require.NoError(t, err, tt.text)
		require.Equal(t, tt.want, got, tt.text)
	}
	for _, text := range []string{
		"lose", "lose=", "lose=2", "lose=0:1", "lose=1:0", "lose=1:1,", "lose=0%", "lose=101%", "lose=x%", "seed=-1",
		"delay=0s", "delay=fast", "delay=nonsense:1s", "split=0", "split=x", "drip=1", "drip=0/1s", "drip=1/0s",
		"cut=", "cut=nonsense:1", "cut=check:0", "cut=check:x", "silence=before-check:1", "never=", "size=0", "size=x", "cat=1:1",
	} {
		_, err := ParseFaults("split=3;" + text)
		require.Equal(t, CodeFaults, fault.CodeOf(err), text)
		require.Equal(t, text, fault.As(err).Subject)
		require.NotEmpty(t, fault.As(err).Args["expected"])
	}
}

// The kinds that the package comment promises exist.
func TestPointsNameEveryKind(t *testing.T) {
	for _, k := range protocol.Kinds() {
		f, err := ParseFaults("cut=" + k.String() + ":2")
		require.NoError(t, err)
		require.Equal(t, k, f.Cut[0].Kind)
	}
}

// through sends bytes from one end to the other with faults at the writing
// end, and returns what came out.
func through(t *testing.T, f Faults, telegrams ...string) string {
	t.Helper()
	a, b := connected(t)
	w := newInjector(profile(t, "cms"), f).wrap(a, protocol.InstitutionSide, false)
	for _, s := range telegrams {
		if _, err := io.WriteString(w, s); err != nil {
			require.Equal(t, CodeCut, fault.CodeOf(err))
			break
		}
	}
	_ = w.Close() // again, where a cut closed it
	out, err := io.ReadAll(b)
	require.NoError(t, err)
	require.NoError(t, b.Close())
	return string(out)
}

func TestFaultsOnTheWire(t *testing.T) {
	data := func(seq string) string { return "0042FTE123456780320REEB2106020000001" + seq + "0003abc" }
	check := "0035FTE123456780620REEB2106020000001003"
	d1, d2, d3 := data("001"), data("002"), data("003")
	all := []string{d1, d2, d3, check}
	for _, tt := range []struct {
		faults string
		say    []string
		want   string
	}{
		{"lose=1:2", all, d1 + d3 + check},
		{"lose=1:2", append(all, d2, check), d1 + d3 + check + d2 + check}, // once
		{"lose=100%", all, check},
		{"duplicate=1:1", all, d1 + d1 + d2 + d3 + check},
		{"reorder=1:1", all, d2 + d1 + d3 + check},
		{"reorder=1:3", all, d1 + d2 + check + d3},
		{"lose=1:1;duplicate=1:2;reorder=1:3", all, d2 + d2 + check + d3},
		{"cut=check:1", all, d1 + d2 + d3},
		{"cut=after-data:2", all, d1 + d2},
		{"cut=sent:1", all, ""},
		{"silence=sent:3", all, d1 + d2},
		{"silence=after-sent:3", all, d1 + d2 + d3},
		{"cut=received:1", all, d1 + d2 + d3 + check},
		{"split=1", all, d1 + d2 + d3 + check},
		{"lose=1:2", []string{d1[:7], d1[7:] + d2 + d3[:2], d3[2:], check}, d1 + d3 + check}, // whatever the pieces
		{"lose=1:2", []string{"no telegram" + d2, d2}, "no telegram" + d2 + d2},              // nor ours
		{"size=+5", []string{"0052FTE123456780630REEB210602000EB2106020000000003004096"}, "0052FTE123456780630REEB210602000EB2106020000000003054096"},
		{"never=EB210602", []string{"0040FTE123456780300RCEB210602000000100200011"}, "0040FTE123456780300RCEB210602000000100200200"},
		{"never=EB210603", []string{"0040FTE123456780300RCEB210602000000100200011"}, "0040FTE123456780300RCEB210602000000100200011"},
	} {
		f, err := ParseFaults(tt.faults)
		require.NoError(t, err)
		require.Equal(t, tt.want, through(t, f, tt.say...), tt.faults)
	}
	f, err := ParseFaults("garbage=sent:2;seed=1")
	require.NoError(t, err)
	got := through(t, f, all...)
	require.Len(t, got, len(d1+d2+d3+check))
	require.Equal(t, d1, got[:len(d1)])
	require.NotEqual(t, d2, got[len(d1):len(d1+d2)])
}

// Without faults there is nothing in between.
func TestNoFaultsNoWrapper(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	require.Same(t, a, newInjector(profile(t, "cms"), Faults{Seed: 1}).wrap(a, protocol.InstitutionSide, false))
}

func TestOptionsThatCannotWork(t *testing.T) {
	for what, change := range map[string]func(*Options){
		"profile":      func(o *Options) { o.Profile = nil },
		"give, take":   func(o *Options) { o.GiveDir, o.TakeDir = "", "" },
		"institution":  func(o *Options) { o.Institution = "" },
		"gzip":         func(o *Options) { o.Gzip = true },
		"ebcdic":       func(o *Options) { o.EBCDIC = true },
		"message_size": func(o *Options) { o.MessageSize = 39 },
		"ask": func(o *Options) {
			o.Side, o.Ask = protocol.CentreSide, []Question{{Kind: protocol.Inquiry, Name: "EB21"}}
		},
	} {
		o := side(t, profile(t, "cms"), protocol.InstitutionSide, t.TempDir())
		change(&o)
		_, err := New(o)
		require.Equal(t, CodeOptions, fault.CodeOf(err), what)
		require.Equal(t, what, fault.As(err).Subject)
	}
	o := side(t, profile(t, "cms"), protocol.InstitutionSide, t.TempDir())
	o.TakeDir = o.GiveDir
	require.Equal(t, CodeOptions, fault.CodeOf(o.Validate()))
	o = side(t, profile(t, "edi"), protocol.InstitutionSide, t.TempDir())
	o.Ask = []Question{{Kind: protocol.Inquiry, Name: "C01"}}
	require.NoError(t, o.Validate())
	o.Ask = []Question{{Kind: protocol.Cancel, Name: "C01"}} // it has no such telegram
	require.Equal(t, CodeOptions, fault.CodeOf(o.Validate()))
	o.Ask, o.Self = nil, ""
	require.Equal(t, CodeOptions, fault.CodeOf(o.Validate()))
}

// A point about a block counts only telegrams about it.
func TestPointsOfABlock(t *testing.T) {
	f, err := ParseFaults("cut=after-check@2,data@3:4;length=check@2")
	require.NoError(t, err)
	require.Equal(t, []Point{{Kind: protocol.Check, After: true, N: 1, Block: 2}, {Kind: protocol.DataTelegram, N: 4, Block: 3}}, f.Cut)
	for _, text := range []string{"cut=check@0", "cut=check@x", "length=@1"} {
		_, err := ParseFaults(text)
		require.Equal(t, CodeFaults, fault.CodeOf(err), text)
	}
	var set Faults
	require.NoError(t, set.Set("drip", "3/1ms"))
	require.NoError(t, set.Set("cut", "check@2"))
	require.Equal(t, 3, set.Split)
	require.Equal(t, CodeFaults, fault.CodeOf(set.Set("cut", "nowhere")))
}

// What comes late comes whole: with the bytes that end it, where telegrams have
// no length.
func TestLateTelegramIsWhole(t *testing.T) {
	p := profile(t, "hyundai")
	frame := func(seq int64) []byte {
		tel := protocol.Telegram{Kind: protocol.DataTelegram}
		tel.SetNumber(protocol.Block, 1)
		tel.SetNumber(protocol.Sequence, seq)
		tel.Set(protocol.Data, []byte("data"))
		b, err := p.Append(nil, &tel)
		require.NoError(t, err)
		return b
	}
	f, err := ParseFaults("reorder=1:1")
	require.NoError(t, err)
	near, far := net.Pipe()
	c := newInjector(p, f).wrap(near, protocol.InstitutionSide, false)
	go func() {
		_, _ = c.Write(append(frame(1), frame(2)...))
		_ = c.Close()
	}()
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, append(frame(2), frame(1)...), got)
}
