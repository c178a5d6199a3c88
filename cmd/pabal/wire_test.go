package main

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pabal/config"
	"pabal/control"
	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/internal/secure"
	"pabal/protocol"
	"pabal/protocol/line"
)

// site1 has two instances, both kinds of profile and every key that wiring
// turns into something else.
const site1 = `
environment: test
host: bat01
database: { url: "sqlite:pabal.db" }
system: { SCAN_DIRECTORY_NAME: scan, WORK_DIRECTORY_NAME: work, RECEIVE_DIRECTORY_NAME: receive, RESULT_DIRECTORY_NAME: result }
scan: { every: 3s, settle: 4s }
instances:
  - { id: instance_A, sessions: 7 }
  - { id: instance_B, listen: [{ address: "127.0.0.1:0", profile: edi }] }
routers:
  - { id: fileScanRouter, kind: 배치인스턴스, instance: instance_A }
institutions:
  - code: KFTC
    profile: cms
    side: institution
    wire_code: "12345678"
    instance: instance_A
    sender: { name: kim, password: "${env:PW}" }
    connect: "10.0.0.1:9001"
    sessions: { send: 2, receive: 3 }
    receive_windows: [{ from: "22:30", to: "01:00", every: 5m, days: [mon, sun] }]
    closed: [{ from: "23:45", to: "00:15", for: send }, { from: "04:00", to: "05:00" }]
    retry: { first: 1s, max: 2m, tries: 5 }
    timeouts: { connect: 6s, reply: 50s }
    message_size: 2KiB
    rounds: 4
    resume_age: 2h
  - code: KSNET
    profile: edi
    side: centre
    wire_code: HOST001
    peer_code: VAN001
    instance: instance_B
    options: { gzip: "true", ebcdic: "true", transfer_password: "${env:PW}" }
jobs:
  - { code: CMS, institution: KFTC }
  - { code: CARD, institution: KSNET }
files:
  - id: EB21
    institution: KFTC
    job: CMS
    direction: send
    record: { length: 150, line_end: crlf, strip: true }
    wire_name: "${FILE_ID:4}+${MMdd:4}"
    suffixes: [".dat"]
    packing: filled
    empty: send
    flag: { ready: ".fin", placed: ".ok" }
    result: true
    existing: number
    receive_name: "${FILE_ID}"
    checks:
      header: { starts: H, name_at: { offset: 19, length: 8 }, date_at: { offset: 27, format: yyMMdd } }
      trailer:
        starts: T
        count_at: { offset: 27, length: 8 }
        counts: R
        amount_at: { offset: 43, length: 13 }
        amount_field: { offset: 42, length: 13 }
        totals: [{ at: { offset: 60, length: 8 }, all: true }]
      charset: euc-kr
      rules: [{ name: r1, expr: "records > 0" }, { name: r2, expr: "size > 0", each: true, message: 레코드가 없음 }]
  - { id: C02, institution: KSNET, job: CARD, direction: receive, record: { form: raw } }
  - { id: TXT, institution: KFTC, job: CMS, direction: receive, record: { form: lines } }
`

func loadText(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pabal.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	cfg, err := config.Load(path, func(name string) (string, bool) {
		return map[string]string{"LONG": strings.Repeat("s3cret-which-no-row-has-room-for ", 4)}[name] + map[bool]string{true: "s3cret"}[name != "LONG"], true
	})
	require.NoError(t, err)
	return cfg
}

func TestWire(t *testing.T) {
	cfg := loadText(t, site1)
	s, problems := wire(cfg)
	require.Empty(t, problems)
	require.Len(t, s.instances, 2)
	a, b := s.instances[0], s.instances[1]

	require.Equal(t, "instance_A", a.ID)
	require.Equal(t, "bat01", a.Place)
	require.Equal(t, "Asia/Seoul", a.Zone.String())
	require.Equal(t, [2]time.Duration{3 * time.Second, 4 * time.Second}, [2]time.Duration{a.ScanEvery, a.Settle})
	require.Equal(t, 7, a.MaxSessions)
	require.Equal(t, cfg.System.Scan, a.Dirs.Scan)
	require.Equal(t, cfg.System.Result, a.Result)
	require.Equal(t, [2]bool{true, false}, [2]bool{a.Scans, b.Scans}, "the router says who scans")
	require.Len(t, b.Listen, 1)
	require.Equal(t, "edi", b.Listen[0].Profile.Name)

	k := a.Institutions[0]
	require.Equal(t, protocol.InstitutionSide, k.Side)
	require.Equal(t, "12345678", k.WireCode)
	require.Equal(t, "s3cret", k.Sender.Password)
	require.Equal(t, [2]int{2, 3}, [2]int{k.SendSessions, k.ReceiveSessions})
	require.Equal(t, [2]time.Duration{22*time.Hour + 30*time.Minute, time.Hour}, [2]time.Duration{k.Windows[0].From, k.Windows[0].To})
	require.Equal(t, []time.Weekday{time.Monday, time.Sunday}, k.Windows[0].Days)
	require.Equal(t, [2]bool{true, false}, [2]bool{k.Closed[0].Send, k.Closed[0].Receive})
	require.Equal(t, [2]bool{true, true}, [2]bool{k.Closed[1].Send, k.Closed[1].Receive})
	require.Equal(t, [2]time.Duration{time.Second, 2 * time.Minute}, [2]time.Duration{k.RetryFirst, k.RetryMax})
	require.Equal(t, []int{5, 2048, 4}, []int{k.RetryTries, k.MessageSize, k.Rounds})
	require.Equal(t, []time.Duration{6 * time.Second, 50 * time.Second, 2 * time.Hour}, []time.Duration{k.ConnectTimeout, k.Reply, k.ResumeAge})

	v := b.Institutions[1]
	require.Equal(t, [2]string{"HOST001", "VAN001"}, [2]string{v.Self, v.Peer})
	require.True(t, v.Gzip && v.EBCDIC)
	require.Equal(t, "s3cret", v.TransferPassword)

	// Both know both institutions, and each calls only its own.
	require.Equal(t, "10.0.0.1:9001", a.Institutions[0].Connect)
	require.Empty(t, b.Institutions[0].Connect)
	require.Empty(t, b.Institutions[0].Windows)
	require.Equal(t, "KFTC", b.Institutions[0].Code)

	f := a.Files[0]
	require.Equal(t, filemgr.Form{Kind: filemgr.Lines, Length: 150, CRLF: true, Strip: true}, f.Form)
	require.Equal(t, filemgr.Form{Kind: filemgr.Raw}, a.Files[1].Form)
	require.Equal(t, filemgr.Form{Kind: filemgr.Lines}, a.Files[2].Form)
	require.Equal(t, filemgr.PackFilled, f.Packing)
	require.Equal(t, filemgr.ExistingNumber, f.Existing)
	require.Equal(t, [2]string{".fin", ".ok"}, [2]string{f.FlagReady, f.FlagPlaced})
	require.True(t, f.Result && f.Checks.SendEmpty)
	require.Equal(t, filemgr.TextEUCKR, f.Checks.Text)
	require.Equal(t, &filemgr.HeaderCheck{Mark: "H", Name: &filemgr.Field{Offset: 19, Length: 8},
		Date: &filemgr.DateField{Offset: 27, Format: "yyMMdd"}}, f.Checks.Header)
	require.Equal(t, &filemgr.TrailerCheck{Mark: "T", Totals: []filemgr.Total{
		{At: filemgr.Field{Offset: 27, Length: 8}, Where: []filemgr.Match{{Text: "R"}}},
		{At: filemgr.Field{Offset: 43, Length: 13}, Sum: &filemgr.Field{Offset: 42, Length: 13}, Where: []filemgr.Match{{Text: "R"}}},
		{At: filemgr.Field{Offset: 60, Length: 8}, All: true},
	}}, f.Checks.Trailer)
	require.Equal(t, []filemgr.Rule{{Name: "r1", Expr: "records > 0"}, {Name: "레코드가 없음", Expr: "size > 0", Each: true}}, f.Checks.Rules)
}

func TestWireProblemsStandAtTheirKeys(t *testing.T) {
	for _, tt := range []struct {
		name, from, to string
		path           string
		code           fault.Code
	}{
		{"profile", "profile: edi }", "profile: edo }", "instances[1].listen[0].profile", protocol.CodeProfileUnknown},
		{"sends to", "profile: edi }", "profile: edi, sends_to: KSNET }", "instances[1].listen[0].sends_to", "instance.sends_to"},
		{"option", "gzip:", "zip:", "institutions[1].options.zip", codeUnknownOption},
		{"not a bool", `gzip: "true"`, `gzip: "on please"`, "institutions[1].options.gzip", codeBadOption},
		{"rule", "records > 0", "records >", "files[0].checks.rules[0].expr", filemgr.CodeBadRule},
		{"date", "yyMMdd }", "ddMMyy }", "files[0].checks.header.date_at", filemgr.CodeBadOption},
		{"no line end", "form: lines }", "form: lines, line_end: none }", "files[2].record.line_end", codeLinesWithoutEnd},
		{"sender", "peer_code: VAN001", "peer_code: VAN001\n    sender: { name: kim }", "institutions[1].sender.name", codeNoCredential},
		{"name too long", "name: kim", "name: abcdefghijklmnopqrstu", "institutions[0].sender.name", codeTooWide},
		{"name in Hangul too long", "name: kim", "name: 가나다라마바사아자차카", "institutions[0].sender.name", codeTooWide},
		{"a name that cannot be said", "name: kim", "name: \"👤\"", "institutions[0].sender.name", protocol.CodeCharset},
		{"password too long", `password: "${env:PW}" }
    connect`, `password: "${env:LONG}" }
    connect`, "institutions[0].sender.password", codeTooWide},
		{"password that is looked for too long", "rounds: 4", `expect: { name: kim, password: "${env:LONG}" }`, "institutions[0].expect.password", codeTooWide},
		{"transfer password too long", `transfer_password: "${env:PW}"`, `transfer_password: "${env:LONG}"`, "institutions[1].options.transfer_password", codeTooWide},
		{"login", "peer_code: VAN001", "peer_code: VAN001\n    login: { expect: { name: kim } }", "institutions[1].login.expect.name", codeNoCredential},
		{"expect", "peer_code: VAN001", "peer_code: VAN001\n    expect: { password: \"${env:PW}\" }", "institutions[1].expect.password", codeNoCredential},
		{"transfer password", "rounds: 4", "options: { transfer_password: \"${env:PW}\" }", "institutions[0].options.transfer_password", codeNoTransferPass},
		{"gzip of cms", "rounds: 4", `options: { gzip: "true" }`, "institutions[0].options", "instance.no_transform"},
		{"message size", "2KiB", "10", "institutions[0].message_size", "instance.message_size"},
		{"code too long", `"12345678"`, `"12345678901234567890"`, "institutions[0].wire_code", "wire.does_not_fit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, site1, tt.from)
			cfg := loadText(t, strings.Replace(site1, tt.from, tt.to, 1))
			_, problems := wire(cfg)
			require.NotEmpty(t, problems)
			require.Equal(t, tt.path, problems[0].Path)
			require.Equal(t, tt.code, problems[0].Err.Code)
			require.NotContains(t, problems[0].Err.Error(), "s3cret")
		})
	}
}

// Where the trailer's keys become one list, a problem finds its key again.
func TestTotalsFindTheirKeys(t *testing.T) {
	w := &wiring{cfg: loadText(t, site1)}
	for from, to := range map[string]string{
		"totals[0].at": "count_at", "totals[0].where[0]": "count_at", "totals[1].at": "amount_at",
		"totals[1].sum": "amount_field", "totals[2].at": "totals[0].at", "totals[2].all": "totals[0].all",
	} {
		require.Equal(t, "files[0].checks.trailer."+to, w.pathOf("files[0].checks.trailer."+from))
	}
	require.Equal(t, "files[0].checks.charset", w.pathOf("files[0].checks.text"))
	require.Equal(t, "files[0].wire_name", w.pathOf("files[0].wire_name"))
}

func TestOwnProfiles(t *testing.T) {
	dir := t.TempDir()
	cfg := loadText(t, site1+"profiles: { directory: "+dir+" }\n")
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	_, problems := wire(cfg)
	require.Empty(t, problems, "an empty directory is fine")

	write("mine.yaml", "profile: [")
	write("notes.txt", "not looked at")
	_, problems = wire(cfg)
	require.NotEmpty(t, problems)
	require.Equal(t, "profiles.directory", problems[0].Path)
	require.Contains(t, fmt.Sprint(problems[0].Err), "mine.yaml")

	source, err := os.ReadFile(filepath.Join("..", "..", "protocol", "profiles", "cms.yaml"))
	require.NoError(t, err)
	write("mine.yaml", string(source))
	_, problems = wire(cfg)
	require.Len(t, problems, 1)
	require.Equal(t, codeProfileTwice, problems[0].Err.Code, "what runs under a name must be plain")

	write("mine.yaml", strings.Replace(string(source), "profile: cms", "profile: mine", 1))
	_, problems = wire(cfg)
	require.Empty(t, problems)

	// One that nobody names is read all the same if it is the site's own, and
	// offered whosever it is.
	write("worse.yaml", strings.Replace(string(source), "profile: cms", "profile: worse\nsurplus: 1", 1))
	cfg.Institutions[0].Profile = "cmd"
	_, problems = wire(cfg)
	require.Len(t, problems, 2)
	require.Equal(t, protocol.CodeProfileSyntax, problems[0].Err.Code)
	require.Equal(t, protocol.CodeProfileUnknown, problems[1].Err.Code)
	known := strings.Split(problems[1].Err.Args["known"], ", ")
	require.Equal(t, slices.Sorted(slices.Values(append(protocol.Embedded(), "mine"))), known)
	cfg.Institutions[0].Profile = "cms"

	require.NoError(t, os.RemoveAll(dir))
	_, problems = wire(cfg)
	require.Len(t, problems, 1)
	require.Equal(t, codeProfileDirectory, problems[0].Err.Code)
}

// A server starts with a full disk, because what needs room waits; it does not
// start where a directory is missing.
func TestWhatKeepsAServerFromStarting(t *testing.T) {
	full := fault.Problem{Path: "system.RECEIVE_DIRECTORY_NAME", Err: fault.New(filemgr.CodeDiskFull, "/r")}
	missing := fault.Problem{Path: "system.SCAN_DIRECTORY_NAME", Err: fault.New(filemgr.CodeDirMissing, "/s")}
	require.Equal(t, []fault.Problem{missing}, lasting([]fault.Problem{full, missing}))
}

func TestExampleIsGood(t *testing.T) {
	for _, lang := range []string{"ko", "en"} {
		_, problems := wire(loadText(t, config.Example(lang)))
		require.Empty(t, problems)
	}
}

// What a counterparty can be asked follows from its profile and from our side.
func TestPeersSayWhatCanBeAsked(t *testing.T) {
	got := peers(&config.Config{Institutions: []config.Institution{
		{Code: "KFTC", Profile: "cms", Side: "institution"},
		{Code: "VAN", Profile: "edi", Side: "institution"},
		{Code: "KSNET", Profile: "edi", Side: "centre"},
		{Code: "GONE", Profile: "nowhere", Side: "institution"},
	}})
	require.Equal(t, map[string]control.Peer{
		"KFTC":  {Profile: "cms", Inquire: true, Recall: true, Settles: true, Resumes: true},
		"VAN":   {Profile: "edi", Inquire: true},
		"KSNET": {Profile: "edi"},
		"GONE":  {}, // nothing to ask; what needs a second person would stand here
	}, got)
}

// TestWireSecurity: TLS, callers, lists and limits of the file are those of the
// options, and mistakes in them are told at their keys.
func TestWireSecurity(t *testing.T) {
	print64 := strings.Repeat("AB:", 31) + "AB"
	text := strings.Replace(site1, `{ id: instance_A, sessions: 7 }`,
		`{ id: instance_A, sessions: 7, limits: { handshake: 3s, opening: { time: 4s, bytes: 8KiB, mistakes: 9 }, unidentified: 5, per_address: 6 } }`, 1)
	text = strings.Replace(text, `{ address: "127.0.0.1:0", profile: edi }`,
		`{ address: "127.0.0.1:0", profile: edi, tls: { certificate: us.pem, key: us.key, client_ca: ca.pem, client: optional, minimum: 1.3 } }`, 1)
	text = strings.Replace(text, "    rounds: 4\n", `    rounds: 4
    tls: { server_name: gw, ca: ca.pem, certificate: us.pem, key: us.key, fingerprints: ["`+print64+`"] }
    allow: { in: [10.0.0.0/8], out: [10.0.0.1, "2001:db8::/32"] }
    limits: { bandwidth: 1MiB, between: { time: 1m, bytes: 5KiB, mistakes: 2 }, file: { time: 1h, bytes: 1GiB, mistakes: 3 } }
`, 1)
	text = strings.Replace(text, "    peer_code: VAN001\n", "    peer_code: VAN001\n    caller: { names: [van] }\n", 1)
	read := func(text string) (*site, []fault.Problem, string) {
		path := filepath.Join(t.TempDir(), "pabal.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		cfg, err := config.Load(path, func(string) (string, bool) { return "geheim", true })
		require.NoError(t, err)
		s, problems := wire(cfg)
		return s, problems, filepath.Dir(path)
	}
	s, problems, dir := read(text)
	require.Empty(t, problems)
	files := secure.Files{Certificate: filepath.Join(dir, "us.pem"), Key: filepath.Join(dir, "us.key"), CA: filepath.Join(dir, "ca.pem")}
	a, b := s.instances[0], s.instances[1]
	require.Equal(t, instance.Door{Handshake: 3 * time.Second, Opening: line.Limit{Time: 4 * time.Second, Bytes: 8 << 10, Mistakes: 9}, Unidentified: 5, PerAddress: 6}, a.Door)
	require.Equal(t, &secure.Server{Files: files, Minimum: tls.VersionTLS13, Optional: true}, b.Listen[0].TLS)
	kftc := a.Institutions[0]
	require.Equal(t, &secure.Client{Files: files, ServerName: "gw", Minimum: tls.VersionTLS12, Fingerprints: []string{strings.Repeat("ab", 32)}}, kftc.TLS)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, kftc.AllowIn)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("2001:db8::/32")}, kftc.AllowOut)
	require.Equal(t, instance.Limits{Bandwidth: 1 << 20, Between: line.Limit{Time: time.Minute, Bytes: 5 << 10, Mistakes: 2},
		File: line.Limit{Time: time.Hour, Bytes: 1 << 30, Mistakes: 3}}, kftc.Limits)
	require.Equal(t, instance.Caller{Names: []string{"van"}}, b.Institutions[1].Caller)

	var at []string
	for _, p := range s.checkCertificates() {
		at = append(at, p.Path)
	}
	require.Equal(t, []string{"instances[1].listen[0].tls.certificate", "institutions[0].tls.certificate"}, at)

	_, problems, _ = read(strings.Replace(strings.Replace(text, print64, "12:34", 1), ", client_ca: ca.pem, client: optional", "", 1))
	at = nil
	for _, p := range problems {
		at = append(at, p.Path+" "+string(p.Err.Code))
	}
	require.ElementsMatch(t, []string{"institutions[0].tls.fingerprints[0] secure.fingerprint", "institutions[1].caller instance.caller_no_ca"}, at)
}
