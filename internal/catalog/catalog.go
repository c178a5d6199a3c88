// Package catalog holds every sentence that a person reads, in Korean and
// English, by the stable code of package fault (design D8).
//
// The sentences stand in sentences/*.yaml, one file per area. An entry has the
// sentence and, for failures, what to do next. Placeholders are written {name}
// in lower case: the Args of the fault, and {subject}. A value that is words
// itself, such as what was expected, is a fault.Phrase and stands in
// sentences/phrase.yaml. A test reads the Go files of the module and finds codes
// and phrases without a sentence, sentences that nobody says, and calls that
// leave a placeholder empty.
package catalog

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"pabal/internal/fault"
)

//go:embed sentences/*.yaml
var embedded embed.FS

// CodeInternal is the entry for what has no sentence of its own: an error
// without a code, or with a code that this build does not know.
const CodeInternal fault.Code = "internal"

// Area of plain interface texts. They need no next step, nor do phrases.
const areaUI = "ui."

// Lang is a language of the catalogue.
type Lang string

const (
	KO Lang = "ko"
	EN Lang = "en"
)

// LangFrom chooses the language: the --lang flag if it is given, else the first
// of LC_ALL, LC_MESSAGES and LANG that is set. Whatever starts with "ko" is
// Korean, all else English.
func LangFrom(flag string, env func(string) string) Lang {
	choice := flag
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if choice != "" {
			break
		}
		choice = env(name)
	}
	if strings.HasPrefix(strings.ToLower(choice), "ko") {
		return KO
	}
	return EN
}

// entry is one code's texts as the files hold them.
type entry struct {
	EN     string `yaml:"en"`
	KO     string `yaml:"ko"`
	NextEN string `yaml:"next_en"`
	NextKO string `yaml:"next_ko"`
}

func (e entry) in(lang Lang) (sentence, next string) {
	if lang == KO {
		return e.KO, e.NextKO
	}
	return e.EN, e.NextEN
}

// Catalog is the loaded catalogue. It is read-only and safe for concurrent use.
type Catalog struct {
	entries map[fault.Code]*written
}

// written is an entry as it stands in its file. Its YAML is read when somebody
// asks for it: a command says few of well over a thousand sentences, and to read
// them all takes longer than the rest of most commands.
type written struct {
	yaml []byte
	once sync.Once
	entry
	err error
}

func (w *written) read(code fault.Code) (entry, error) {
	w.once.Do(func() {
		d := yaml.NewDecoder(bytes.NewReader(w.yaml))
		d.KnownFields(true)
		only := map[fault.Code]entry{}
		if w.err = d.Decode(&only); w.err == nil {
			w.entry = only[code]
		}
	})
	return w.entry, w.err
}

// Load reads the embedded sentences. It fails only when this build carries a
// broken file, so a program may treat the error as fatal. What is broken in an
// entry makes its code one without a sentence; a test reads them all.
func Load() (*Catalog, error) { return load(embedded) }

func load(files fs.FS) (*Catalog, error) {
	names, err := fs.Glob(files, "sentences/*.yaml")
	if err != nil {
		return nil, err
	}
	c := &Catalog{entries: map[fault.Code]*written{}}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if err := c.add(text); err != nil {
			return nil, fmt.Errorf("catalog: %s: %w", path.Base(name), err)
		}
	}
	if _, ok := c.entries[CodeInternal]; !ok {
		return nil, fmt.Errorf("catalog: no entry %s", CodeInternal)
	}
	return c, nil
}

// add cuts a file into its entries: each begins with its code at the beginning
// of a line, and what belongs to it is on that line or indented.
func (c *Catalog) add(text []byte) error {
	var last *written
	start := 0
	for at := 0; at < len(text); {
		end := len(text)
		if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n + 1
		}
		line := text[at:end]
		if !bytes.ContainsRune([]byte(" #\r\n"), rune(line[0])) {
			name, _, ok := bytes.Cut(line, []byte{':'})
			if !ok {
				return fmt.Errorf("%q begins no entry", line)
			}
			code := fault.Code(name)
			if _, twice := c.entries[code]; twice {
				return fmt.Errorf("code %s stands there a second time", code)
			}
			if last != nil {
				last.yaml = text[start:at]
			}
			last, start = &written{}, at
			c.entries[code] = last
		}
		at = end
	}
	if last != nil {
		last.yaml = text[start:]
	}
	return nil
}

// entry of a code, if there is one.
func (c *Catalog) entry(code fault.Code) (entry, bool) {
	w, ok := c.entries[code]
	if !ok {
		return entry{}, false
	}
	e, err := w.read(code)
	return e, err == nil
}

// Codes lists every code that has an entry, sorted.
func (c *Catalog) Codes() []fault.Code { return slices.Sorted(maps.Keys(c.entries)) }

// Sentence says in words what err is and what to do next. It speaks of the
// outermost fault in err's chain. An error without a code, or with an unknown
// one, gets the entry "internal", which still shows its text.
func (c *Catalog) Sentence(lang Lang, err error) (sentence, next string) {
	if err == nil {
		return "", ""
	}
	if f := fault.As(err); f != nil {
		if e, ok := c.entry(f.Code); ok {
			sentence, next = e.in(lang)
			args := c.words(lang, f.Subject, f.Args)
			return fill(lang, sentence, f.Subject, args), fill(lang, next, f.Subject, args)
		}
	}
	e, _ := c.entry(CodeInternal)
	sentence, next = e.in(lang)
	args := fault.Args{"text": err.Error()}
	return fill(lang, sentence, "", args), fill(lang, next, "", args)
}

// Text is the sentence of a code without an error: labels and lines of the
// interface (area ui), or the sentence for a code and arguments that a row of
// the database holds. An unknown code gives the code itself.
func (c *Catalog) Text(lang Lang, code fault.Code, args fault.Args) string {
	e, ok := c.entry(code)
	if !ok {
		return string(code)
	}
	sentence, _ := e.in(lang)
	return fill(lang, sentence, args["subject"], c.words(lang, args["subject"], args))
}

// argBecause is a value that is a code: in its place stands the sentence of
// that code, made with the same values. So one failure tells of another.
const argBecause = "because"

// words puts words in the place of the values that stand for some: phrases, and
// argBecause.
func (c *Catalog) words(lang Lang, subject string, args fault.Args) fault.Args {
	said := maps.Clone(args)
	for name := range args {
		if p := args.Phrase(name); p.Said() {
			said[name] = c.Text(lang, p.Key(), p.Args())
		}
	}
	if e, ok := c.entry(fault.Code(args[argBecause])); ok {
		sentence, _ := e.in(lang)
		said[argBecause] = fill(lang, sentence, subject, said)
	}
	return said
}

// placeholder is lower case only, so that sentences can quote ${FILE_ID:4} and
// ${env:NAME} as they are.
var placeholder = regexp.MustCompile(`\{[a-z][a-z0-9_]*\}`)

// fill puts the values in, in one pass: a value that looks like a placeholder
// stays as it is. A value that is missing shows as "?", see [fault.ArgTransfer], [fault.ArgSession].
func fill(lang Lang, text, subject string, args fault.Args) string {
	text = placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := p[1 : len(p)-1]
		if v, ok := args[name]; ok {
			return v
		}
		if name == "subject" && subject != "" {
			return subject
		}
		if name == fault.ArgTransfer || name == fault.ArgSession {
			return "ID" // no row is at hand
		}
		return "?"
	})
	if lang == KO {
		return josa(text)
	}
	return text
}

// placeholders lists the names that a text mentions, sorted, each once.
func placeholders(text string) []string {
	var names []string
	for _, p := range placeholder.FindAllString(text, -1) {
		names = append(names, p[1:len(p)-1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
