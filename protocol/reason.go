package protocol

// Reason is why a side answers as it does, whatever the profile's code for it
// (protocols §1.6).
type Reason string

const (
	OK           Reason = "ok"
	BadLength    Reason = "length"       // telegram length
	Unable       Reason = "unable"       // the receiving side cannot
	SystemFault  Reason = "system"       // ours, for the moment
	BadSender    Reason = "sender"       // 송신자명 오류, unknown counterparty
	BadPassword  Reason = "password"     // 송신자암호 오류
	Complete     Reason = "complete"     // 기수신 완료
	Unregistered Reason = "unregistered" // 미등록 업무
	BadName      Reason = "name"         // 비정상 파일명
	BadSize      Reason = "size"         // 비정상 전문 BYTE 수
	ClosedHours  Reason = "closed"       // outside the agreed hours
	Nothing      Reason = "nothing"      // 데이터 없음
	BadFormat    Reason = "format"       // FORMAT 오류
	BadTotals    Reason = "totals"       // the closing says another number of files, records or bytes
	OtherReason  Reason = "other"        // 기타 오류
	Retry        Reason = "retry"        // only as a meaning: try again later
	Refused      Reason = "refused"      // only as a meaning: do not try again by yourself
)

func reasons() []Reason {
	return []Reason{OK, BadLength, Unable, SystemFault, BadSender, BadPassword, Complete, Unregistered,
		BadName, BadSize, ClosedHours, Nothing, BadFormat, BadTotals, OtherReason}
}

func meanings() []Reason { return []Reason{OK, Complete, Nothing, Retry, Refused} }

// Code is the response code that the profile has for a reason.
func (p *Profile) Code(r Reason) string {
	if c, ok := p.responses[r]; ok {
		return c
	}
	return p.responses[OtherReason]
}

// Meaning is how a peer's response code is to be taken: OK, Complete, Nothing,
// Retry or Refused. A code that the profile does not know is Refused: success
// is never guessed. A blank code is OK, as requests and some replies leave it.
func (p *Profile) Meaning(code string) Reason {
	if code == "" {
		return OK
	}
	if m, ok := p.meanings[code]; ok {
		return m
	}
	return Refused
}
