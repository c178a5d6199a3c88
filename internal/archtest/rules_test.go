package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// level orders the directories at the top: a package imports only from levels
// with a greater number.
var level = map[string]int{
	"cmd": 0,

	"instance": 1, "agent": 1, "delivery": 1, "console": 1, "simulator": 1, "control": 1,
	"config": 1,

	"protocol": 2, "filemgr": 2, "naming": 2, "store": 2,

	"transfer": 3, "message": 3,

	"internal": 4,
}

// checkDirection says why the package in directory from may not import the
// one in directory to, or "". Both are relative to the module.
func checkDirection(from, to string) string {
	a, b := top(from), top(to)
	la, known := level[a]
	if !known {
		return fmt.Sprintf("%s/ has no level: decide who may import it and add it to level in internal/archtest", a)
	}
	lb, known := level[b]
	switch {
	case !known:
		return fmt.Sprintf("%s/ has no level: decide who may import it and add it to level in internal/archtest", b)
	case a == b:
		return "" // within one directory the compiler's rule against cycles is enough
	case a == "internal":
		return "internal/ is without domain, so that everything may import it; what needs a domain package belongs elsewhere"
	case b == "config" && a != "cmd":
		return "only cmd imports config: take a small Options of your own, so that the package can be used and tested without a configuration file"
	case a == "console" && b == "control":
		return "" // the web page and the command line share queries and commands
	case la == lb:
		return "packages of one level do not know each other: stages meet in the store, and cmd connects the rest; declare the few methods you need where you use them"
	case la > lb:
		return "imports go down only: cmd, then the running parts, then protocol/filemgr/naming/store, then the words; declare an interface here and let cmd pass it in"
	}
	return ""
}

func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// pure lists what has no I/O and reads no clock. Directories that do not
// exist yet are fine; their rule waits for them.
var pure = []struct {
	dirs   []string
	banned []string // import paths, with all below them
	clock  bool     // and reads no clock
	reason string
}{
	{
		dirs:   []string{"transfer", "message"},
		banned: []string{"os", "net", "io/fs", "io/ioutil", "database/sql", "syscall", "log", "path/filepath", "golang.org/x/sys"},
		clock:  true,
		reason: "the words of the business do no I/O: every package uses them, and a test of them needs nothing",
	},
	{
		dirs:   []string{"protocol/machine"},
		banned: []string{"os", "net", "io", "bufio", "database/sql", "syscall", "log", "context", "math/rand", "golang.org/x/sys"},
		clock:  true,
		reason: "the machines are pure (D1): events in, actions out. A driver does the sockets and the clock, and so a test can play any order of events",
	},
}

// clockReaders are the parts of package time that know what time it is, or
// where. A time that came in with an event is a value like any other.
var clockReaders = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep", "Local", "LoadLocation"}

// checkPure says why a product file of dir may not import path, or "".
func checkPure(dir, path string) string {
	for _, p := range pure {
		if !within(dir, p.dirs) {
			continue
		}
		if within(path, p.banned) {
			return p.reason
		}
	}
	return ""
}

// checkClock says why a product file of dir may not use time.name, or "".
func checkClock(dir, name string) string {
	for _, p := range pure {
		if p.clock && within(dir, p.dirs) && slices.Contains(clockReaders, name) {
			return p.reason
		}
	}
	return ""
}

// isolated says in which directories a library may be imported by product
// code, so that replacing it touches one place. docs/dependencies.md has the
// same list for people.
var isolated = []struct {
	library string
	dirs    []string
	reason  string
}{
	{"github.com/spf13", []string{"cmd"}, "the command line is cmd's"},
	{"github.com/lmittmann/tint", []string{"cmd"}, "how log lines look is the choice of the program, not of a package; packages take a *slog.Logger"},
	{"github.com/schollz/progressbar", []string{"cmd"}, "packages report progress as numbers; only the command draws it"},
	{"github.com/fsnotify/fsnotify", []string{"filemgr"}, "file events are a hint, and only filemgr knows what to do when they do not come"},
	{"github.com/expr-lang/expr", []string{"naming", "filemgr", "protocol"}, "expressions are for names, file checks and rows of telegrams; the data path has none (D1): protocol.Template"},
	{"gopkg.in/yaml.v3", []string{"config", "protocol", "simulator/scenario", "internal/catalog", "internal/strictyaml"}, "YAML is read where it becomes a checked structure, and nowhere after that"},
	{"modernc.org", []string{"store"}, "the engines are behind the store's contract (D7)"},
	{"github.com/jackc", []string{"store"}, "the engines are behind the store's contract (D7)"},
	{"github.com/pressly/goose", []string{"store"}, "the schema is the store's own matter"},
	{"database/sql", []string{"store"}, "SQL is written in one package, so that one conformance suite covers all of it (D7)"},
	{"golang.org/x/time", []string{"internal/pace"}, "how fast bytes pass is one wrapper of a connection"},
	{"github.com/jlaffaye/ftp", []string{"delivery"}, "FTP is one way to deliver"},
	{"github.com/stretchr/testify", testSuites, testOnly},
	{"pgregory.net/rapid", testSuites, testOnly},
	{"go.uber.org/goleak", testSuites, testOnly},
	{"testing", append([]string{"internal/needs", "internal/pgtest"}, testSuites...), testOnly},
}

// testSuites are the directories whose product files are tests for others.
var testSuites = []string{"store/storetest", "internal/secure/securetest", "protocol/protocoltest", "internal/linetest"}

const testOnly = "test code never lives in what we ship"

// checkIsolated says why dir may not import the library at path, or "".
func checkIsolated(dir, path string) string {
	for _, rule := range isolated {
		if within(path, []string{rule.library}) && !within(dir, rule.dirs) {
			return fmt.Sprintf("%s is for %s only: %s", rule.library, strings.Join(rule.dirs, ", "), rule.reason)
		}
	}
	return ""
}

// within reports that path is one of roots or below one of them.
func within(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}
