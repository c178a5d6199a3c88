package main

import (
	"context"
	"path/filepath"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
)

// prove puts a document and the host's own part together and proves that they
// can work here: what check, apply and a server at its start all say. A nil
// document takes the shared part of the file itself. The error is
// config.Problems.
func (a *app) prove(file, document *config.Source, lookupEnv func(string) (string, bool)) (*site, error) {
	cfg, err := together(file, document, lookupEnv)
	if err != nil {
		return nil, err
	}
	s, problems := wire(cfg)
	if err := cfg.Report(problems); err != nil {
		return nil, err
	}
	return s, nil
}

func together(file, document *config.Source, lookupEnv func(string) (string, bool)) (*config.Config, error) {
	if document == nil {
		return file.Config(lookupEnv)
	}
	return file.With(document, lookupEnv)
}

// versioned is one version of the shared part, as text and as what is read of it.
type versioned struct {
	number   int64
	text     string
	digest   string
	document *config.Source
}

func versionOf(v *store.ConfigVersion) (*versioned, error) {
	document, err := config.ReadDocument(v.Document, control.DocumentName(v.Number))
	if err != nil {
		return nil, err
	}
	return &versioned{v.Number, v.Document, v.Digest, document}, nil
}

// active is the version in force; nil if there is none.
func active(ctx context.Context, st *store.Store) (*versioned, error) {
	number, _, err := st.ConfigState(ctx)
	if err != nil || number == 0 {
		return nil, err
	}
	v, err := st.ConfigVersion(ctx, number)
	if err != nil {
		return nil, err
	}
	return versionOf(v)
}

// inForce is the configuration that counts for commands: the host's part and
// the active version. Where there is none, or it does not fit this host, it is
// what the file has; an operator must be able to look all the same.
func (a *app) inForce(ctx context.Context, st *store.Store, cfg *config.Config) *config.Config {
	v, err := active(ctx, st)
	if err != nil || v == nil {
		return cfg
	}
	file, err := config.ReadFile(a.configPath)
	if err != nil {
		return cfg
	}
	if whole, err := file.With(v.document, nil); err == nil {
		return whole
	}
	return cfg
}

// siteInForce is the site of a command that needs all of the configuration: the
// file's own, or for a host's own file the active version.
func (a *app) siteInForce(ctx context.Context) (*site, error) {
	file, err := config.ReadFile(a.configPath)
	if err != nil {
		return nil, err
	}
	if file.HasShared() {
		s, err := a.prove(file, nil, a.env)
		if err == nil {
			a.enter(s.cfg)
		}
		return s, err
	}
	own, err := file.Config(nil)
	if err != nil {
		return nil, err
	}
	a.enter(own)
	st, err := store.Open(ctx, operatorsStore(own, true))
	if err != nil {
		return nil, err
	}
	defer func() { _ = st.Close() }() // it was only read
	v, err := active(ctx, st)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, fault.New(codeNoConfiguration, a.configPath)
	}
	return a.prove(file, v.document, a.env)
}

// activeOf is the active version in the database of a host's own file; nil
// where there is none. Errors: those of the store, if nobody can look. Mistakes
// of the file are for who proves it.
func (a *app) activeOf(ctx context.Context, file *config.Source) (*versioned, error) {
	own, err := file.Host(a.env)
	if err != nil {
		return nil, nil
	}
	st, err := store.Open(ctx, operatorsStore(own, true))
	if code := fault.CodeOf(err); code == store.CodeMissing || code == store.CodeSchemaOlder {
		return nil, nil // no server has run on it yet
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = st.Close() }() // it was only read
	return active(ctx, st)
}

// operatorsStore says how a command opens the database beside the server.
func operatorsStore(cfg *config.Config, readOnly bool) store.Options {
	d := cfg.Database
	return store.Options{URL: d.URL, Password: d.Password.Reveal(), Environment: cfg.Environment, ReadOnly: readOnly}
}

// sourceName is how a version says which file it came from.
func sourceName(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}
