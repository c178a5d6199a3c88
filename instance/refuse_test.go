package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/filemgr"
	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/store"
	"pabal/transfer"
)

// both is what cmd gives an instance: the sentence in both languages.
func both(t *testing.T) func(error) string {
	t.Helper()
	c, err := catalog.Load()
	require.NoError(t, err)
	return func(err error) string {
		var b strings.Builder
		for _, lang := range []catalog.Lang{catalog.KO, catalog.EN} {
			sentence, next := c.Sentence(lang, err)
			b.WriteString("[" + string(fault.CodeOf(err)) + "]\n" + sentence + "\n" + next + "\n")
		}
		return b.String()
	}
}

// lone starts an institution that has nobody to call.
func lone(t *testing.T, on engine, profile string, files []file, tune func(*Options)) *host {
	t.Helper()
	h := &host{t: t, on: on, dir: t.TempDir()}
	for _, d := range []string{"scan", "work", "receive", "result"} {
		require.NoError(t, os.Mkdir(h.path(d), 0o750))
	}
	var err error
	h.opt, err = sideOptions(h.dir, profile, "institution", files, nil)
	require.NoError(t, err)
	h.opt.Log = testLog(t, "lone")
	h.opt.Explain = both(t)
	if tune != nil {
		tune(&h.opt)
	}
	h.start()
	return h
}

// TestFilesRefused: each bad file has a row with its code, stands in error/
// with a text in both languages that says what to do, and nothing is lost.
func TestFilesRefused(t *testing.T) {
	t.Parallel()
	onAll(t, testFilesRefused)
}

func testFilesRefused(t *testing.T, on engine) {
	fixed := file{id: "EB13", form: filemgr.Form{Kind: filemgr.Fixed, Length: 120}}
	checked := file{id: "EB21", form: filemgr.Form{Kind: filemgr.Fixed, Length: 150}, opt: func(f *File) {
		f.Result = true
		f.Checks = filemgr.CheckOptions{
			Header: &filemgr.HeaderCheck{Mark: "H", Name: &filemgr.Field{Offset: 19, Length: 8}, Date: &filemgr.DateField{Offset: 27, Format: "yyMMdd"}},
			Trailer: &filemgr.TrailerCheck{Mark: "T", Totals: []filemgr.Total{
				{At: filemgr.Field{Offset: 27, Length: 8}},
			}},
		}
	}}
	free := file{id: "FREE", form: filemgr.Form{Kind: filemgr.Raw}, opt: func(f *File) { f.WireName = "" }}
	// Two institutions and jobs whose names can be read in two ways.
	h := lone(t, on, "cms", []file{fixed, checked, free}, func(o *Options) {
		o.Files = append(o.Files, File{Registration: naming.Registration{FileID: "OLD", Institution: "CENTRE", Job: "JOB", Direction: transfer.Receive}})
	})
	record := func(mark string) string { return mark + strings.Repeat(" ", 149) }
	tests := []struct {
		name, body string
		code       fault.Code
	}{
		{"NOPE.CENTRE.JOB", "x", naming.CodeUnknownFileID},
		{"EB13.NOBODY.JOB", "x", naming.CodeUnknownInstitution},
		{"EB13.CENTRE.NONE", "x", naming.CodeUnknownJob},
		{"OLD.CENTRE.JOB", "x", naming.CodeReceiveOnly},
		{"EB13.CENTRE.JOB.20261341", "x", naming.CodeBadDate},
		{"EB13", "x", naming.CodeTooFewParts},
		{"EB13.A.B.CENTRE.JOB.20261121.x", "x", ""},
		{"EB13.CENTRE.JOB.20261120", strings.Repeat("x", 121), filemgr.CodeRecordLength},
		{"FREE.MUCHTOOLONG.CENTRE.JOB", "x", CodeWireName},
		{"EB21.CENTRE.JOB.20261120", record("X") + record("T"), filemgr.CodeHeaderMark},
		{"EB21.CENTRE.JOB.20261119", record("H") + record("T"), filemgr.CodeHeaderName},
		{"EB21.CENTRE.JOB.20261118", record("H00000000          EB211118260101") + record("T"), filemgr.CodeHeaderDate},
	}
	want := map[string]fault.Code{}
	for _, test := range tests {
		body := test.body
		if test.code == filemgr.CodeHeaderDate {
			body = (test.body[:0] + "H00000000          EB211118260101" + strings.Repeat(" ", 200))[:150] + record("T")
		}
		h.drop(test.name, []byte(body))
		want[test.name] = test.code
	}
	rows := h.await(transfer.Send, transfer.Refused, len(tests))
	for _, r := range rows {
		if code := want[r.Name]; code != "" {
			require.Equal(t, string(code), r.ErrorCode, r.Name)
		}
		require.NotEmpty(t, r.ErrorCode)
		events := awaitEvents(t, h.store, r.ID, "error_file")
		require.Contains(t, events[0].Detail, r.Name)
	}
	texts, err := filepath.Glob(h.path("error", "*", "*.txt"))
	require.NoError(t, err)
	require.Len(t, texts, len(tests))
	for _, path := range texts {
		text := string(mustRead(t, path))
		require.Contains(t, text, "[", path)
		require.Regexp(t, `[가-힣]`, text, "the Korean sentence")
		require.NotContains(t, text, "{", "no placeholder is left")
		_, err := os.Stat(strings.TrimSuffix(path, ".txt"))
		require.NoError(t, err, "the file stands beside its text")
	}
	require.Eventually(t, func() bool { // a stage of its own writes them
		result, err := filepath.Glob(h.path("result", "*.fail"))
		return err == nil && len(result) == 3
	}, hang, 5*time.Millisecond, "the registration asks for result files")
	left, err := os.ReadDir(h.path("scan"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestTooLargeForTheBlockCounter: 9999 blocks are the end (§1.5). The file is
// sparse, so only its size is large.
func TestTooLargeForTheBlockCounter(t *testing.T) {
	t.Parallel()
	onBoth(t, testTooLargeForTheBlockCounter)
}

func testTooLargeForTheBlockCounter(t *testing.T, on engine) {
	h := lone(t, on, "cms", []file{rawForm("EB21")}, nil)
	tmp := h.path("scan", ".big")
	f, err := os.Create(tmp)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(9999*100*4057+1))
	require.NoError(t, f.Close())
	require.NoError(t, os.Rename(tmp, h.path("scan", "EB21.CENTRE.JOB")))
	r := h.await(transfer.Send, transfer.Refused, 1)[0]
	require.Equal(t, string(filemgr.CodeTooLarge), r.ErrorCode)
}

// TestNotTaken: what is no ready file stays where it is, with an event.
func TestNotTaken(t *testing.T) {
	t.Parallel()
	onBoth(t, testNotTaken)
}

func testNotTaken(t *testing.T, on engine) {
	h := lone(t, on, "cms", []file{rawForm("EB21")}, nil)
	require.NoError(t, os.Mkdir(h.path("scan", "EB21.CENTRE.JOB"), 0o750))
	require.NoError(t, os.Symlink("/etc/hostname", h.path("scan", "EB21.CENTRE.JOB.20261121")))
	require.NoError(t, os.WriteFile(h.path("scan", "EB21.CENTRE.JOB.20261122.part"), []byte("x"), 0o640))
	seen := map[string]bool{}
	deadline := time.After(hang)
	for !seen[string(filemgr.CodeDirectory)] || !seen[string(filemgr.CodeSymlink)] {
		events, err := h.store.Events(t.Context(), store.EventFilter{Kind: "scan"})
		require.NoError(t, err)
		for _, e := range events {
			seen[e.Code] = true
		}
		select {
		case <-deadline:
			t.Fatal("not reported", seen)
		case <-time.After(10 * time.Millisecond):
		}
	}
	all, err := h.store.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Empty(t, all)
	left, err := os.ReadDir(h.path("scan"))
	require.NoError(t, err)
	require.Len(t, left, 3)
}

// TestReceiveDirectoryAway: a received file waits until it can be placed, and
// an existing name is not replaced.
func TestReceiveDirectoryAway(t *testing.T) {
	t.Parallel()
	onAll(t, testReceiveDirectoryAway)
}

func testReceiveDirectoryAway(t *testing.T, on engine) {
	p := makePair(t, on, "cms", []file{rawForm("EB21")}, nil, nil)
	// On the centre's clock an hour is a minute from the start on, so that what
	// is tried again in half a minute is tried again in half a second.
	start := time.Now()
	p.centre.opt.Now = func() time.Time { return start.Add(60 * time.Since(start)) }
	p.centre.opt.Institutions[0].StoreWait = 50 * time.Millisecond // payload that is to be in the directory waits no longer
	p.start()
	day := start.In(p.centre.opt.Zone)
	taken := p.centre.path("receive", "EB21.EB21"+day.Format("0102")+".MEMBER.JOB."+day.Format("20060102"))
	require.NoError(t, os.WriteFile(taken, []byte("was here first"), 0o640))
	p.institution.drop("EB21.CENTRE.JOB", content(1000))
	w := p.centre.await(transfer.Receive, transfer.Waiting, 1)[0]
	require.Equal(t, string(filemgr.CodeExists), w.ErrorCode)
	require.Equal(t, "was here first", string(mustRead(t, taken)))
	require.NoError(t, os.Remove(taken))
	require.NoError(t, os.Rename(p.centre.path("receive"), p.centre.path("gone")))
	p.institution.drop("EB21.CENTRE.JOB."+day.AddDate(0, 0, -1).Format("20060102"), content(2000))
	if on.inFiles() { // then blocks cannot be taken either
		require.NotEmpty(t, p.institution.await(transfer.Send, transfer.Waiting, 1)[0].ErrorCode)
	} else {
		p.institution.await(transfer.Send, transfer.Sent, 2)
	}
	require.NoError(t, os.Rename(p.centre.path("gone"), p.centre.path("receive")))
	for _, r := range p.centre.await(transfer.Receive, transfer.Assembled, 2) {
		require.Equal(t, r.FileDigest, sum(mustRead(t, r.FinalPath)))
	}
}

// TestLostPayloadIsStoredAgain: a block row that is damaged or gone is made
// good from the backup, and the file is sent.
func TestLostPayloadIsStoredAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, testLostPayloadIsStoredAgain)
}

func testLostPayloadIsStoredAgain(t *testing.T, on engine) {
	h := lone(t, on, "cms", []file{rawForm("EB21")}, nil)
	body := content(900_000)
	h.drop("EB21.CENTRE.JOB", body)
	r := h.await(transfer.Send, transfer.Stored, 1)
	_ = r
	deadline := time.After(hang)
	for {
		all, err := h.store.List(t.Context(), store.Filter{})
		require.NoError(t, err)
		if !all[0].BackedUpAt.IsZero() {
			require.Equal(t, sum(body), sum(mustRead(t, all[0].BackupPath)))
			break
		}
		select {
		case <-deadline:
			t.Fatal("not backed up")
		case <-time.After(10 * time.Millisecond):
		}
	}
	h.end()
	damage(t, h.url)

	a := newAgainst(t, on, "cms", "institution", true, "", nil) // a counterparty to send it to
	h.opt.Institutions[0].Connect = a.ours.opt.Institutions[0].Connect
	a.ours.end()
	h.start()
	sent := h.await(transfer.Send, transfer.Sent, 1)[0]
	require.Equal(t, sum(body), sent.FileDigest)
	require.Equal(t, map[string]int{sum(body): 1}, a.arrived())
}
