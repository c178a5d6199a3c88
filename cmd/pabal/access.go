package main

import (
	"io/fs"
	"os/user"
	"strconv"

	"pabal/config"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/internal/place"
)

// access turns the configured access into that of the packages.
func (w *wiring) access() instance.Access {
	a := w.cfg.Access
	general := config.Rights{Mode: a.Mode, Directory: a.Directory, Owner: a.Owner, Group: a.Group}
	of := func(key string, r config.Rights) place.Access { return w.rights("access."+key, r, general) }
	return instance.Access{
		Work: of("work", a.Work), Receive: of("receive", a.Receive), Backup: of("backup", a.Backup),
		Error: of("error", a.Error), Result: of("result", a.Result),
	}
}

func (w *wiring) rights(path string, r, general config.Rights) place.Access {
	at := func(own bool, key string) string {
		if own {
			return path + "." + key
		}
		return "access." + key
	}
	owner, group := r.Owner, r.Group
	if owner == "" {
		owner = general.Owner
	}
	if group == "" {
		group = general.Group
	}
	a := place.Access{File: fs.FileMode(or(r.Mode, general.Mode)), Dir: fs.FileMode(or(r.Directory, general.Directory)), UID: -1, GID: -1}
	a.Strict = a.File != 0 || a.Dir != 0 || owner != "" || group != ""
	if owner != "" {
		a.Own = true
		u, err := user.Lookup(owner)
		if err == nil {
			a.UID, err = strconv.Atoi(u.Uid)
		}
		if err != nil {
			w.bad(at(r.Owner != "", "owner"), fault.New(codeNoUser, owner).Because(err))
		}
	}
	if group != "" {
		a.Own = true
		g, err := user.LookupGroup(group)
		if err == nil {
			a.GID, err = strconv.Atoi(g.Gid)
		}
		if err != nil {
			w.bad(at(r.Group != "", "group"), fault.New(codeNoGroup, group).Because(err))
		}
	}
	return a
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
