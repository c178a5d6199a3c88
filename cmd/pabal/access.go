package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	if a.Own {
		key := "owner"
		if owner == "" {
			key = "group"
		}
		own := r.Owner
		if key == "group" {
			own = r.Group
		}
		w.given = append(w.given, ownership{at(own != "", key), owner, group, a})
	}
	return a
}

// ownership says to whom files of one kind are given.
type ownership struct {
	path         string // of the key
	owner, group string
	access       place.Access
}

// checkOwners tries whether we may give files to whom they are to belong: what
// that takes (root, a group, a capability) only the kernel knows.
func (s *site) checkOwners() []fault.Problem {
	var out []fault.Problem
	probe := filepath.Join(s.cfg.System.Work, ".pabal-owner")
	for _, g := range s.given {
		if slices.ContainsFunc(out, func(p fault.Problem) bool { return p.Path == g.path }) {
			continue
		}
		f, err := g.access.Open(probe)
		if err == nil {
			err = errors.Join(f.Close(), os.Remove(probe))
		}
		if errors.Is(err, fs.ErrPermission) && s.canWrite(probe) { // or else the directory is the trouble, and said elsewhere
			out = append(out, fault.Problem{Path: g.path, Err: fault.New(codeCannotGive, g.path, "owner", dash(g.owner), "group", dash(g.group)).Because(err)})
		}
	}
	return out
}

func (s *site) canWrite(probe string) bool {
	f, err := os.OpenFile(probe, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	return err == nil && errors.Join(f.Close(), os.Remove(probe)) == nil
}

// checkDatabaseFiles finds a database that others on the machine can read or
// write: names and, without a key, content stand in it.
func (s *site) checkDatabaseFiles() []fault.Problem {
	path, ok := strings.CutPrefix(s.cfg.Database.URL, "sqlite:")
	if !ok {
		return nil
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			return []fault.Problem{{Path: "database.url", Err: fault.New(codeOpenDatabase, name, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))}}
		}
	}
	return nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
