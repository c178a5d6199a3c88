package protocol

import (
	"fmt"
	"strings"
)

// turns are who connects, opens, drives and closes, by the way files go.
func (w *page) turns() {
	s := &w.p.Session
	side := map[Side]string{InstitutionSide: w.say("the institution", "이용기관"), CentreSide: w.say("the centre", "센터")}
	both := func(of func(download bool) string) string {
		up, down := of(false), of(true)
		if up == down {
			return up + w.say(", both ways", "(송수신 모두)")
		}
		return fmt.Sprintf(w.say("%s for what goes to the centre, %s for what comes from it", "센터로 보낼 때 %s, 센터에서 받을 때 %s"), up, down)
	}
	of := func(t Turn) string { return both(func(download bool) string { return side[t.Of(download)] }) }
	connects := w.say("either, as configured", "설정에 따라 어느 쪽이든 가능")
	if !s.EitherConnects {
		connects = of(s.Connects)
	}
	w.row(w.say("who connects", "접속 주체"), connects)
	w.row(w.say("who opens", "업무개시 주체"), of(s.Opens))
	w.row(w.say("who drives", "진행 주체"), both(func(download bool) string {
		sender := side[turnOf("sender").Of(download)]
		if asks := side[s.Opens.Of(download)]; s.FetchByRequest && asks != sender {
			return fmt.Sprintf(w.say("%s, once %s has asked", "%s(%s의 수신 요청 후)"), sender, asks)
		}
		return sender
	}))
	w.row(w.say("who closes", "업무종료 주체"), of(s.Closes))
}

// arrowRoom is how many characters lie between the two sides of a diagram.
const arrowRoom = 44

// conversations are the two ways of files as diagrams.
func (w *page) conversations() {
	w.line("## %s\n", w.say("Conversation", "전문 흐름"))
	for _, download := range []bool{false, true} {
		w.line("### %s\n\n```text", map[bool]string{
			false: w.say("From the institution to the centre", "이용기관 → 센터"), true: w.say("From the centre to the institution", "센터 → 이용기관"),
		}[download])
		w.conversation(download)
		w.line("```\n")
	}
}

func (w *page) conversation(download bool) {
	s, f := &w.p.Session, &w.p.Files
	sender, opens := turnOf("sender").Of(download), s.Opens.Of(download)
	left := w.say("institution", "이용기관")
	w.line("%s%s%s", left, strings.Repeat(" ", arrowRoom+2-wide(left)), w.say("centre", "센터"))
	if s.EitherConnects {
		w.remark(w.say("either side connects", "어느 쪽이든 접속"))
	} else {
		w.arrow(s.Connects.Of(download), w.say("connects", "접속"))
	}
	for i := range s.Begins {
		b := &s.Begins[i]
		side, known := InstitutionSide, !s.EitherConnects || b.By > ByCalled
		if known && !b.By.Is(InstitutionSide, s.Connects.Of(download) == CentreSide) {
			side = CentreSide
		}
		switch {
		case !known:
			w.remark(w.party(b.By) + ": " + w.begun(b))
		case b.Bytes != nil:
			w.arrow(side, w.begun(b))
		default:
			w.asks(side, b.Ask)
		}
	}
	w.asks(opens, Open)
	if s.FetchByRequest && opens != sender {
		w.asks(opens, Fetch)
	}
	w.remark(w.say("for each file", "파일마다"))
	if f.AnnounceFetch || !download {
		w.asks(sender, Info)
	}
	w.arrow(sender, w.telegram(DataTelegram)+" ...")
	if !f.NoCheck {
		w.asks(sender, Check)
		w.remark(w.say("what is missing", "결번이 있으면"))
		w.arrow(sender, w.telegram(Resend)+" ...")
	}
	w.asks(sender, End)
	w.remark(w.say("no file follows", "이후 파일 없음"))
	w.asks(s.Closes.Of(download), Close)
}

func (w *page) begun(s *Step) string {
	if s.Bytes == nil {
		return w.telegram(s.Ask)
	}
	return fmt.Sprintf("%X", s.Bytes[:min(len(s.Bytes), 12)])
}

func (w *page) telegram(k Kind) string { return k.String() + " " + w.p.layouts[k].typeCode }

// asks is a request and its answer, where it has one.
func (w *page) asks(by Side, k Kind) {
	if w.p.layouts[k] == nil {
		return
	}
	w.arrow(by, w.telegram(k))
	if r := k.Reply(); w.p.layouts[r] != nil {
		w.arrow(by.Other(), w.telegram(r))
	}
}

func (w *page) arrow(from Side, text string) {
	fill := max(2, arrowRoom-4-wide(text))
	before, after := strings.Repeat("-", fill/2), strings.Repeat("-", fill-fill/2)
	if from == InstitutionSide {
		w.line("    |%s %s %s>|", before, text, after+"-")
		return
	}
	w.line("    |<%s %s %s|", before+"-", text, after)
}

func (w *page) remark(text string) {
	fill := max(0, arrowRoom-wide(text)-3)
	w.line("    | %s%s  |", text, strings.Repeat(" ", fill))
}

// wide is how many columns a text has, those of Hangul two each.
func wide(text string) (n int) {
	for _, r := range text {
		if n++; r >= 0x1100 {
			n++
		}
	}
	return n
}
