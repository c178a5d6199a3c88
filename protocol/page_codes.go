package protocol

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The tables of codes on a profile's page.

func (w *page) codes() {
	w.line("## %s\n", w.say("Response codes", "응답코드"))
	w.table(w.say("code", "코드"), w.say("we answer it for", "응답하는 사유"), w.say("we take it as", "수신 시 해석"))
	reasonsOf := map[string][]string{}
	for _, r := range reasons() {
		if code, ok := w.p.responses[r]; ok {
			reasonsOf[code] = append(reasonsOf[code], w.reason(r))
		}
	}
	all := map[string]bool{}
	for code := range reasonsOf {
		all[code] = true
	}
	for code := range w.p.meanings {
		all[code] = true
	}
	for _, code := range slices.Sorted(maps.Keys(all)) {
		w.row("`"+code+"`", strings.Join(reasonsOf[code], ", "), w.reason(w.p.Meaning(code)))
	}
	w.line("\n%s", w.say("Every other code is a refusal: success is never guessed.", "그 밖의 코드는 모두 거부로 처리합니다. 성공으로 추정하지 않습니다."))
	w.findings()
}

// findings are the codes of inquiries and cancellations.
func (w *page) findings() {
	for _, a := range questions() {
		answer := a.kind.Reply()
		codes := w.p.findings[answer]
		if codes == nil {
			continue
		}
		w.line("\n## %s\n", fmt.Sprintf(w.say("Codes of %s, row `%s`", "%s 결과코드(`%s` 항목)"), w.p.layouts[answer].title, w.p.FieldName(codes.row)))
		if len(codes.own) == 0 {
			w.line("%s", w.say("The response codes say it: ok, nothing, or a refusal.", "응답코드로 알립니다(정상, 데이터 없음, 거부)."))
			continue
		}
		w.table(w.say("finding", "결과"), w.say("we answer", "응답 코드"), w.say("codes that say it", "수신 시 해석 대상 코드"))
		for _, f := range a.all() {
			w.row(w.finding(f), "`"+codes.write[f]+"`", quoted(codes.own[f]))
		}
		w.line("\n%s", w.say("Every other code leaves the transfer as it is, for a person.", "그 밖의 코드는 상태를 바꾸지 않고 담당자가 판단합니다."))
	}
}

func quoted(codes []string) string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = "`" + c + "`"
	}
	return strings.Join(out, ", ")
}

func (w *page) finding(f Finding) string {
	return "`" + string(f) + "` " + w.say(map[Finding]string{
		FoundWhole: "it has the file, in order", FoundProcessing: "at work on it", FoundUnfinished: "not all of it came",
		FoundBadMAC: "its MAC is wrong", FoundBadData: "its data are wrong", FoundAltered: "altered on the way", FoundNothing: "no such file",
		CancelDone: "forgotten", CancelBefore: "cancelled before", CancelLate: "it cannot be sent again any more", CancelKind: "not files of this kind",
		CancelClosed: "the time has passed", CancelLinked: "another file is linked to it", CancelOther: "another reason",
	}[f], map[Finding]string{
		FoundWhole: "정상", FoundProcessing: "처리중", FoundUnfinished: "송신중단(미완료)",
		FoundBadMAC: "MAC 오류", FoundBadData: "데이터 오류", FoundAltered: "데이터 변형", FoundNothing: "해당 파일 없음",
		CancelDone: "취소/초기화 완료", CancelBefore: "기취소", CancelLate: "재전송 불가", CancelKind: "종류 불가",
		CancelClosed: "마감 경과", CancelLinked: "연계파일 존재", CancelOther: "기타",
	}[f])
}

func (w *page) reason(r Reason) string {
	if ko, ok := map[Reason]string{
		OK: "정상", BadLength: "전문길이 오류", Unable: "수신측 응답 및 처리불가", SystemFault: "시스템 장애", BadSender: "송신자명 오류",
		BadPassword: "송신자암호 오류", Complete: "기수신 완료", Unregistered: "미등록 업무", BadName: "비정상 파일명", BadSize: "비정상 크기",
		ClosedHours: "송신 가능 시간 종료", Nothing: "데이터 없음", BadFormat: "FORMAT 오류", BadTotals: "업무종료 합계 불일치", OtherReason: "기타 오류",
		Retry: "나중에 재시도", Refused: "거부",
	}[r]; ok {
		return w.say(string(r), ko)
	}
	return string(r)
}
