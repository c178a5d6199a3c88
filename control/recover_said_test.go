package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol"
	"pabal/protocol/sessionlog"
	"pabal/store"
	"pabal/store/journal"
	"pabal/transfer"
)

// ruin is a database in quarantine at a place whose journal knows nothing of
// what the test makes.
type ruin struct {
	*desk
	r    *Recovery
	root string
}

func (u *ruin) path(parts ...string) string {
	path := filepath.Join(append([]string{u.root}, parts...)...)
	require.NoError(u.t, os.MkdirAll(filepath.Dir(path), 0o750))
	return path
}

func newRuin(t *testing.T) *ruin {
	u := &ruin{desk: newDesk(t, catalog.EN), root: t.TempDir()}
	j, err := journal.Open(journal.Options{Dir: u.path("journal"), Server: true, Now: func() time.Time { return u.clock }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	j.Wrote([]store.Written{{Event: transfer.Event{ID: 1, At: now.Add(-time.Hour), TransferID: "other", Kind: store.EventStatus, To: transfer.Refused},
		Row: &transfer.Transfer{Direction: transfer.Send, Name: "REFUSED.KFTC.CMS"}}})
	book, problems := naming.NewBook(nil)
	require.Empty(t, problems)
	u.r = &Recovery{Control: u.c, Place: "host1", Journal: u.path("journal"), Said: u.path("said"), Scan: u.path("scan"), Receive: u.path("receive"),
		Book: book, Zone: time.UTC}
	return u
}

// quarantine begins as Recognise would have it, with these rows held.
func (u *ruin) quarantine(held ...*transfer.Transfer) {
	for _, row := range held {
		_, err := u.s.Command(u.t.Context(), u.clock, transfer.Command{Name: "x", TransferID: row.ID}, func(r *transfer.Transfer) error {
			r.HeldFrom, r.Status = r.Status, transfer.Held
			return nil
		})
		require.NoError(u.t, err)
	}
	require.NoError(u.t, u.s.SetMeta(u.t.Context(), "quarantine",
		`{"id":"q","since":"`+u.clock.Add(time.Hour).Format(time.RFC3339)+`","place":"host1","why":"older_event"}`))
}

// says writes a log of a session about one transfer. The kinds are those of our
// telegrams, with < before those of the counterparty; ! makes an answer a refusal.
func (u *ruin) says(session string, about *transfer.Transfer, kinds ...string) {
	u.t.Helper()
	p, err := protocol.Load("cms")
	require.NoError(u.t, err)
	w := sessionlog.NewWriter(func() time.Time { return u.clock }, func(err error) { u.t.Error(err) })
	l := w.Log(p)
	l.Begin(u.clock, sessionlog.Record{Session: session, Institution: about.Institution, Profile: "cms"},
		sessionlog.Options{Dir: u.r.Said, Level: sessionlog.Headers})
	l.File(u.clock, sessionlog.Record{Transfer: about.ID, Direction: string(about.Direction), Name: about.Name, WireName: about.WireName,
		FileID: about.FileID, Job: about.Job, BaseDate: about.BaseDate, WireSize: about.WireSize, Host: "host1"})
	for _, name := range kinds {
		out, response := true, "000"
		if name[0] == '<' {
			name, out = name[1:], false
		}
		if name[0] == '!' {
			name, response = name[1:], "413"
		}
		for _, k := range protocol.Kinds() {
			if k.String() != name {
				continue
			}
			tg := protocol.Telegram{Kind: k}
			tg.SetText(protocol.Response, response)
			if k == protocol.DataTelegram {
				l.Data(u.clock, out, &tg, 1, 1, 100, nil)
				continue
			}
			b, err := p.Append(nil, &tg)
			require.NoError(u.t, err)
			l.Telegram(u.clock, out, &tg, b, nil)
		}
	}
	l.End(u.clock, 1, "")
	w.Close()
}

func (u *ruin) found() map[string]*Finding {
	u.t.Helper()
	report, err := u.r.Recover(u.t.Context(), false, Actor{})
	require.NoError(u.t, err)
	out := map[string]*Finding{}
	for _, f := range report.Findings {
		out[f.ID+f.Name] = f
	}
	return out
}

// TestLogsAreEvidence: what the journal has lost is known from what was said.
func TestLogsAreEvidence(t *testing.T) {
	u := newRuin(t)
	row := func(name string, d transfer.Direction, st transfer.Status) *transfer.Transfer {
		tr := sending()
		tr.Name, tr.Direction, tr.Status, tr.Place, tr.WireName = name, d, st, "host1", name
		return u.create(tr)
	}
	arrived, asked := row("arrived", transfer.Send, transfer.Stored), row("asked", transfer.Send, transfer.Stored)
	part, refused := row("part", transfer.Send, transfer.Stored), row("refused", transfer.Send, transfer.Stored)
	quiet, told := row("quiet", transfer.Send, transfer.Stored), row("told", transfer.Receive, transfer.Receiving)
	half := row("half", transfer.Receive, transfer.Receiving)
	u.quarantine(arrived, asked, part, refused, quiet, told, half)
	u.clock = u.clock.Add(time.Minute)
	u.says("s1", arrived, "info", "<info-reply", "data", "check", "<check-reply", "end", "<end-reply", "end-more")
	u.says("s2", asked, "info", "<info-reply", "data", "end-more")
	u.says("s3", part, "info", "<info-reply", "data", "check")
	u.says("s4", refused, "data", "end", "<!end-reply")
	u.says("s5", quiet, "info", "<!info-reply")
	u.says("s6", told, "<info", "info-reply", "<data", "<end", "end-reply")
	u.says("s7", half, "<info", "info-reply", "<data", "<end", "!end-reply")
	// Of these the database has never heard.
	gone := sending()
	gone.ID, gone.Name, gone.WireName = store.NewID(u.clock), "GONE.KFTC.CMS", "GONE"
	backup := u.path("backup", "20260320", "GONE.KFTC.CMS"+u.clock.Add(-time.Minute).UTC().Format("20060102150405")+"000")
	require.NoError(t, os.MkdirAll(filepath.Dir(backup), 0o750))
	require.NoError(t, os.WriteFile(backup, []byte("x"), 0o640))
	u.says("s8", &gone, "data", "end", "<end-reply")

	got := u.found()
	for _, c := range []struct {
		row                 *transfer.Transfer
		kind, session, name string
	}{
		{arrived, FoundArrived, "s1", "arrived"}, {asked, FoundMaybe, "s2", "asked"}, {part, FoundPartLeft, "s3", "part"},
		{refused, FoundPartLeft, "s4", "refused"}, {quiet, FoundSafe, "", "quiet"}, {told, FoundLost, "s6", "told"}, {half, FoundSafe, "", "half"},
		{&gone, FoundArrived, "s8", "GONE.KFTC.CMS"},
	} {
		f := got[c.row.ID+c.name]
		require.NotNil(t, f, c.name)
		require.Equal(t, []string{c.kind, c.session}, []string{f.Kind, f.Session}, c.name)
	}
	require.Len(t, got, 8, "its backup is no finding of its own")

	by := Actor{Who: "kim", Reason: "x"}
	report, err := u.r.Recover(t.Context(), true, by)
	require.NoError(t, err)
	require.Zero(t, report.Open)
	entered, err := u.s.Transfer(t.Context(), gone.ID)
	require.NoError(t, err)
	require.Equal(t, []any{transfer.Sent, "KFTC", "GONE", backup, true},
		[]any{entered.Status, entered.Institution, entered.WireName, entered.BackupPath, entered.EndedOnce})
	after, err := u.s.Transfer(t.Context(), asked.ID)
	require.NoError(t, err)
	require.Equal(t, []any{transfer.Held, transfer.Unknown}, []any{after.Status, after.HeldFrom})
}

// TestJournalIsLater: a log does not speak against what the journal says of a
// later time.
func TestJournalIsLater(t *testing.T) {
	at := now
	c := &sessionlog.Carried{File: sessionlog.Record{Direction: "send"}, At: at, Data: true, Asked: true}
	require.Equal(t, transfer.Ending, heard(c, nil, nil, "host1").Status)
	known := knownAt(transfer.Send, transfer.Sending)
	known.At = at.Add(-time.Second)
	require.Equal(t, transfer.Ending, heard(c, known, nil, "host1").Status)
	known.At = at.Add(time.Second) // a person has settled it, and it waits again
	require.Nil(t, heard(c, known, nil, "host1"))
	known.At, known.Status = at.Add(-time.Second), transfer.Unknown
	require.Nil(t, heard(c, known, nil, "host1"))
	row := heldAt(transfer.Send, transfer.Sending)
	require.NotNil(t, heard(c, nil, row, "host1"))
	row.HeldFrom, row.Status, row.UpdatedAt = "", transfer.Cancelled, at.Add(time.Second)
	require.Nil(t, heard(c, nil, row, "host1"))
}

// TestFilesAreEvidence: what stands in backup/, error/ and receive/ and nothing
// tells of is shown. A backup is entered; nothing goes out of it by itself.
func TestFilesAreEvidence(t *testing.T) {
	u := newRuin(t)
	ours := sending()
	ours.Direction, ours.Status, ours.Place, ours.FinalPath, ours.PurgedAt = transfer.Receive, transfer.Assembled, "host1", u.path("receive", "KNOWN"), now
	u.create(ours)
	stamp := now.UTC().Format("20060102150405") + "123"
	for _, path := range []string{
		u.path("backup", "20260320", "ALONE.KFTC.CMS"+stamp), u.path("error", "20260320", "BAD.KFTC.CMS"+stamp),
		u.path("error", "20260320", "BAD.KFTC.CMS"+stamp+".txt"), u.path("error", "20260320", "REFUSED.KFTC.CMS"+stamp),
		u.path("receive", "KNOWN"), u.path("receive", "KNOWN.fin"), u.path("receive", "STRANGE"), u.path("receive", ".pabal", "x"),
	} {
		require.NoError(t, os.WriteFile(path, []byte("abc"), 0o640))
		require.NoError(t, os.Chtimes(path, now, now))
	}
	u.quarantine()
	kinds := map[string]string{}
	for _, f := range u.found() {
		kinds[f.Name] = f.Kind
		require.Equal(t, f.Kind == FoundBackup, f.Open(), f.Name)
	}
	require.Equal(t, map[string]string{"ALONE.KFTC.CMS": FoundBackup, "BAD.KFTC.CMS": FoundError, "STRANGE": FoundReceived}, kinds,
		"of the refused one the journal tells")

	by := Actor{Who: "kim", Reason: "x"}
	report, err := u.r.Recover(t.Context(), true, by)
	require.NoError(t, err)
	require.Zero(t, report.Open)
	entered, err := u.c.Find(t.Context(), "ALONE.KFTC.CMS")
	require.NoError(t, err)
	require.Equal(t, []any{transfer.Held, transfer.Storing, int64(3)}, []any{entered.Status, entered.HeldFrom, entered.FileSize})
	require.NoError(t, u.r.End(t.Context(), false, false, by))
	claimed, err := u.s.Claim(t.Context(), u.clock, store.ClaimQuery{Owner: "instance_A", Term: u.term, Statuses: []transfer.Status{transfer.Storing}, Limit: 9})
	require.NoError(t, err)
	require.Empty(t, claimed, "a person releases it")
}

// TestContentInFilesIsLookedFor: where content is kept in files, what is still
// needed must be there.
func TestContentInFilesIsLookedFor(t *testing.T) {
	for _, c := range []struct {
		name      string
		direction transfer.Direction
		status    transfer.Status
		in        string
		exists    string
		want      string
		becomes   transfer.Status
	}{
		{"its own file is there", transfer.Send, transfer.Waiting, "/w/1.wire", "/w/1.wire", FoundSafe, ""},
		{"only the backup is", transfer.Send, transfer.Waiting, "/w/1.wire", "/b/1", FoundPayload, transfer.Held},
		{"nothing is", transfer.Send, transfer.Sending, "/w/1.wire", "", FoundFileGone, transfer.Failed},
		{"adopted, in work", transfer.Send, transfer.Stored, transfer.InFile, "/w/1", FoundSafe, ""},
		{"adopted, in backup", transfer.Send, transfer.Stored, transfer.InFile, "/b/1", FoundSafe, ""},
		{"adopted, nowhere", transfer.Send, transfer.Stored, transfer.InFile, "", FoundFileGone, transfer.Failed},
		{"not needed to settle", transfer.Send, transfer.Unknown, "/w/1.wire", "", FoundSafe, ""},
		{"half received", transfer.Receive, transfer.Receiving, "/r/.pabal/1", "", FoundPayload, transfer.Abandoned},
		{"received", transfer.Receive, transfer.Received, "/r/.pabal/1", "", FoundLost, transfer.Failed},
		{"received, there", transfer.Receive, transfer.Received, "/r/.pabal/1", "/r/.pabal/1", FoundSafe, ""},
		{"being placed", transfer.Receive, transfer.Placing, "/r/.pabal/1", "", FoundSafe, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := heldAt(c.direction, c.status)
			row.PayloadIn, row.WorkPath, row.BackupPath, row.WireDigest = c.in, "/w/1", "/b/1", "d"
			exists := func(path string) bool { return path != "" && path == c.exists }
			f := judge("a", row, nil, now.Add(time.Minute), exists)
			require.Equal(t, []any{c.want, c.becomes}, []any{f.Kind, f.Becomes})
			if !f.Open() {
				return
			}
			f.mark(row, now)
			require.NotEmpty(t, fault.Code(row.ErrorCode))
			require.False(t, judge("a", row, nil, now.Add(time.Minute), exists).Open())
			if c.becomes == transfer.Held {
				require.Equal(t, []any{transfer.Storing, ""}, []any{row.HeldFrom, row.WireDigest})
			} else {
				require.False(t, row.EndedAt.IsZero())
			}
		})
	}
}
