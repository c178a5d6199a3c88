package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"pabal/internal/fault"
)

// mentioned is a command line as a sentence has it: what stands after "pabal",
// up to where the sentence goes on in words.
var mentioned = regexp.MustCompile(`(?:^|[^\w/.$-])pabal ([^\n]*)`)

// prose are words after "pabal" that begin no command: it is the subject of the
// sentence, or "the user that runs pabal may …".
var prose = strings.Fields(`and as begins carries command commands did does follows from goes has in is keeps makes may must needs
	notices or process put read recognises remembers runs server starts the to waits with`)

// needed are the flags without which a command is refused, by its name.
var needed = map[string][]string{
	"transfer release": {"reason"}, "transfer resend": {"reason"}, "transfer cancel": {"reason"}, "transfer inquire": {"reason"},
	"transfer recall": {"reason"}, "transfer settle": {"reason", "as"}, "approve": {"reason"}, "approve reject": {"reason"},
	"config apply": {"reason"}, "config rollback": {"reason"},
}

// commandLine is one command line of a text, word by word.
func commandLine(text string) (words []string) {
	for _, word := range strings.Fields(text) {
		bare := strings.TrimLeft(word, `("'`+"`")
		if n := strings.IndexFunc(bare, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }); n == 0 {
			return words // the sentence goes on
		} else if n > 0 {
			return append(words, strings.TrimRight(bare[:n], `"'(),`+"`")) // with its particle
		}
		end := strings.TrimRight(bare, `.,;:)"'`+"`|")
		if words = append(words, end); end != bare && !strings.HasSuffix(bare, `…"`) {
			return words
		}
	}
	return words
}

// wrong says what does not exist of a command line; "" if all of it does. step
// says that a person is told to type it.
func wrong(root *cobra.Command, words []string, step bool) string {
	cmd := root
	for len(words) > 0 {
		next := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == words[0] })
		if next < 0 {
			break
		}
		cmd, words = cmd.Commands()[next], words[1:]
	}
	name := strings.TrimPrefix(cmd.CommandPath(), "pabal ")
	if cmd == root {
		if len(words) == 0 || words[0] == "" || words[0] == "COMMAND" || strings.HasPrefix(words[0], "…") || slices.Contains(prose, words[0]) {
			return ""
		}
		return "no command " + words[0]
	}
	args := 0
	flags := map[string]bool{}
	for n, word := range words {
		switch flag, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "="); {
		case strings.HasPrefix(word, "--"):
			if cmd.Flags().Lookup(flag) == nil && cmd.InheritedFlags().Lookup(flag) == nil {
				return name + " has no flag --" + flag
			}
			flags[flag] = true
		case strings.HasPrefix(word, "-"):
			if word != "-" && cmd.Flags().ShorthandLookup(flag) == nil && cmd.InheritedFlags().ShorthandLookup(flag) == nil {
				return name + " has no flag -" + flag
			}
		case n == 0 && word != "":
			args++
		}
	}
	if cmd.HasSubCommands() && args > 0 && cmd.Name() != "approve" && regexp.MustCompile(`^[a-z]+$`).MatchString(words[0]) {
		return name + " has no command " + words[0]
	}
	if !step || slices.ContainsFunc([]string{"--help"}, func(f string) bool { return slices.Contains(words, f) }) {
		return ""
	}
	for _, flag := range needed[name] {
		if !flags[flag] {
			return name + " is refused without --" + flag
		}
	}
	if len(needed[name]) > 0 && args == 0 {
		return name + " does not say of what"
	}
	if name == "recover" && (flags["apply"] || flags["end"] || flags["release-safe"] || flags["new-database"]) && !flags["reason"] {
		return "recover is refused without --reason"
	}
	return ""
}

// TestCommandsInSentences: whatever command a sentence names is there, with the
// flags that it names, and what a person is told to type is not refused for want
// of an argument or a reason.
func TestCommandsInSentences(t *testing.T) {
	a, err := newApp(nil, io.Discard, io.Discard)
	require.NoError(t, err)
	a.lang = "en"
	root := newRoot(a, nil)
	flags := map[string]bool{}
	var all func(*cobra.Command)
	all = func(cmd *cobra.Command) {
		note := func(f *pflag.Flag) { flags[f.Name] = true }
		cmd.Flags().VisitAll(note)
		cmd.PersistentFlags().VisitAll(note)
		for _, sub := range cmd.Commands() {
			all(sub)
		}
	}
	all(root)
	found := 0
	look := func(where, text string, step bool) {
		for _, m := range mentioned.FindAllStringSubmatch(text, -1) {
			for _, rest := range strings.Split(m[1], " pabal ") { // several in one line
				found++
				if why := wrong(root, commandLine(rest), step); why != "" {
					t.Errorf("%s: %s: pabal %s", where, why, rest)
				}
			}
		}
	}
	for _, lang := range bothLanguages() {
		for _, code := range a.cat.Codes() {
			where := string(lang) + " " + string(code)
			if strings.HasPrefix(string(code), "ui.") {
				look(where, a.cat.Text(lang, code, nil), false)
				continue
			}
			sentence, next := a.cat.Sentence(lang, fault.New(code, "SUBJECT"))
			look(where, sentence, false)
			look(where, next, true)
			for _, m := range regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(sentence+" "+next, -1) {
				require.True(t, flags[m[1]] || m[1] == "notest", // of convmv
					"%s: no command has the flag --%s", where, m[1])
			}
		}
	}
	require.Greater(t, found, 200, "the extraction finds them")
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	code := regexp.MustCompile("(?s)```.*?```|`[^`]+`")
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, span := range code.FindAllString(string(text), -1) {
			for line := range strings.Lines(strings.Trim(span, "`")) {
				if strings.HasPrefix(line, "pabal ") { // elsewhere it is a user or a database
					look(filepath.Base(page), line, false)
				}
			}
		}
	}
}

// TestWrongCommandsAreFound: the test above can fail.
func TestWrongCommandsAreFound(t *testing.T) {
	a, err := newApp(nil, io.Discard, io.Discard)
	require.NoError(t, err)
	root := newRoot(a, nil)
	for text, why := range map[string]string{
		`transfers show X`:                               "no command transfers",
		`transfer shows X.`:                              "transfer has no command shows",
		`transfer show X --blok`:                         "transfer show has no flag --blok",
		`transfer release X, and wait`:                   "transfer release is refused without --reason",
		`transfer release --reason "…"`:                  "transfer release does not say of what",
		`transfer settle X --reason "…"`:                 "transfer settle is refused without --as",
		`recover --end으로 끝내십시오`:                          "recover is refused without --reason",
		`transfer settle X --as arrived --reason "…" 실행`: "",
		`config history를 확인하십시오`:                         "",
		`status로 확인하십시오`:                                 "",
		`may not read it`:                                "",
	} {
		require.Equal(t, why, wrong(root, commandLine(text), true), text)
	}
}
