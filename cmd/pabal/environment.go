package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"pabal/config"
	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/place"
)

// Which environment somebody is in must be seen in every output, and what only
// tests do must not be possible in production (design D10).

const production = "production"

// enter notes the environment that a command works in: it heads what people
// read and is a field of what programs read.
func (a *app) enter(cfg *config.Config) {
	a.environment, a.host = cfg.Environment, cfg.Host
	a.head(a.out, a.text("ui.environment", "environment", a.environmentWord(cfg.Environment), "host", cfg.Host))
}

// enterFile is enter for commands that need no configuration: where one lies
// beside them, they say whose it is.
func (a *app) enterFile(w io.Writer) {
	if a.environment != "" {
		a.head(w, a.text("ui.environment.of", "environment", a.environmentWord(a.environment), "config", a.configPath))
	}
}

func (a *app) head(w io.Writer, line string) {
	if a.json || a.quiet || a.headed {
		return
	}
	a.headed = true
	fmt.Fprintln(w, line)
}

// environmentWord is the environment as the configuration writes it, which
// stays the same in every language, and what it means.
func (a *app) environmentWord(environment string) string {
	return a.text(fault.Code("ui.environment." + environment))
}

// withEnvironment adds the environment to a JSON object that does not have it.
func (a *app) withEnvironment(object []byte) []byte {
	text := bytes.TrimSpace(object)
	if a.environment == "" || len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return object
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil || fields["environment"] != nil {
		return object
	}
	name, _ := json.Marshal(a.environment) // text cannot fail
	out := append([]byte{}, text[:len(text)-1]...)
	if len(fields) > 0 {
		out = append(out, ',')
	}
	out = append(append(out, `"environment":`...), name...)
	return append(out, '}', '\n')
}

// refuseProduction refuses what only tests do where the configuration says
// production. Without -c the one that lies here counts, if one does. A file with
// mistakes elsewhere protects all the same.
func (a *app) refuseProduction(what string, chosen bool) error {
	if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) && !chosen {
		return nil
	}
	if config.Environment(a.configPath) == production {
		return fault.New(codeProduction, what, "config", a.configPath)
	}
	if !chosen {
		return nil
	}
	_, err := config.Load(a.configPath, nil)
	return err
}

// siteMark is the file by which a directory tells which site it belongs to.
const siteMark = ".pabal-site"

// mark is what it holds.
type mark struct {
	Environment string `json:"environment"`
	Host        string `json:"host"`
	Config      string `json:"config"`
}

// markSite leaves a mark in the directories that the server works with, so that
// commands which know nothing of its configuration know where they are.
func (a *app) markSite(cfg *config.Config) error {
	text, err := json.Marshal(mark{cfg.Environment, cfg.Host, sourceName(a.configPath)})
	if err != nil {
		return err
	}
	text = append(text, '\n')
	staging := filepath.Dir(filemgr.StagedPath(cfg.System.Receive, "-")) // who empties the receive directory is not to find it
	if err := filemgr.MakeDir(staging); err != nil {
		return err
	}
	for _, dir := range []string{cfg.System.Scan, cfg.System.Work, staging} {
		path := filepath.Join(dir, siteMark)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.New(codeCannotWrite, path).Because(err)
		}
		err := place.Create(path, func(w io.Writer) error { _, err := w.Write(text); return err })
		if err != nil {
			return fault.New(codeCannotWrite, path).Because(err)
		}
	}
	return nil
}

// refuseProductionSite refuses a directory that is, or lies in, one of a
// production site.
func refuseProductionSite(what, dir string) error {
	if dir == "" {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fault.New(codeCannotWrite, dir).Because(err)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for {
		for _, path := range []string{filepath.Join(dir, siteMark), filepath.Join(filepath.Dir(filemgr.StagedPath(dir, "-")), siteMark)} {
			var m mark
			text, err := os.ReadFile(path)
			if err != nil || json.Unmarshal(text, &m) != nil {
				continue
			}
			if m.Environment == production {
				return fault.New(codeProductionSite, what, "directory", dir, "host", m.Host, "config", m.Config)
			}
			return nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil
		}
		dir = up
	}
}
