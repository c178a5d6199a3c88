package protocol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pabal/transfer"
)

// Page is the profile as a page of Markdown, in Korean for lang "ko", else in
// English: framing, the common header, every telegram as a table of offsets,
// the switches and the response codes. Row titles are the document's own.
func (p *Profile) Page(lang string) string {
	w := page{p: p, say: pageWords(lang)}
	w.head(lang)
	w.framing()
	w.telegrams()
	w.parts()
	w.begins()
	w.conversations()
	w.switches()
	w.codes()
	return w.String()
}

type page struct {
	strings.Builder
	p   *Profile
	say func(en, ko string) string
}

func pageWords(lang string) func(en, ko string) string {
	if lang == "ko" {
		return func(_, ko string) string { return ko }
	}
	return func(en, _ string) string { return en }
}

func (w *page) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// row writes one row of a table; bars within a cell would end it.
func (w *page) row(cells ...any) {
	w.WriteString("|")
	for _, c := range cells {
		w.WriteString(" " + strings.ReplaceAll(fmt.Sprint(c), "|", `\|`) + " |")
	}
	w.WriteString("\n")
}

func (w *page) table(titles ...any) {
	w.row(titles...)
	w.line("%s|", strings.Repeat("|--", len(titles)))
}

func (w *page) head(lang string) {
	title := w.p.Title[lang]
	if title == "" {
		title = w.p.Title["en"]
	}
	w.line("# %s: %s\n", w.p.Name, title)
	w.line("%s: %s. %s: %s.\n", w.say("Certainty", "확실성"), w.p.Certainty, w.say("Source", "출처"), w.p.Source)
	for _, n := range w.p.Notes {
		w.line("- %s", n)
	}
	if len(w.p.Notes) > 0 {
		w.line("")
	}
}

func (w *page) framing() {
	f := &w.p.frame
	w.line("## %s\n", w.say("Framing", "전문 길이"))
	if len(f.ends) > 0 {
		w.line(w.say("Each telegram is followed by the bytes `%X`, which are no part of it. It has %d to %d bytes.",
			"전문마다 끝에 `%X` 바이트가 붙으며 전문에는 포함되지 않습니다. 전문은 %d~%d바이트입니다.")+"\n", f.ends, f.minTotal, f.maxTotal)
		return
	}
	counts := fmt.Sprintf(w.say("all but the first %d bytes", "처음 %d바이트를 제외한 나머지"), f.length.before)
	switch f.length.before {
	case f.length.at + f.length.width:
		counts = w.say("what follows them", "길이 항목을 제외한 나머지")
	case 0:
		counts = w.say("the whole telegram", "전문 전체")
	}
	form := w.say("%d digits", "%d자리 숫자")
	if f.length.num.binary != inDigits {
		form = w.say("%d binary bytes", "%d바이트 이진수")
	}
	w.line(fmt.Sprintf(form, f.length.width)+w.say(" at offset %d count %s. A telegram has %d to %d bytes in all.",
		"(위치 %d)가 %s의 바이트 수를 나타냅니다. 전문 전체는 %d~%d바이트입니다.")+"\n", f.length.at, counts, f.minTotal, f.maxTotal)
}

func (w *page) telegrams() {
	w.line("## %s\n", w.say("Common header", "공통 헤더"))
	common := w.p.layouts[Open]
	w.places(common, func(at int, _ place) bool { return at < common.header })
	w.line("## %s\n", w.say("Telegrams", "전문"))
	w.table(w.say("telegram", "전문"), w.say("type", "종별코드"), w.say("told by", "구분값"), w.say("title", "전문명"), w.say("bytes", "바이트"))
	for _, k := range Kinds() {
		if l := w.p.layouts[k]; l != nil && l.kind == k {
			size := strconv.Itoa(l.fixed)
			if l.spans > 0 {
				size += "+n"
			}
			w.row(k, "`"+l.typeCode+"`", w.where(l), l.title, size)
		}
	}
	w.line("")
	w.bodies(common)
}

// bodies are the rows that telegrams have beside the common header, one table
// for all that have the same.
func (w *page) bodies(common *layout) {
	var tables []string
	names := map[string][]string{}
	for _, k := range Kinds() {
		l := w.p.layouts[k]
		if l == nil || l.kind != k {
			continue
		}
		own := func(at int, pl place) bool { return at >= l.header || !common.hasAt(at, pl) }
		if !l.any(own) {
			continue
		}
		t := page{p: w.p, say: w.say}
		t.places(l, own)
		if names[t.String()] == nil {
			tables = append(tables, t.String())
		}
		names[t.String()] = append(names[t.String()], k.String())
	}
	for _, t := range tables {
		w.line("### %s\n", strings.Join(names[t], ", "))
		w.WriteString(t)
	}
}

func (w *page) where(l *layout) string {
	out := make([]string, len(l.where))
	for i, v := range l.where {
		out[i] = fmt.Sprintf("%s = `%s`", w.p.FieldName(v.field), v.shown)
	}
	return strings.Join(out, ", ")
}

// hasAt reports whether the same row stands at the same offset; constants that
// tell telegrams apart are named in the list of telegrams.
func (l *layout) hasAt(at int, pl place) bool {
	off := 0
	for _, p := range l.places {
		if off == at {
			return p.field == pl.field && p.title == pl.title && p.typ == pl.typ && p.repeats() == pl.repeats()
		}
		off += p.width
	}
	return false
}

func (l *layout) any(show func(at int, pl place) bool) bool {
	at := 0
	for _, pl := range l.places {
		if show(at, pl) {
			return true
		}
		at += pl.width
	}
	return false
}

func (w *page) places(l *layout, show func(at int, pl place) bool) {
	w.table("#", w.say("offset", "위치"), w.say("bytes", "길이"), w.say("type", "형식"), w.say("title", "항목"), w.say("field", "필드"), w.say("value", "값"))
	at := 0
	for i, pl := range l.places {
		if show(at, pl) {
			field, value := "", ""
			if pl.field != noField {
				field = "`" + w.p.FieldName(pl.field) + "`"
			}
			if pl.made != nil {
				value = w.made(pl.made)
			}
			if pl.value != nil && pl.field != Type && !slices.ContainsFunc(l.where, func(v whereValue) bool { return v.at == at }) {
				value = "`" + pl.shown + "`"
			}
			w.row(i+1, at, w.width(pl), pl.typ, pl.title, field, value)
		}
		at += pl.width
	}
	w.line("")
}

func (w *page) width(pl place) string {
	switch {
	case pl.span == toLast:
		return w.say("one per sequence", "시퀀스 수")
	case pl.span == toEnd && pl.max > 0:
		return fmt.Sprintf(w.say("n, at most %d", "n(최대 %d)"), pl.max)
	case pl.span == toEnd:
		return "n"
	}
	return strconv.Itoa(pl.width)
}

func (w *page) switches() {
	s, f := &w.p.Session, &w.p.Files
	yes := func(v bool) string {
		if v {
			return w.say("yes", "예")
		}
		return w.say("no", "아니오")
	}
	choose := func(v bool, a, b string) string {
		if v {
			return a
		}
		return b
	}
	w.line("## %s\n", w.say("Procedure", "절차"))
	w.table(w.say("what", "항목"), w.say("value", "값"))
	w.turns()
	if s.NamesFile {
		w.row(w.say("the opening names the file", "업무개시의 파일명"), w.say("and every file has an opening of its own", "파일마다 업무개시 전문으로 파일명을 알림"))
	}
	w.row(w.say("files are fetched by", "수신 요청 방법"), choose(s.FetchByRequest, w.say("a request in the session", "세션 안의 수신 요청 전문"), w.say("the direction letter of the opening", "업무개시 전문의 거래구분코드")))
	w.row(w.say("wait for an answer", "응답 대기 시간"), fmt.Sprintf(w.say("%s, asked again %d times", "%s, 재요청 %d회"), s.Reply, s.Resends))
	w.row(w.say("wait for the opening / the next telegram", "업무개시 / 다음 전문 대기 시간"), fmt.Sprintf("%s / %s", s.First, s.Idle))
	w.row(w.say("sender password", "송신자암호"), s.Cipher)
	if s.MoreUnsaid {
		w.row(w.say("an end is followed by another file", "완료 후 다음 파일"), w.say("without saying so", "예고 없이 이어짐"))
	}
	w.row(w.say("message size N", "전문 BYTE 수 N"), fmt.Sprintf(w.say("%d, of which data %d", "%d(데이터 %d)"), f.MessageSize, w.p.MaxData(f.MessageSize)))
	w.row(w.say("records per telegram", "전문당 레코드"), f.Packing)
	w.row(w.say("sequences per block, greatest block", "블록당 시퀀스, 최대 블록 번호"), fmt.Sprintf("%d, %d", f.PerBlock, f.MaxBlock))
	if f.Name != "" {
		w.row(w.say("name on the wire, where a registration says none", "송수신파일명(등록에 없을 때)"), "`"+f.Name+"`")
	}
	w.limits()
	w.row(w.say("largest file in bytes", "최대 파일 크기(바이트)"), w.p.MaxFile(w.p.MaxData(f.MessageSize)))
	w.checks(f)
	w.row(w.say("missing rounds, pause between", "결번 재전송 횟수, 간격"), fmt.Sprintf("%d, %s", f.Rounds, f.Pause))
	w.row(w.say("a cut file goes on where it stood", "이어받기"), w.resume(f.ResumeBy, yes(f.Resume)))
	w.row(w.say("an unknown end is settled by", "완료 여부 불명 시"), choose(f.SettleAgain, w.say("announcing the file again", "파일정보 재요구"), w.say("inquiry", "파일 조회")))
	w.row(w.say("a name that is held whole", "기수신 파일명"), map[Repeat]string{
		RepeatRefuse: w.say("refused as complete", "기수신 완료로 응답"), RepeatAbsorb: w.say("taken and compared", "수신하여 비교"), RepeatNew: w.say("taken as a new file", "새 파일로 수신"),
	}[f.Repeat])
	w.row(w.say("proofs of a sent file", "송신 완료 확인 항목"), w.proofs(f.SendProofs))
	w.row(w.say("proofs of a received file", "수신 완료 확인 항목"), w.proofs(f.ReceiveProofs))
	w.row(w.say("serial, gzip, EBCDIC", "일련번호, gzip, EBCDIC"), fmt.Sprintf("%s, %s, %s", yes(f.Serial), yes(f.Gzip), yes(f.EBCDIC)))
	w.line("")
}

// resume is how a cut file goes on.
func (w *page) resume(by Resuming, plain string) string {
	switch by {
	case ResumeNext:
		return w.say("yes, from the block that the answer names", "예(응답이 지정한 블록부터)")
	case ResumeLast:
		return w.say("yes, after the block that the answer names", "예(응답이 지정한 블록 다음부터)")
	}
	return plain
}

func (w *page) proofs(names []string) string {
	ko := map[string]string{
		transfer.ProofBlocks: "전 블록 결번 없음", transfer.ProofLastSequence: "블록별 최종 시퀀스", transfer.ProofDeclaredSize: "통보된 크기",
		transfer.ProofEndSize: "완료 요청의 크기", transfer.ProofEndReply: "완료 응답",
		transfer.ProofTrailerTotals: "구분코드 순서와 트레일러의 건수·바이트 수",
	}
	said := make([]string, len(names))
	for n, name := range names {
		said[n] = w.say(strings.ReplaceAll(name, "_", " "), ko[name])
	}
	return strings.Join(said, ", ")
}

// checks are the rows on how a block is numbered and made whole.
func (w *page) checks(f *Files) {
	n := f.Numbering
	w.row(w.say("numbers begin with (block, sequence)", "시작 번호(블록, 시퀀스)"), fmt.Sprintf("%d, %d", n.FirstBlock, n.FirstSequence))
	if f.Stream {
		w.row(w.say("blocks", "블록"), w.say("none: a file is one stream", "없음(파일 전체를 이어서 송신)"))
	}
	if f.Whole {
		w.row(w.say("data telegrams", "DATA 전문"), w.say("one carries the whole file", "파일 전체를 한 전문으로 송신"))
	} else if n.None {
		w.row(w.say("data telegrams", "DATA 전문"), w.say("have no numbers", "번호 없음"))
	} else if n.Running {
		w.row(w.say("sequences", "시퀀스"), w.say("go on through all blocks", "블록이 바뀌어도 이어짐"))
	}
	if f.NoSize {
		w.row(w.say("size in the announcement", "파일정보의 크기"), w.say("zeros", "0으로 채움"))
	}
	if f.NoCheck {
		w.row(w.say("missing-number check", "결번확인"), w.say("none: the proofs of the end are all there is", "없음(완료 시 확인 항목으로만 검증)"))
		return
	}
	resend := map[Resending][2]string{
		ResendBatch: {"what is missing, then another check", "결번만 재송신 후 다시 확인"},
		ResendRest:  {"all from the first missing on, then another check", "첫 결번부터 모두 재송신 후 다시 확인"},
		ResendEach:  {"one at a time, each answered at once", "한 건씩 재송신, 건마다 즉시 응답"},
	}[f.Resend]
	w.row(w.say("missing sequences are sent again", "결번 재송신"), w.say(resend[0], resend[1]))
	form := w.say("a mark for each up to the last sequence", "최종 시퀀스까지 1자리씩")
	switch {
	case f.MapNumbers:
		form = w.say("the numbers of those that are missing", "결번의 번호 목록")
	case f.MapWidth > 0:
		form = fmt.Sprintf(w.say("a mark for each, always %d", "1자리씩 항상 %d자리"), f.MapWidth)
	}
	w.row(w.say("map of missing sequences", "결번 맵"), form)
}
