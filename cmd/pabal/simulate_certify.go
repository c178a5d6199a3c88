package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator/certify"
	"pabal/simulator/scenario"
)

// simulateCertify walks a counterparty through the procedure and says what it
// does right and wrong.
func (a *app) simulateCertify(ctx context.Context, profile string, f simulateFlags) error {
	if f.name == "" && !f.receive {
		return usageError{fault.New(codeFlagMissing, "--name, --receive")}
	}
	if f.wait <= 0 {
		return usageError{fault.New(codeFlagValue, "--wait", "value", f.wait)}
	}
	o, err := a.simulateOptions(profile, f)
	if err != nil {
		return err
	}
	o.Logger = nil // what goes wrong is in the report, and mostly our doing
	dir, err := a.workingDir(f.dir, "pabal-certify-")
	if err != nil {
		return err
	}
	today := a.now().In(koreaZone())
	c := certify.Options{
		Peer: o, Dir: dir, Give: f.name != "", Fetch: f.receive,
		Wrong: cmp.Or(f.wrongName, wrongName(o.Profile)),
		Name:  func(n int) string { return scenario.FileName(f.name, n, today) },
	}
	if c.Give && len(c.Name(1)) > 0 && c.Name(1) == c.Name(2) {
		return usageError{fault.New(codeFlagValue, "--name", "value", f.name)}
	}
	if c.Address = f.connect; f.connect == "" {
		l, err := a.listens(ctx, f.listen)
		if err != nil {
			return err
		}
		a.onClose(l.Close)
		c.Accept, c.Wait = acceptor(l), f.wait
	}
	return a.certify(ctx, c)
}

// acceptor takes the next caller.
func acceptor(l net.Listener) func(context.Context) (net.Conn, error) {
	var one sync.Mutex
	return func(ctx context.Context) (net.Conn, error) {
		one.Lock()
		defer one.Unlock()
		defer context.AfterFunc(ctx, func() { _ = l.Close() })()
		return l.Accept()
	}
}

// wrongName is one that no counterparty has registered.
func wrongName(p *protocol.Profile) string {
	if p.Files.Serial {
		return "ZZ9"
	}
	return "ZZZZ9999"[:min(8, p.Files.NameWidth)]
}

// certifyLine is a step as programs read it.
type certifyLine struct {
	Event string `json:"event"`
	certify.Step
	Title    string   `json:"title"`
	Expected string   `json:"expected"`
	Mistake  *failure `json:"mistake,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// certify walks and prints each step, then how many were right.
func (a *app) certify(ctx context.Context, c certify.Options) error {
	count := map[certify.Verdict]int{}
	c.Tell = func(s certify.Step) {
		count[s.Verdict]++
		a.sayStep(s)
	}
	if _, err := certify.Walk(ctx, c); err != nil {
		return err
	}
	if a.json {
		err := a.writeJSON(a.out, map[string]any{"event": "certified", "profile": c.Peer.Profile.Name,
			"right": count[certify.Right], "wrong": count[certify.Wrong], "unseen": count[certify.Unseen]})
		if err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.out, a.text("ui.certify.result", "right", count[certify.Right], "wrong", count[certify.Wrong], "unseen", count[certify.Unseen]))
	}
	if count[certify.Wrong] > 0 {
		return fault.New(codeCertifyWrong, c.Peer.Profile.Name, "wrong", count[certify.Wrong])
	}
	return nil
}

func (a *app) sayStep(s certify.Step) {
	key := strings.ReplaceAll(s.Name, "-", "_")
	title := a.text(fault.Code("ui.certify.step." + key))
	expected := a.text(fault.Code("ui.certify.expected." + key))
	if a.json {
		line := certifyLine{Event: "step", Step: s, Title: title, Expected: expected, Seconds: s.Took.Seconds()}
		if s.Mistake != nil {
			f := a.failure(s.Mistake)
			line.Mistake = &f
		}
		_ = a.writeJSON(a.out, line)
		return
	}
	fmt.Fprintf(a.out, "%-8s %s (%s)\n", a.text(fault.Code("ui.certify.verdict."+s.Verdict)), title, s.Section)
	if s.Verdict != certify.Wrong {
		return
	}
	sentence, _ := a.cat.Sentence(a.language(), s.Mistake)
	fmt.Fprintln(a.out, "         "+a.text("ui.certify.expects", "what", expected))
	fmt.Fprintln(a.out, "         "+a.text("ui.certify.came", "what", strings.TrimSpace(sentence), "code", s.Mistake.Code))
	for _, t := range lastSaid(s.Telegram, 12) {
		fmt.Fprintln(a.out, "           "+saidLine(t))
	}
}

// lastSaid are the telegrams that a person looks at.
func lastSaid(all []certify.Said, most int) []certify.Said { return all[max(0, len(all)-most):] }

// saidLine is a telegram in one line: > is ours.
func saidLine(t certify.Said) string {
	parts := []string{"<"}
	if t.Ours {
		parts[0] = ">"
	}
	parts = append(parts, t.Kind)
	add := func(name string, v string) {
		if v != "" && v != "0" {
			parts = append(parts, name+"="+v)
		}
	}
	add("file", t.File)
	add("size", strconv.FormatInt(t.Size, 10))
	add("block", strconv.FormatInt(t.Block, 10))
	add("sequence", strconv.Itoa(t.Sequence))
	add("missing", strconv.FormatInt(t.Missing, 10))
	add("map", t.Map)
	add("response", t.Response)
	add("finding", t.Finding)
	return strings.Join(parts, " ")
}
