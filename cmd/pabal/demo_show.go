package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"pabal/internal/fault"
)

// demoFile is one file that arrived.
type demoFile struct {
	Name      string `json:"name"`
	Profile   string `json:"profile"`
	Direction string `json:"direction"` // seen from our side
	Source    string `json:"source"`    // path of the file as it left
	Arrived   string `json:"arrived"`   // path of the file as it arrived
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"` // of the file that arrived
	Blocks    int64  `json:"blocks"`
	Resent    int64  `json:"resent"` // telegrams sent again because they were missed
	equal     bool
}

// demoReport is the object of --json.
type demoReport struct {
	FilesSent     int        `json:"files_sent"`
	FilesReceived int        `json:"files_received"`
	Equal         bool       `json:"equal"` // every file arrived byte for byte
	Resent        int64      `json:"resent"`
	Seconds       float64    `json:"seconds"` // from the start of the program
	Files         []demoFile `json:"files"`
}

// painter colours words on a terminal, and nowhere else.
type painter struct{ colour bool }

func newPainter(w io.Writer) painter {
	return painter{isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p painter) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p painter) bold(s string) string   { return p.paint("1", s) }
func (p painter) red(s string) string    { return p.paint("31", s) }
func (p painter) green(s string) string  { return p.paint("32", s) }
func (p painter) yellow(s string) string { return p.paint("33", s) }

// say prints lines for people.
func (d *demo) say(lines ...string) error {
	_, err := io.WriteString(d.out, strings.Join(lines, "\n")+"\n")
	return err
}

// stageWidth is how many columns the longest name of a stage takes.
func (a *app) stageWidth() int {
	w := 0
	for _, stage := range []string{"scan", "work", "database", "telegrams", "backup", "arrived", "received"} {
		w = max(w, width(a.text(fault.Code("ui.demo.stage."+stage))))
	}
	return w
}

// who is a counterparty's name for people.
func (d *demo) who(code string) string {
	if code == demoVAN {
		return d.a.text("ui.demo.van")
	}
	return d.a.text("ui.demo.centre")
}

// introduce says what is about to run and where.
func (d *demo) introduce() error {
	if err := d.say(d.bold(d.a.text("ui.demo.workspace", "workspace", d.w.dir))); err != nil {
		return err
	}
	return writeTable(d.out, "", nil, [][]string{
		{d.who(demoCentre), d.w.connect, d.peers.centreTap.profile.Name, d.a.text("ui.demo.we_call", "faults", strings.TrimPrefix(centreLoses, "lose="))},
		{d.who(demoVAN), d.w.listen, d.peers.vanTap.profile.Name, d.a.text("ui.demo.calls_us", "faults", strings.TrimPrefix(vanLoses, "lose="))},
	})
}

// finish shows the directories and compares all files once more, then gives
// the account.
func (d *demo) finish() error {
	r := demoReport{Equal: true, Files: []demoFile{}}
	for _, p := range d.pictures {
		if !p.done || p.result.Arrived == "" {
			continue
		}
		r.Files = append(r.Files, p.result)
		r.Resent += p.result.Resent
		r.Equal = r.Equal && p.result.equal
		if p.sends() {
			r.FilesSent++
		} else {
			r.FilesReceived++
		}
	}
	r.Seconds = float64(time.Since(d.began).Milliseconds()) / 1000
	if err := d.showTree(); err != nil {
		return err
	}
	if err := d.showFiles(r); err != nil {
		return err
	}
	if d.a.json {
		return d.a.writeJSON(d.a.out, r)
	}
	return nil
}

func (d *demo) showTree() error {
	lines, err := d.w.tree()
	if err != nil {
		return err
	}
	rows := make([][]string, len(lines))
	sizes := 0
	for _, l := range lines {
		sizes = max(sizes, len(l.size))
	}
	for n, l := range lines {
		if l.other > 0 {
			l.name += d.a.text("ui.demo.more", "count", l.other)
		}
		rows[n] = []string{l.name, fmt.Sprintf("%*s", sizes, l.size)}
	}
	if err := d.say(""); err != nil {
		return err
	}
	return writeTable(d.out, "", nil, rows)
}

func (d *demo) showFiles(r demoReport) error {
	var rows [][]string
	sizes := 0
	for _, f := range r.Files {
		sizes = max(sizes, len(count(f.Bytes)))
	}
	for _, f := range r.Files {
		word := d.green(d.a.text("ui.demo.equal"))
		if !f.equal {
			word = d.red(d.a.text("ui.demo.unequal"))
		}
		rows = append(rows, []string{
			d.a.cat.Direction(d.a.language(), f.Direction), d.w.rel(f.Source), "→", d.w.rel(f.Arrived),
			fmt.Sprintf("%*s", sizes, count(f.Bytes)), "sha256 " + f.SHA256[:16] + "…", word,
		})
	}
	if err := d.say(""); err != nil {
		return err
	}
	if err := writeTable(d.out, "", nil, rows); err != nil {
		return err
	}
	return d.say("", d.bold(d.a.text("ui.demo.sum", "sent", r.FilesSent, "received", r.FilesReceived,
		"resent", r.Resent, "seconds", fmt.Sprintf("%.1f", r.Seconds))))
}

// dropLine is one line to copy that drops a file of the user's own.
func (d *demo) dropLine() string {
	return "cp " + d.a.text("ui.demo.your_file") + " " + quoted(d.w.path("data", "scan", "FREE.KFTC.CMS"))
}

// watchLine is one to see what became of it.
func (d *demo) watchLine() string {
	return quoted(program()) + " transfer list -c " + quoted(d.w.config())
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if !strings.ContainsAny(path, " \t'\"$&|;<>()*?[]#~`\\!{}") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
