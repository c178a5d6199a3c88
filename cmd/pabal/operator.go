package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"

	"pabal/config"
	"pabal/control"
	"pabal/internal/fault"
	"pabal/store"
	"pabal/transfer"
)

// control opens the database beside the running server. Only the address is
// needed of the configuration, so it is not proven further: an operator must
// be able to look while somebody edits the file.
func (a *app) control(ctx context.Context, readOnly bool) (*control.Control, *config.Config, error) {
	cfg, err := config.Load(a.configPath, nil) // the operator's shell does not have the server's secrets
	if err == nil {
		return a.controlOf(ctx, cfg, nil, readOnly)
	}
	// The active version counts, not what stands in the file beside the host's part.
	file, ferr := config.ReadFile(a.configPath)
	if ferr != nil {
		return nil, nil, err
	}
	own, herr := file.Host(nil)
	if herr != nil {
		return nil, nil, err
	}
	c, cfg, cerr := a.controlOf(ctx, own, nil, readOnly)
	if cerr != nil || !cfg.Complete() {
		return nil, nil, errors.Join(err, cerr)
	}
	return c, cfg, nil
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
	a.enter(cfg)
	o := operatorsStore(cfg, readOnly)
	o.Keys = keys
	if !readOnly {
		a.beside(cfg, &o)
	}
	st, err := store.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	a.onClose(st.Close)
	if o.Witness != nil {
		if _, err := st.Recognise(ctx, a.now().UTC(), cfg.Host); err != nil {
			return nil, nil, err
		}
	}
	return control.New(st, a.cat, a.language(), a.now).At(cfg.Host), a.inForce(ctx, st, cfg), nil
}

// actor is who sits at this shell: the user that the program runs as and,
// where it can be found out, the one who logged in. The host has the name that
// its configuration gives it, as everywhere else. docs/operations.md says
// what that proves and what not.
func (a *app) actor(reason string) control.Actor {
	by := control.Actor{Who: userName(strconv.Itoa(os.Geteuid())), Reason: strings.TrimSpace(reason)}
	if login := loginUser(); login != "" {
		by.Login, by.LoginBy = login, transfer.ByKernel
	} else if sudo, ok := a.env("SUDO_USER"); ok && sudo != "" {
		by.Login, by.LoginBy = sudo, transfer.ByCaller
	}
	if by.Login == by.Who && by.LoginBy == transfer.ByCaller {
		by.Login, by.LoginBy = "", "" // it says nothing
	}
	if by.Host = a.host; by.Host == "" {
		by.Host, _ = os.Hostname()
	}
	return by
}

// userName is the name of a user id, or the id where it has none.
func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "uid " + uid
}

// loginUser is who logged in by the word of the kernel: the login uid is set
// once and stays through su and sudo. Services and containers mostly have
// none, and other systems never do.
func loginUser() string {
	text, err := os.ReadFile("/proc/self/loginuid")
	uid := strings.TrimSpace(string(text))
	if err != nil || uid == "" || uid == "4294967295" {
		return ""
	}
	return userName(uid)
}

// orderError makes a missing reason what it is: a command line that is wrong.
func orderError(err error) error {
	if fault.CodeOf(err) == control.CodeReasonMissing {
		return usageError{err}
	}
	return err
}
