package simulator

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
	"pabal/protocol"
)

// Killed between the line in the journal and the final name: the next Peer
// places the file, once, and knows that it has it.
func TestKilledBeforePlacing(t *testing.T) {
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
	require.NoError(t, converse(t, p, false, append(append(open("R"), file...), leave()...)...))
	journal, err := os.ReadFile(p.taker.journal())
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(journal), `"staged":"`)
	require.True(t, found)
	staged, _, _ := strings.Cut(rest, `"`)

	// The state of a crash: the bytes are still staged, and the journal's next
	// line was cut off.
	require.NoError(t, os.Rename(filepath.Join(p.opt.TakeDir, "EB130602"), filepath.Join(p.taker.notes, staged)))
	require.NoError(t, os.WriteFile(p.taker.journal(), append(journal, []byte("\n{\"op\":\"ta")...), 0o600))
	for range 2 {
		again, err := New(p.opt)
		require.NoError(t, err)
		require.Equal(t, map[string][]byte{"EB130602": []byte("abc")}, files(t, p.opt.TakeDir))
		require.NoError(t, converse(t, again, false, append(append(open("R"),
			file[0],
			"< 0052FTE123456780640RCEB130602630EB1306020000000000004096",
			file[5], file[6]), leave()...)...))
	}
	require.Len(t, files(t, p.opt.TakeDir), 1)
}

// What nobody can go on with is cleared away at the start.
func TestLeftovers(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	for _, name := range []string{"file-1.part", "half-00.part"} {
		require.NoError(t, os.WriteFile(filepath.Join(p.taker.notes, name), []byte("x"), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(p.taker.notes, "half-00.json"), []byte(`{"na`), 0o600))
	_, err := New(p.opt)
	require.NoError(t, err)
	require.NotContains(t, files(t, p.taker.notes), "file-1.part")
	require.NotContains(t, files(t, p.taker.notes), "half-00.part")
}

// The same file announced again on a second line, while the first still
// stands: the later session has it, and the earlier is told that it cannot.
func TestTakenOver(t *testing.T) {
	p := goldenSide(t, protocol.CentreSide)
	a, b, c := strings.Repeat("a", 150), strings.Repeat("b", 150), strings.Repeat("c", 150)
	us, them := connected(t)
	first := make(chan error, 1)
	go func() {
		_, err := p.Session(context.Background(), them, false)
		first <- err
	}()
	talk(t, us, append(open("R"),
		"> 0052FTE123456780630REEB210602000EB2106020000000004504096",
		"< 0052FTE123456780640RCEB210602000EB2106020000000000004096",
		"> 0189FTE123456780320REEB21060200000010010150"+a,
		"> 0189FTE123456780320REEB21060200000010020150"+b,
		"> 0035FTE123456780620REEB2106020000001003",
		"< 0041FTE123456780300RCEB2106020000001003001110",
	)...)
	require.NoError(t, converse(t, p, false, append(append(open("R"),
		"> 0052FTE123456780630REEB210602000EB2106020000000004504096",
		"< 0052FTE123456780640RCEB210602000EB2106020000000003004096",
		"> 0189FTE123456780320REEB21060200000010030150"+c,
		"> 0035FTE123456780620REEB2106020000001003",
		"< 0041FTE123456780300RCEB2106020000001003000111",
		"> 0077FTE123456780600REEB2106020000602131320003"+sender,
		"< 0077FTE123456780610RCEB2106020000602131310003"+sender,
	), leave()...)...))
	talk(t, us,
		"> 0189FTE123456780310REEB21060200000010030150"+c,
		"> 0035FTE123456780620REEB2106020000001003",
		"< 0041FTE123456780300RCEB2106020900001003003000",
	)
	require.NoError(t, us.Close())
	require.Error(t, <-first)
	require.Equal(t, map[string][]byte{"EB210602": []byte(a + b + c)}, files(t, p.opt.TakeDir))
}

// Many lines at once bring every file once.
func TestManyCallsAtOnce(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		pr := newPair(t, name, upload, nil)
		want := map[string][]byte{}
		for i := 1; i <= 40; i++ {
			n := pr.next()
			want[n] = []byte(fmt.Sprint("file ", i))
			pr.give(n, want[n])
		}
		pr.loopback(func(address string) {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					_, err := pr.inst.Call(t.Context(), address, !upload)
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			// A fetch is answered with a number before others take their part.
			_, err := pr.inst.Call(t.Context(), address, !upload)
			require.NoError(t, err)
		})
		pr.arrived(want)
	})
}

// A file that changes while it is given does not arrive as a mixture.
func TestChangedWhileGiven(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		var pr *pair
		var once sync.Once
		n, other := "", []byte("something else")
		pr = newPair(t, name, upload, func(_, take *Options) {
			take.Trace = func(outgoing bool, m *protocol.Telegram, _ []byte) {
				if m.Kind == protocol.CheckReply {
					once.Do(func() { pr.give(n, other) })
				}
			}
		})
		n = pr.next()
		pr.give(n, content(2*block))
		_, _, _, _ = pr.session()
		require.Empty(t, pr.taken())
		_, _, e1, e2 := pr.session()
		require.NoError(t, e1)
		require.NoError(t, e2)
		require.Len(t, pr.taken(), 1)
		for _, got := range pr.taken() {
			require.Equal(t, other, got)
		}
	})
}

func TestStoppedWhileGiving(t *testing.T) {
	roles(t, func(t *testing.T, name string, upload bool) {
		ctx, cancel := context.WithCancel(context.Background())
		pr := newPair(t, name, upload, func(give, _ *Options) {
			give.Trace = func(_ bool, m *protocol.Telegram, _ []byte) {
				if m.Kind == protocol.CheckReply {
					cancel()
				}
			}
		})
		n := pr.next()
		pr.give(n, content(2*block))
		us, them := connected(t)
		done := make(chan error, 1)
		other := pr.takes()
		go func() {
			_, err := other.Session(context.Background(), them, !upload)
			done <- err
		}()
		_, err := pr.giver().Session(ctx, us, !upload && pr.giver() == pr.inst)
		require.Error(t, err)
		require.Error(t, <-done)
		require.NotEqual(t, CodeCut, fault.CodeOf(err))
		for range 2 {
			_, _, e1, e2 := pr.session()
			require.NoError(t, e1)
			require.NoError(t, e2)
		}
		pr.arrived(map[string][]byte{n: content(2 * block)})
	})
}

// Neither passwords, as they are or as they travel, nor contents reach a log.
func TestNothingSecretIsLogged(t *testing.T) {
	var said lockedBuffer
	logger := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, password := range []string{"123ABC", "654321"} {
		pr := newPair(t, "cms", true, func(give, take *Options) {
			give.Logger, take.Logger, give.Password = logger, logger, password
			give.Now, take.Now = june, june
		})
		pr.give(pr.next(), []byte("R00000001 110-222-333444"))
		_, _, _, _ = pr.session()
	}
	pr := newPair(t, "edi", true, func(give, take *Options) {
		give.Logger, take.Logger, give.Transfer, take.Expect.Transfer = logger, logger, "s3cret", "other!"
	})
	pr.give(pr.next(), []byte("R00000001 110-222-333444"))
	_, _, _, _ = pr.session()
	text := said.String()
	require.Contains(t, text, "session begins")
	for _, secret := range []string{"123ABC", "654321", "T1W129SVBPPJ8BFE", "s3cret", "other!", "110-222"} {
		require.NotContains(t, text, secret)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
