package control

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/internal/catalog"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/store/storetest"
	"pabal/transfer"
)

// migrated is the database that every desk begins with.
var migrated storetest.Template

type desk struct {
	t     *testing.T
	s     *store.Store // the server's
	c     *Control     // the operator's, on a connection of its own
	clock time.Time
	term  int64
}

func newDesk(t *testing.T, lang catalog.Lang) *desk {
	ctx := t.Context()
	url := migrated.URL(t, t.TempDir())
	server, err := store.Open(ctx, store.Options{URL: url, Server: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.Migrate(ctx))
	beside, err := store.Open(ctx, store.Options{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, beside.Close()) })
	cat, err := catalog.Load()
	require.NoError(t, err)
	d := &desk{t: t, s: server, clock: now}
	d.c = New(beside, cat, lang, func() time.Time { return d.clock })
	d.term, err = server.Begin(ctx, now, "instance_A", "host1", 1)
	require.NoError(t, err)
	return d
}

func (d *desk) create(tr transfer.Transfer) *transfer.Transfer {
	d.t.Helper()
	tr.ID = store.NewID(d.clock)
	d.clock = d.clock.Add(time.Second)
	require.NoError(d.t, d.s.Create(d.t.Context(), d.clock, &tr))
	return &tr
}

func sending() transfer.Transfer {
	return transfer.Transfer{
		Direction: transfer.Send, Status: transfer.Stored, Institution: "KFTC", Job: "CMS", FileID: "EB21",
		WireName: "EB210320", Name: "EB21.KFTC.CMS", BaseDate: "20260320",
		WireDigest: "d", Form: "fixed:10", DataSize: 20, PerBlock: 3, WireSize: 130, FileSize: 130, Blocks: 3, Sequences: 7,
	}
}

var operator = Actor{Who: "kim", Host: "bat01", Reason: "because"}

func TestFindByIDPrefixAndName(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	one := sending()
	a := d.create(one)
	for _, text := range []string{a.ID, strings.ToUpper(a.ID), a.ID[:12], "EB210320", "EB21.KFTC.CMS"} {
		got, err := d.c.Find(ctx, text)
		require.NoError(t, err, text)
		require.Equal(t, a.ID, got.ID, text)
	}
	for _, text := range []string{"EB999", ""} {
		_, err := d.c.Find(ctx, text)
		require.Equal(t, store.CodeNotFound, fault.CodeOf(err), text)
	}
	other := sending()
	other.Name = "EB21.KFTC.CMS.20260320"
	b := d.create(other)
	_, err := d.c.Find(ctx, "EB210320")
	require.Equal(t, CodeWhichOne, fault.CodeOf(err))
	require.Equal(t, b.ID+", "+a.ID, fault.As(err).Args["ids"], "the latest first")
	got, err := d.c.Find(ctx, "EB21.KFTC.CMS")
	require.NoError(t, err, "the file name still has only one")
	require.Equal(t, a.ID, got.ID)
}

func TestOrderIsWrittenAndTakesTheTransferAway(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	made := d.create(sending())
	got, err := d.s.Claim(ctx, d.clock, store.ClaimQuery{Owner: "instance_A", Term: d.term, Direction: transfer.Send,
		Statuses: []transfer.Status{transfer.Stored}, To: transfer.Sending, SessionID: "s1", Limit: 1})
	require.NoError(t, err)
	require.Len(t, got, 1)

	d.clock = d.clock.Add(time.Second)
	after, err := d.c.Do(ctx, made.ID, Order{Name: Hold}, Actor{Who: "kim", Host: "bat01"})
	require.NoError(t, err, "a hold needs no reason")
	require.Equal(t, "held", after.Status)
	require.Empty(t, after.Owner)

	_, err = d.s.Change(ctx, d.clock, got[0].Ref(), func(*transfer.Transfer) error { return nil })
	require.ErrorIs(t, err, store.ErrFenced, "the session that had it may not write any more")

	for _, o := range []Order{{Name: Release}, {Name: Resend}, {Name: Cancel}} {
		_, err := d.c.Do(ctx, made.ID, o, Actor{Who: "kim", Host: "bat01"})
		require.Equal(t, CodeReasonMissing, fault.CodeOf(err), o.Name)
	}
	d.clock = d.clock.Add(time.Second)
	_, err = d.c.Do(ctx, made.ID, Order{Name: Release}, operator)
	require.NoError(t, err)

	show, err := d.c.Show(ctx, made.ID)
	require.NoError(t, err)
	var lines []string
	for _, e := range show.History {
		text := e.Kind + " " + e.From + ">" + e.To
		if e.Order() {
			text += " " + e.Who + "@" + e.Host + " " + e.Reason
		}
		lines = append(lines, text)
	}
	require.Equal(t, []string{
		"status >stored", "status stored>sending",
		"hold sending>held kim@bat01 ", "release held>waiting kim@bat01 because",
	}, lines, "the change that an order made is told once")
}

func TestRefusedOrderSaysTheStatusInWords(t *testing.T) {
	d := newDesk(t, catalog.KO)
	tr := sending()
	tr.Status = transfer.Sending
	made := d.create(tr)
	_, err := d.c.Do(t.Context(), made.ID, Order{Name: Resend}, operator)
	sentence, _ := d.c.cat.Sentence(catalog.KO, err)
	require.Contains(t, sentence, "송신중")
	require.NotContains(t, sentence, "sending")
}

// A file that is held because one of its name was sent goes out when it is
// released, and only then.
func TestHeldForItsNameIsClaimedAfterRelease(t *testing.T) {
	d := newDesk(t, catalog.EN)
	ctx := t.Context()
	tr := sending()
	tr.Status, tr.ErrorCode, tr.ErrorDetail = transfer.Held, "instance.same_name", `{"subject":"EB210320","other":"06x","status":"sent"}`
	made := d.create(tr)
	claim := func() []*transfer.Transfer {
		got, err := d.s.Claim(ctx, d.clock, store.ClaimQuery{Owner: "instance_A", Term: d.term, Direction: transfer.Send,
			Statuses: []transfer.Status{transfer.Stored, transfer.Waiting}, To: transfer.Sending, Limit: 1})
		require.NoError(t, err)
		return got
	}
	require.Empty(t, claim())
	show, err := d.c.Show(ctx, made.ID)
	require.NoError(t, err)
	require.Contains(t, show.Error.Next, "pabal transfer release")
	after, err := d.c.Do(ctx, made.ID, Order{Name: Release}, operator)
	require.NoError(t, err)
	require.Nil(t, after.Error)
	require.Len(t, claim(), 1)
}

func putBlocks(d *desk, tr *transfer.Transfer, blocks ...transfer.Block) {
	ctx := d.t.Context()
	got, err := d.s.Claim(ctx, d.clock, store.ClaimQuery{Owner: "instance_A", Term: d.term, Direction: tr.Direction,
		Statuses: []transfer.Status{tr.Status}, IDs: []string{tr.ID}, Limit: 1})
	require.NoError(d.t, err)
	require.Len(d.t, got, 1)
	_, err = d.s.PutBlocks(ctx, d.clock, got[0].Ref(), blocks, func(t *transfer.Transfer) error { t.Owner = ""; return nil })
	require.NoError(d.t, err)
}

// part is block n of a file of 20 bytes per sequence and 3 per block, with
// some of its sequences.
func part(n int64, last int, seqs ...int) transfer.Block {
	b := transfer.Block{Number: n, Offset: (n - 1) * 60, Lengths: make([]uint16, last)}
	for _, s := range seqs {
		b.Held.Add(s)
		b.Lengths[s-1] = 20
		b.Payload = append(b.Payload, []byte(strings.Repeat(string(rune('a'+s)), 20))...)
	}
	return b
}

func TestBlockMapNamesWhatIsMissing(t *testing.T) {
	d := newDesk(t, catalog.EN)
	tr := sending()
	tr.Direction, tr.Status, tr.WireDigest, tr.WireSize, tr.Blocks = transfer.Receive, transfer.Receiving, "", 0, 0
	made := d.create(tr)
	putBlocks(d, made, part(1, 3, 1, 2, 3), part(3, 3, 1, 3))
	show, err := d.c.Show(t.Context(), made.ID)
	require.NoError(t, err)
	require.Len(t, show.Map, 3)
	require.Equal(t, Block{Number: 1, Sequences: 3, Held: 3, Bytes: 60, State: BlockWhole}, show.Map[0])
	require.Equal(t, Block{Number: 2, Sequences: 3, State: BlockNothing}, show.Map[1])
	require.Equal(t, Block{Number: 3, Sequences: 3, Held: 2, Missing: []int{2}, Bytes: 40, State: BlockPart}, show.Map[2])
}

func TestRecordsAreMasked(t *testing.T) {
	d := newDesk(t, catalog.EN)
	tr := sending()
	tr.WireSize, tr.Blocks = 60, 1
	made := d.create(tr)
	b := part(1, 3, 1, 2, 3)
	b.Payload = []byte("H00001EB21" + "R123-45 \xb1\xe8" + "R987654321" + "R987654321" + "R987654321" + "T0000009  ")
	putBlocks(d, made, b)
	got, err := d.c.Records(t.Context(), made.ID, RecordQuery{From: 1, To: 2})
	require.NoError(t, err)
	require.Equal(t, []Record{{Number: 1, Text: "x99999xx99"}, {Number: 2, Text: "x999-99 가"}}, got)
	got, err = d.c.Records(t.Context(), made.ID, RecordQuery{From: 6, To: 99})
	require.NoError(t, err)
	require.Equal(t, []Record{{Number: 6, Text: "x9999999  "}}, got, "as far as the file goes")

	_, err = d.c.Records(t.Context(), made.ID, RecordQuery{From: 7, To: 7})
	require.Equal(t, CodeRecordRange, fault.CodeOf(err))
	empty := d.create(sending())
	_, err = d.c.Records(t.Context(), empty.ID, RecordQuery{From: 1, To: 1})
	require.Equal(t, CodeNoPayload, fault.CodeOf(err))
	raw := sending()
	raw.Form = "raw"
	_, err = d.c.Records(t.Context(), d.create(raw).ID, RecordQuery{From: 1, To: 1})
	require.Equal(t, CodeNoRecords, fault.CodeOf(err))
}

func TestRecordsOutOfEBCDIC(t *testing.T) {
	d := newDesk(t, catalog.EN)
	tr := sending()
	tr.Encoding, tr.WireSize, tr.Blocks = "ebcdic", 60, 1
	made := d.create(tr)
	b := part(1, 3, 1, 2, 3)
	// R, 12345, space, AB in code page 037, to ten bytes.
	record := "\xd9\xf1\xf2\xf3\xf4\xf5\x40\xc1\xc2\x40"
	b.Payload = []byte(strings.Repeat(record, 6))
	putBlocks(d, made, b)
	got, err := d.c.Records(t.Context(), made.ID, RecordQuery{From: 2, To: 2})
	require.NoError(t, err)
	require.Equal(t, []Record{{Number: 2, Text: "x99999 xx "}}, got)
}

func TestListFiltersAndSays(t *testing.T) {
	d := newDesk(t, catalog.EN)
	a := d.create(sending())
	bad := sending()
	bad.Status, bad.ErrorCode, bad.ErrorDetail = transfer.Waiting, "instance.connect", `{"subject":"KFTC","address":"10.0.0.1:9001"}`
	b := d.create(bad)
	all, err := d.c.List(context.Background(), store.Filter{NewestFirst: true})
	require.NoError(t, err)
	require.Equal(t, []string{b.ID, a.ID}, []string{all[0].ID, all[1].ID})
	require.Equal(t, "instance.connect", all[0].Error.Code)
	require.Contains(t, all[0].Error.Sentence, "10.0.0.1:9001")
	require.NotEmpty(t, all[0].Error.Next)
	none, err := d.c.List(context.Background(), store.Filter{Statuses: []transfer.Status{transfer.Failed}})
	require.NoError(t, err)
	require.Empty(t, none)
}

// The history says in words what instance wrote as values.
func TestHistoryInWords(t *testing.T) {
	for _, tt := range []struct {
		lang   catalog.Lang
		kind   string
		detail string
		want   string
	}{
		{catalog.EN, "round", `{"block":"2","count":"2","missing":"037,058"}`, "block 2: missing 037, 058"},
		{catalog.KO, "round", `{"block":"2","count":"2","missing":"037,058"}`, "블록 2: 결번 037, 058"},
		{catalog.EN, "round", `{"block":"7","count":"4","missing":"001,002,003,100"}`, "block 7: missing 001-003, 100"},
		{catalog.EN, "answer", `{"asked":"inquire","result":"000","finding":"whole","size":"0"}`, "000: it has the file, in order"},
		{catalog.KO, "answer", `{"asked":"inquire","result":"411","finding":"unfinished","size":"0"}`, "411: 송신 중단(미완료)"},
		{catalog.EN, "answer", `{"asked":"inquire","result":"00","finding":"whole","size":"1748"}`, "00: it has the file, in order, 1748 bytes"},
		{catalog.EN, "answer", `{"asked":"inquire","result":"84","finding":"nothing","size":"0"}`, "84: it does not know the file"},
		{catalog.KO, "answer", `{"asked":"recall","result":"513","finding":"late","size":"0"}`, "513: 재전송 불가"},
		{catalog.EN, "answer", `{"asked":"recall","result":"777","size":"0"}`, "777: a code that the profile does not know; look into the counterparty's document"},
		{catalog.EN, "round", `{"block":"2"}`, ""}, // of another version: shown as it is
		{catalog.EN, "backup", `{"path":"/b"}`, "/b"},
	} {
		d := newDesk(t, tt.lang)
		tr := d.create(sending())
		require.NoError(t, d.s.Event(t.Context(), d.clock, transfer.Event{TransferID: tr.ID, Kind: tt.kind, Detail: tt.detail}))
		show, err := d.c.Show(t.Context(), tr.ID)
		require.NoError(t, err)
		last := show.History[len(show.History)-1]
		require.Equal(t, tt.want, last.Text)
		require.JSONEq(t, tt.detail, string(last.Detail), "programs get the values")
	}
}

// TestFailureOfTheLastAttempt: a row keeps why its last attempt failed while the
// next one runs. That stands in the history where it happened, and not beside
// the attempt that runs; nor has the entry of a refused file's new place the
// arguments of its refusal.
func TestFailureOfTheLastAttempt(t *testing.T) {
	d := newDesk(t, catalog.EN)
	for _, tt := range []struct {
		status transfer.Status
		shown  bool
	}{{transfer.Sending, false}, {transfer.Ending, false}, {transfer.Waiting, true}, {transfer.Unknown, true}} {
		tr := sending()
		tr.Status, tr.ErrorCode, tr.ErrorDetail = tt.status, "instance.connect", `{"subject":"KFTC","address":"10.0.0.1:9001"}`
		made := d.create(tr)
		require.NoError(t, d.s.Event(t.Context(), d.clock, transfer.Event{TransferID: made.ID, Kind: store.EventStatus, To: tt.status,
			Code: tr.ErrorCode, Detail: tr.ErrorDetail}))
		show, err := d.c.Show(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, tt.shown, show.Error != nil, tt.status)
		require.Equal(t, tt.shown, show.History[len(show.History)-1].Error != nil, tt.status)
		require.Empty(t, show.History[len(show.History)-1].Detail, "nor what that sentence was made of")
	}
	made := d.create(sending())
	require.NoError(t, d.s.Event(t.Context(), d.clock, transfer.Event{TransferID: made.ID, Kind: "error_file", Code: "check.record_length",
		Detail: `{"path":"/error/x"}`}))
	show, err := d.c.Show(t.Context(), made.ID)
	require.NoError(t, err)
	last := show.History[len(show.History)-1]
	require.Nil(t, last.Error)
	require.Equal(t, "/error/x", last.Text)
}

// Every code of the tables of protocols §1.6, and those of §3 that answer the
// question, has its words.
func TestEveryAnswerHasItsWords(t *testing.T) {
	cat, err := catalog.Load()
	require.NoError(t, err)
	for prefix, codes := range map[string]string{
		"ui.answer.inquire.": "whole processing unfinished mac data altered nothing",
		"ui.answer.recall.":  "done processing nothing before late kind deadline linked other",
	} {
		for code := range strings.FieldsSeq(codes) {
			require.Contains(t, cat.Codes(), fault.Code(prefix+code))
		}
	}
}

func TestAskedAboutShowsUntilItIsAnswered(t *testing.T) {
	d := newDesk(t, catalog.EN)
	tr := sending()
	tr.Status = transfer.Failed
	made := d.create(tr)
	order := Order{Name: Inquire, Peers: map[string]Peer{"KFTC": {Profile: "cms", Inquire: true}}}
	_, err := d.c.Do(t.Context(), made.ID, order, Actor{Who: "kim", Host: "bat01"})
	require.Equal(t, CodeReasonMissing, fault.CodeOf(err))
	after, err := d.c.Do(t.Context(), made.ID, order, operator)
	require.NoError(t, err)
	require.Equal(t, "inquire", after.Asked)
	require.Equal(t, "failed", after.Status)
	require.NotNil(t, after.NextTry)
	got, err := d.s.Claim(t.Context(), d.clock, store.ClaimQuery{Owner: "instance_A", Term: d.term, Direction: transfer.Send,
		Statuses: []transfer.Status{transfer.Failed}, Asked: true, Limit: 1})
	require.NoError(t, err)
	require.Len(t, got, 1, "the instance finds it")
	_, err = d.c.Do(t.Context(), made.ID, order, operator)
	require.Equal(t, CodeAskedAlready, fault.CodeOf(err))
}
