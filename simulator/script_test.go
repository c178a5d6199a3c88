package simulator

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/protocol"
)

// The other side of these conversations is written down: what it says and what
// it must hear are taken from the documents (§1.3, §1.11), not from our encoder.

const (
	blank  = "        "
	sender = "Honggildong         T1W129SVBPPJ8BFE"
	nobody = "                                    "
)

// june is the moment of the golden messages.
func june() time.Time {
	return time.Date(2020, 6, 2, 13, 13, 10, 0, time.FixedZone("KST", 9*60*60))
}

// converse plays a script against a Peer: ">" is said to it, "<" heard from it.
func converse(t *testing.T, p *Peer, receive bool, script ...string) error {
	t.Helper()
	us, them := connected(t)
	ended := make(chan error, 1)
	go func() {
		_, err := p.Session(context.Background(), them, receive)
		ended <- err
	}()
	defer us.Close()
	talk(t, us, script...)
	require.NoError(t, us.Close())
	return <-ended
}

// talk says and hears the lines of a script.
func talk(t *testing.T, us net.Conn, script ...string) {
	t.Helper()
	for i, s := range script {
		require.NoError(t, us.SetDeadline(time.Now().Add(4*time.Minute)))
		say, text := s[0] == '>', s[2:]
		if say {
			_, err := us.Write([]byte(text))
			require.NoError(t, err, "line %d", i)
			continue
		}
		heard := make([]byte, len(text))
		n, err := io.ReadFull(us, heard)
		require.Equal(t, text, string(heard[:n]), "line %d", i)
		require.NoError(t, err, "line %d", i)
	}
}

// goldenSide is a Peer with the names and the day of the golden messages.
func goldenSide(t *testing.T, s protocol.Side) *Peer {
	t.Helper()
	o := side(t, profile(t, "cms"), s, t.TempDir())
	o.Now, o.MessageSize = june, 0
	p, err := New(o)
	require.NoError(t, err)
	return p
}

func open(letter string) []string {
	return []string{
		"> 0077FTE123456780600" + letter + "E" + blank + "0000602131309001" + sender,
		"< 0077FTE123456780610" + letter + "C" + blank + "0000602131310001" + sender,
	}
}

func leave() []string {
	return []string{
		"> 0077FTE123456780600RE" + blank + "0000602131321004" + sender,
		"< 0077FTE123456780610RC" + blank + "0000602131310004" + sender,
	}
}

// A file of exactly one telegram more than nothing, and one check more with
// sequence 000 after its end (§1.5).
func TestExtraCheck(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	a, b := strings.Repeat("a", 150), strings.Repeat("b", 150)
	script := append(open("R"),
		"> 0052FTE123456780630REEB210602000EB2106020000000003004096",
		"< 0052FTE123456780640RCEB210602000EB2106020000000000004096",
		"> 0189FTE123456780320REEB21060200000010010150"+a,
		"> 0035FTE123456780620REEB2106020000001002",
		"< 0040FTE123456780300RCEB210602000000100200110",
		"> 0189FTE123456780310REEB21060200000010020150"+b,
		"> 0035FTE123456780620REEB2106020000001002",
		"< 0040FTE123456780300RCEB210602000000100200011",
		"> 0035FTE123456780620REEB2106020000002000",
		"< 0038FTE123456780300RCEB2106020000002000000",
		"> 0077FTE123456780600REEB2106020000602131320003"+sender,
		"< 0077FTE123456780610RCEB2106020000602131310003"+sender,
	)
	require.NoError(t, converse(t, p, false, append(script, leave()...)...))
	require.Equal(t, map[string][]byte{"EB210602": []byte(a + b)}, files(t, p.opt.TakeDir))

	// The same again on the same day: held whole, data skipped (630).
	script = append(open("R"),
		"> 0052FTE123456780630REEB210602000EB2106020000000003004096",
		"< 0052FTE123456780640RCEB210602630EB2106020000000000004096",
		"> 0077FTE123456780600REEB2106020000602131320003"+sender,
		"< 0077FTE123456780610RCEB2106020000602131310003"+sender,
	)
	require.NoError(t, converse(t, p, false, append(script, leave()...)...))
	require.Len(t, files(t, p.opt.TakeDir), 1)
}

// A centre's first 0630 may arrive before its 0610/001 (§1.4).
func TestEarlyAnnouncement(t *testing.T) {
	p := goldenSide(t, protocol.InstitutionSide)
	require.NoError(t, converse(t, p, true,
		"< 0077FTE123456780600SE"+blank+"0000602131310001"+sender,
		"> 0052FTE123456780630SCEB220602000EB2206020000000000034096",
		"< 0052FTE123456780640SEEB220602000EB2206020000000000004096",
		"> 0077FTE123456780610SC"+blank+"0000602131310001"+sender,
		"> 0042FTE123456780320SCEB22060200000010010003abc",
		"> 0035FTE123456780620SCEB2206020000001001",
		"< 0039FTE123456780300SEEB22060200000010010001",
		"> 0077FTE123456780600SCEB2206020000602131320003"+nobody,
		"< 0077FTE123456780610SEEB2206020000602131310003"+nobody,
		"> 0077FTE123456780600SC"+blank+"0000602131321004"+nobody,
		"< 0077FTE123456780610SE"+blank+"0000602131310004"+nobody,
	))
	require.Equal(t, map[string][]byte{"EB220602": []byte("abc")}, files(t, p.opt.TakeDir))
}

// 0400 asks, 0500 forgets (§1.3, §1.6).
func TestInquiryAndCancel(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	file := []string{
		"> 0052FTE123456780630REEB130602000EB1306020000000000034096",
		"< 0052FTE123456780640RCEB130602000EB1306020000000000004096",
		"> 0042FTE123456780320REEB13060200000010010003abc",
		"> 0035FTE123456780620REEB1306020000001001",
		"< 0039FTE123456780300RCEB13060200000010010001",
		"> 0077FTE123456780600REEB1306020000602131320003" + sender,
		"< 0077FTE123456780610RCEB1306020000602131310003" + sender,
	}
	ask := func(result string) []string {
		return []string{
			"> 0050FTE123456780400RE" + blank + "00000120200602EB130602   ",
			"< 0050FTE123456780410RC" + blank + "00000120200602EB130602" + result,
		}
	}
	cancel := func(result string) []string {
		return []string{
			"> 0047FTE123456780500RE" + blank + "00020200602EB130602   ",
			"< 0047FTE123456780510RC" + blank + "00020200602EB130602" + result,
		}
	}
	var script []string
	for _, part := range [][]string{open("R"), ask("415"), cancel("511"), file, ask("000"), cancel("000"), ask("415"), cancel("512"), file, ask("000"), leave()} {
		script = append(script, part...)
	}
	require.NoError(t, converse(t, p, false, script...))
	require.Equal(t, map[string][]byte{"EB130602": []byte("abc"), "EB130602.cancelled": []byte("abc")}, files(t, p.opt.TakeDir))
	again, err := New(p.opt)
	require.NoError(t, err)
	require.NoError(t, converse(t, again, false, append(append(open("R"), ask("000")...), leave()...)...), "after a restart")
}

// A name from the wire never leads out of the directory.
func TestNamesOfThePeer(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	for _, name := range []string{"../../ab", ".hidden1", "a/b/c/d/", "        ", "\x011234567", "A\\B\\C\\D "} {
		script := append(open("R"),
			"> 0052FTE123456780630RE"+name+"000"+name+"0000000003004096",
			"< 0052FTE123456780640RC"+name+"632",
		)
		_ = converse(t, p, false, script...)
	}
	require.Empty(t, files(t, p.opt.TakeDir))
	entries, err := os.ReadDir(filepath.Dir(p.opt.TakeDir))
	require.NoError(t, err)
	require.Len(t, entries, 2, "give and take")
}

// Business and names of files in the way of others.
func TestWrongBusinessCode(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	err := converse(t, p, false,
		"> 0077FTS123456780600RE"+blank+"0000602131309001"+sender,
		"< 0077",
	)
	require.ErrorContains(t, err, string(protocol.CodeWrongBusiness))
	require.Empty(t, files(t, p.opt.TakeDir))
}

var _ net.Conn = (*faultyConn)(nil)
