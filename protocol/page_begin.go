package protocol

import "fmt"

// begins are the steps before the opening, in order.
func (w *page) begins() {
	if len(w.p.Session.Begins) == 0 {
		return
	}
	w.line("## %s\n", w.say("Before the opening", "업무개시 이전"))
	w.table("#", w.say("who", "주체"), w.say("sends", "송신"), w.say("the other side", "상대측"))
	for i := range w.p.Session.Begins {
		s := &w.p.Session.Begins[i]
		if s.Bytes == nil {
			w.row(i+1, w.party(s.By), "`"+s.Ask.String()+"`", fmt.Sprintf(w.say("answers `%s`", "`%s`(으)로 응답"), s.Ask.Reply()))
			continue
		}
		reads := w.say("wants exactly these bytes", "정확히 이 바이트여야 함")
		if s.Until != nil {
			reads = fmt.Sprintf(w.say("reads up to `%X`, at most %d bytes", "`%X`까지 읽음(최대 %d바이트)"), s.Until, s.Max)
		}
		w.row(i+1, w.party(s.By), fmt.Sprintf("`%X` (%s)", s.Bytes, printable(s.Bytes)), reads)
	}
	w.line("")
	if n := w.p.challenge; n > 0 {
		w.line(w.say("The one-time value (%d bytes) is made up by who first sends it; every later telegram repeats it.",
			"일회용 값(%d바이트)은 처음 보내는 쪽이 정하고, 이후 전문은 그 값을 그대로 돌려줍니다.")+"\n", n)
	}
}

func (w *page) party(p Party) string {
	return map[Party]string{
		ByCaller: w.say("the side that connects", "접속한 쪽"), ByCalled: w.say("the side that is called", "접속을 받은 쪽"),
		ByInstitution: w.say("the institution", "이용기관"), ByCentre: w.say("the centre", "센터"),
	}[p]
}
