package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// TestEnvironmentInEveryOutput: whatever command is used beside a configuration,
// and whether it succeeds, its output says whose environment it is, and every
// JSON object has it. A command without a line here fails the test.
func TestEnvironmentInEveryOutput(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	t.Chdir(t.TempDir())
	code, out, errs := start(t, "init", "site")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "environment test")
	config := filepath.Join("site", "pabal.yaml")
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	free, err := addresses.Free()
	require.NoError(t, err)
	for _, change := range [][2]string{
		{"environment: test", "environment: dev"}, {"127.0.0.1:9100", "127.0.0.1:0"}, {"127.0.0.1:9001", free}, {"every: 2s, settle: 2s", "every: 50ms, settle: 0s"},
		{"    retry: {", "    approval: { second_person: [cancel] }\n    retry: {"},
	} {
		require.Contains(t, string(text), change[0])
		text = bytes.ReplaceAll(text, []byte(change[0]), []byte(change[1]))
	}
	require.NoError(t, os.WriteFile(config, text, 0o600))
	s := serve(t, config, "instance_BAT_01")
	require.Contains(t, s.log.String(), `"environment":"dev"`)
	code, _, errs = start(t, "sample", "EB21", "--records", "5", "--drop", "-c", config)
	require.Equal(t, exitOK, code, errs)
	eventually(t, "the file to be stored", func() bool {
		_, out, _ := start(t, "transfer", "list", "-c", config)
		return strings.Contains(out, " stored") || strings.Contains(out, " waiting")
	})
	require.NoError(t, os.WriteFile("none.bin", nil, 0o600))

	// The institution is not there: a session that came to nothing.
	_, out, _ = start(t, "session", "list", "--json", "-c", config)
	var session struct{ ID string }
	require.NoError(t, json.NewDecoder(strings.NewReader(out)).Decode(&session))
	shown := session.ID

	order := func(name string, more ...string) []string {
		return append([]string{"transfer", name, "EB21", "--reason", "test"}, more...)
	}
	lines := map[string][][]string{
		"init":             {{"init", "site"}},
		"check":            {{"check"}},
		"config apply":     {{"config", "apply", config, "--reason", "test"}, {"config", "apply", "none.yaml", "--reason", "test"}, {"config", "apply", config}},
		"config diff":      {{"config", "diff"}, {"config", "diff", "1", "1"}},
		"config history":   {{"config", "history"}},
		"config show":      {{"config", "show"}, {"config", "show", "99"}},
		"config rollback":  {{"config", "rollback", "1", "--reason", "test"}, {"config", "rollback", "99", "--reason", "test"}},
		"run":              {{"run"}}, // another one is
		"status":           {{"status"}},
		"transfer list":    {{"transfer", "list"}},
		"transfer show":    {{"transfer", "show", "EB21"}, {"transfer", "show", "EB21", "--records", "1..2"}, {"transfer", "show", "none"}},
		"transfer hold":    {order("hold")},
		"transfer release": {order("release")},
		"transfer resend":  {order("resend")},
		"transfer cancel":  {order("cancel")},
		"transfer inquire": {order("inquire")},
		"transfer recall":  {order("recall")},
		"transfer settle":  {order("settle", "--as", "arrived")},
		"approve":          {{"approve", "none", "--reason", "test"}},
		"approve list":     {{"approve", "list"}},
		"approve reject":   {{"approve", "reject", "none", "--reason", "test"}},
		"audit":            {{"audit"}},
		"session list":     {{"session", "list"}, {"session", "list", "--failed"}},
		"session show":     {{"session", "show", "none"}, {"session", "show", shown}},
		"profile list":     {{"profile", "list"}},
		"profile show":     {{"profile", "show", "cms"}, {"profile", "show", "none"}},
		"profile check":    {{"profile", "check", "none"}},
		"profile decode":   {{"profile", "decode", "cms", "none.bin"}},
		"recover":          {{"recover"}},
		"simulate":         {{"simulate", "cms", "--side", "centre", "--listen", "192.0.2.1:1"}},
		"sample":           {{"sample", "EB21", "-o", "sample.out"}, {"sample", "EB21", "-o", "sample.out"}, {"sample", "EB21", "--drop"}},
		"migrate":          {{"migrate"}},
		"demo":             {{"demo", "--dir", "site"}},
		"bench":            {{"bench", "--runs", "0"}, {"bench", "--dir", "none"}},
		"version":          {{"version"}},
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "pabal ")
		if cmd.Hidden || cmd.Args == nil || cmd.Name() == "completion" || cmd.Parent() == nil || cmd.HasSubCommands() && !cmd.HasLocalFlags() {
			return
		}
		require.Contains(t, lines, name)
		for _, args := range lines[name] {
			for _, form := range [][]string{nil, {"--lang", "ko"}, {"--json"}} {
				line := append(append([]string{}, args...), "-c", config)
				line = append(line, form...)
				_, out, errs := start(t, line...) // some are refused
				if len(form) != 1 {
					require.Regexp(t, `(?im)^ *(environment|환경).* dev\b|^# dev, `, out+errs, "%v", line)
					continue
				}
				for _, text := range []string{out, errs} {
					for object := range strings.Lines(text) {
						var o struct{ Environment string }
						require.NoError(t, json.Unmarshal([]byte(object), &o), "%v: %s", line, object)
						require.Equal(t, "dev", o.Environment, "%v: %s", line, object)
					}
				}
			}
		}
	}
	a, _, _ := testApp(t, "en")
	walk(newRoot(a, nil))
}
