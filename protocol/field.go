// Package protocol turns an agreed document into behaviour: a profile (YAML)
// holds framing, header, layouts and the switches of the procedure; it is
// compiled into flat layouts that one codec reads. Package machine interprets
// the procedure, package line runs it on a connection.
package protocol

// Field is a place in a telegram that the machines understand. A layout may
// have any number of other places: constants, blanks and names of its own.
type Field uint8

// Number fields travel as decimal digits and are kept as int64.
const (
	Length       Field = iota // of the telegram, as the framing counts it
	Size                      // of the file in bytes; in the answer to an announcement that has no row Held, the bytes held
	Held                      // bytes held already, in the answer to an announcement
	MessageSize               // N: the largest telegram the sides agree on
	Block                     // block number, from 1
	Sequence                  // of data, or the last of a check
	DataLength                // real data bytes of this telegram
	Missing                   // how many sequences are missing (결번개수)
	Count                     // files in this session
	Total                     // files waiting in all
	TotalFiles                // files that the session has carried
	TotalRecords              // … their records
	TotalBytes                // … their bytes on the wire
	Records                   // records of the business file, in a trailer
	Bytes                     // bytes of its data, in a trailer
	numNumbers
)

// Text fields are kept as the bytes of the frame.
const (
	Type           Field = iota + numNumbers // 전문종별코드
	Business                                 // 업무구분코드
	Institution                              // 기관코드 of the institution, whoever writes
	From                                     // code of the side that writes
	To                                       // code of the side that reads
	Direction                                // 거래구분코드 / 송수신구분
	Issuer                                   // 송수신FLAG: who wrote this telegram
	Name                                     // file name on the wire
	Response                                 // 응답코드
	SentAt                                   // 전문전송일시
	Work                                     // 업무관리정보
	SenderName                               // 송신자명
	SenderPassword                           // 송신자암호 as it travels
	Challenge                                // one-time value of a login, which the other side repeats
	Date                                     // business date of the file, or first date of a range
	EndDate                                  // last date of a range
	Range                                    // 수신범위: all, received, not yet
	Serial                                   // of the file within its day
	Gzip                                     // flag letter
	EBCDIC                                   // flag letter
	Password                                 // transfer password
	QueryKind                                // 조회종류
	QueryDate                                // 조회대상일자 / 파일처리일자
	QueryName                                // 파일명 asked about
	Result                                   // 조회결과코드 / 결과코드
	Map                                      // 결번확인, one character per sequence
	Data                                     // 파일내역
	firstOwn
)

// maxOwn is how many fields of its own a profile may have, those included that
// answers repeat.
const maxOwn = 16

const (
	numTexts  = int(firstOwn-numNumbers) + maxOwn
	noField   = Field(255)
	numFields = int(numNumbers) + numTexts
)

// fieldNames are the names in a profile, by Field.
func fieldNames() []string {
	return []string{
		"length", "size", "held", "message_size", "block", "sequence", "data_length", "missing", "count", "total",
		"total_files", "total_records", "total_bytes", "records", "bytes",
		"type", "business", "institution", "from", "to", "direction", "issuer", "name", "response", "sent_at",
		"work", "sender_name", "sender_password", "challenge", "date", "end_date", "range", "serial", "gzip", "ebcdic",
		"password", "query_kind", "query_date", "query_name", "result", "map", "data",
	}
}

// IsNumber reports that f is kept as a number.
func (f Field) IsNumber() bool { return f < numNumbers }

// isDate reports that f is a moment or a date.
func (f Field) isDate() bool { return f == SentAt || f == Date || f == EndDate || f == QueryDate }

// Kind is what a telegram means in the conversation, whatever its code.
type Kind uint8

const (
	NoKind       Kind = iota
	Open              // 업무개시 요구
	OpenReply         // … 통보
	Info              // 파일정보 수신요구: a sender announces a file
	InfoReply         // … 통보: bytes held, or a refusal
	Fetch             // a receiver asks for files
	FetchReply        // how many there are
	DataTelegram      // DATA 송신
	Resend            // 결번 DATA 송신
	Check             // 결번확인 요구
	CheckReply        // 결번확인 통보
	End               // 파일 송수신 완료, no more files
	EndMore           // … more files follow
	EndReply          // answer to End
	EndMoreReply      // answer to EndMore
	Close             // 업무종료
	CloseReply        // answer to Close
	Inquiry           // 파일조회 요구
	InquiryReply      // … 통보
	Cancel            // 파일 취소/초기화 요구
	CancelReply       // … 통보
	Login             // before the opening: a side says who it is, or asks who the other is
	LoginReply        // its answer
	Verify            // a further one of the kind
	VerifyReply       // its answer
	NumKinds          // how many kinds there are
)

func kindNames() [NumKinds]string {
	return [NumKinds]string{
		"none", "open", "open-reply", "info", "info-reply", "fetch", "fetch-reply", "data", "resend",
		"check", "check-reply", "end", "end-more", "end-reply", "end-more-reply", "close", "close-reply",
		"inquiry", "inquiry-reply", "cancel", "cancel-reply", "login", "login-reply", "verify", "verify-reply",
	}
}

// String is the kind's name in a profile.
func (k Kind) String() string {
	if k < NumKinds {
		return kindNames()[k]
	}
	return "unknown"
}

// Kinds lists every kind that a profile may define.
func Kinds() []Kind {
	out := make([]Kind, 0, NumKinds-1)
	for k := NoKind + 1; k < NumKinds; k++ {
		out = append(out, k)
	}
	return out
}

// Reply is the kind that answers k, or NoKind where no answer is due.
func (k Kind) Reply() Kind {
	switch k {
	case Open, Info, Fetch, Check, Close, Inquiry, Cancel, Login, Verify:
		return k + 1
	case End:
		return EndReply
	case EndMore:
		return EndMoreReply
	}
	return NoKind
}

// Login reports that telegrams of this kind belong to the login before the opening.
func (k Kind) Login() bool { return k >= Login && k <= VerifyReply }

// Side is a role in a profile's conversation (protocols §1.4).
type Side uint8

const (
	InstitutionSide Side = iota // 이용기관, VAN's client
	CentreSide                  // 금융결제원, VAN
)

func (s Side) String() string {
	if s == CentreSide {
		return "centre"
	}
	return "institution"
}

// Other is the opposite side.
func (s Side) Other() Side { return 1 - s }

// ParseSide reads "institution" or "centre".
func ParseSide(s string) (Side, bool) {
	switch s {
	case "institution":
		return InstitutionSide, true
	case "centre":
		return CentreSide, true
	}
	return 0, false
}
