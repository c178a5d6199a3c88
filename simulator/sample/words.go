package sample

import (
	"hash/fnv"
	"math/rand/v2"

	"golang.org/x/text/encoding/korean"
)

// words is the source of made-up content. It draws raw numbers from a generator
// whose sequence is fixed by its definition, so that files stay the same over
// releases of Go.
type words struct {
	pcg                                         *rand.PCG
	memos, merchants, owners, cities, mcc, gate []string // EUC-KR
}

func newWords(seed int64, k Kind) *words {
	h := fnv.New64a()
	h.Write([]byte(k)) //nolint:errcheck // a hash never fails
	return &words{
		pcg: rand.NewPCG(uint64(seed), h.Sum64()),
		memos: eucKR("보험료", "관리비", "후원금", "통신요금", "학원비", "정수기렌탈료", "신문대금", "회비",
			"도시가스요금", "우유대금", "상조회비", "장기요양본인부담"),
		merchants: eucKR("한빛식당 강남점", "새벽빵집", "온누리문구", "푸른솔주유소", "다온카페 시청점", "미래오피스", "가람약국",
			"하늘택시", "참좋은마트", "늘봄꽃집", "한강호텔", "바른인쇄"),
		owners: eucKR("김하늘", "이서준", "박지우", "최도윤", "정예린", "강시우", "조은서", "윤민재", "임수아", "한지호"),
		cities: eucKR("서울특별시 중구 세종대로", "부산광역시 해운대구 센텀로", "대전광역시 유성구 대학로", "광주광역시 서구 상무대로",
			"경기도 성남시 분당구 판교로", "제주특별자치도 제주시 연북로"),
		mcc:  eucKR("일반한식", "제과점", "문구용품", "주유소", "커피전문점", "사무기기", "약국", "택시", "대형할인점", "화원"),
		gate: eucKR("", "", "", "나래페이", "이음결제"),
	}
}

// eucKR encodes texts that are all in KS X 1001.
func eucKR(texts ...string) []string {
	encoder := korean.EUCKR.NewEncoder()
	for i, t := range texts {
		if e, err := encoder.String(t); err == nil {
			texts[i] = e
		}
	}
	return texts
}

// under draws a number below n.
func (w *words) under(n uint64) uint64 { return w.pcg.Uint64() % n }

// one draws one of a list.
func (w *words) one(list []string) string { return list[w.under(uint64(len(list)))] }

// chance is true in percent of all draws.
func (w *words) chance(percent uint64) bool { return w.under(100) < percent }

// number draws a string of digits that does not begin with 0.
func (w *words) number(width int) string {
	b := make([]byte, width)
	for i := range b {
		b[i] = byte('0' + w.under(10))
	}
	if b[0] == '0' {
		b[0] = '1'
	}
	return string(b)
}

// banks are the codes of banks that hold the accounts.
var banks = [...]string{"003", "004", "007", "011", "020", "023", "031", "032", "071", "081", "088", "090"}

// branch is a bank and branch code of seven digits; the branch is left open.
func (w *words) branch() string { return banks[w.under(uint64(len(banks)))] + "0000" }

// account is an account number without hyphens, 11 to 14 digits.
func (w *words) account() string { return w.number(11 + int(w.under(4))) }

// person is what identifies the holder: a date of birth, or for one in ten the
// ten digits of a business registration.
func (w *words) person() string {
	if w.chance(10) {
		return w.number(10)
	}
	return digits(50+w.under(50), 2) + digits(1+w.under(12), 2) + digits(1+w.under(28), 2)
}

// phone is a mobile number of eleven digits.
func (w *words) phone() string { return "010" + w.number(8) }

// won is an amount from 1,000 to 99,800 won, small enough that the total of the
// largest file fits into 13 digits.
func (w *words) won() int64 { return 1000 + int64(w.under(989))*100 }
