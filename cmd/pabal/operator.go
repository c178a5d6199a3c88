package main

import (
	"context"
	"os"
	"os/user"
	"strconv"

	"pabal/config"
	"pabal/control"
	"pabal/store"
)

// control opens the database beside the running server. Only the address is
// needed of the configuration, so it is not proven further: an operator must
// be able to look while somebody edits the file.
func (a *app) control(ctx context.Context, readOnly bool) (*control.Control, *config.Config, error) {
	cfg, err := config.Load(a.configPath, nil) // the operator's shell does not have the server's secrets
	if err != nil {
		return nil, nil, err
	}
	return a.controlOf(ctx, cfg, nil, readOnly)
}

// controlOfContent is control for a command that shows stored content, which
// needs the keys that it is sealed by.
func (a *app) controlOfContent(ctx context.Context, readOnly bool) (*control.Control, *config.Config, error) {
	cfg, err := config.LoadForContent(a.configPath, a.env)
	if err != nil {
		return nil, nil, err
	}
	keys, problems := payloadKeys(cfg)
	if err := cfg.Report(problems); err != nil {
		return nil, nil, err
	}
	return a.controlOf(ctx, cfg, keys, readOnly)
}

func (a *app) controlOf(ctx context.Context, cfg *config.Config, keys []store.Key, readOnly bool) (*control.Control, *config.Config, error) {
	st, err := store.Open(ctx, store.Options{URL: cfg.Database.URL, Keys: keys, ReadOnly: readOnly})
	if err != nil {
		return nil, nil, err
	}
	a.onClose(st.Close)
	return control.New(st, a.cat, a.language(), a.now), cfg, nil
}

// actor is who sits at this shell.
func (a *app) actor(reason string) control.Actor {
	by := control.Actor{Reason: reason}
	if u, err := user.Current(); err == nil {
		by.Who = u.Username
	}
	if by.Who == "" {
		by.Who = "uid " + strconv.Itoa(os.Getuid())
	}
	// With sudo the name behind it is the one that matters.
	if real, ok := a.env("SUDO_USER"); ok && real != "" && real != by.Who {
		by.Who = real + " (" + by.Who + ")"
	}
	by.Host, _ = os.Hostname()
	return by
}
