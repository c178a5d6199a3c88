package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/internal/fault"
	"pabal/naming"
	"pabal/protocol"
)

// newProfile shows and proves profiles.
func newProfile(a *app) *cobra.Command {
	cmd := group(a.describe(&cobra.Command{Use: "profile"}, "profile"))
	cmd.AddCommand(
		a.describe(&cobra.Command{
			Use: "list", Args: usage(cobra.NoArgs),
			RunE: func(*cobra.Command, []string) error { return a.profileList() },
		}, "profile_list"),
		a.describe(&cobra.Command{
			Use: "show PROFILE", Args: usage(cobra.ExactArgs(1)),
			RunE: func(_ *cobra.Command, args []string) error { return a.profileShow(args[0]) },
		}, "profile_show"),
		a.describe(&cobra.Command{
			Use: "check PROFILE", Args: usage(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error { return a.profileCheck(cmd.Context(), args[0]) },
		}, "profile_check"),
		newProfileDecode(a),
	)
	return cmd
}

// newLibrary has the profiles that come with the program, and judges how each
// makes names.
func newLibrary() *protocol.Library {
	lib := protocol.NewLibrary()
	lib.CheckNames(naming.ScriptExpected)
	return lib
}

// library has the profiles that come with the program and those in the
// directory that the configuration names, if there is one here.
func (a *app) library() (*protocol.Library, error) {
	cfg, err := a.configHere()
	if err != nil || cfg == nil {
		return newLibrary(), err
	}
	return libraryOf(cfg)
}

// configHere is the configuration of this place, nil without one.
func (a *app) configHere() (*config.Config, error) {
	if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	a.enterFile(a.out)
	return config.Load(a.configPath, a.env)
}

// libraryOf has the profiles of a configuration.
func libraryOf(cfg *config.Config) (*protocol.Library, error) {
	lib := newLibrary()
	if cfg.Profiles.Directory == "" {
		return lib, nil
	}
	w := &wiring{cfg: cfg}
	w.ownProfiles("profiles.directory", cfg.Profiles.Directory, lib)
	return lib, cfg.Report(w.problems)
}

// profile is one by name, or one in a file.
func (a *app) profile(name string) (*protocol.Profile, error) {
	lib, err := a.library()
	if err != nil {
		return nil, err
	}
	if filepath.Ext(name) == ".yaml" {
		return addFile(lib, name)
	}
	return lib.Load(name)
}

// addFile is the profile of a file, which may extend those of lib.
func addFile(lib *protocol.Library, file string) (*protocol.Profile, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(codeProfileDirectory, file).Because(err)
	}
	name, err := lib.Add(file, text)
	if err != nil {
		return nil, err
	}
	return lib.Load(name)
}

// title is the profile's own, in the user's language.
func (a *app) title(p *protocol.Profile) string {
	if t := p.Title[string(a.language())]; t != "" {
		return t
	}
	return p.Title["en"]
}

func (a *app) profileList() error {
	lib, err := a.library()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, name := range lib.Names() {
		p, err := lib.Load(name)
		if err != nil {
			return err
		}
		if a.json {
			line := map[string]any{"profile": name, "title": a.title(p), "certainty": p.Certainty, "source": p.Source, "notes": p.Notes}
			if err := a.writeJSON(a.out, line); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{name, a.text(fault.Code("ui.profile.certainty." + p.Certainty)), a.title(p)})
	}
	if a.json {
		return nil
	}
	return writeTable(a.out, "", []string{a.text("ui.profile.name"), a.text("ui.profile.certainty"), a.text("ui.profile.title")}, rows)
}

func (a *app) profileShow(name string) error {
	p, err := a.profile(name)
	if err != nil {
		return err
	}
	users, err := a.usersOf(p)
	if err != nil {
		return err
	}
	page := p.Page(string(a.language()))
	if a.json {
		return a.writeJSON(a.out, map[string]any{"profile": p.Name, "title": a.title(p), "certainty": p.Certainty, "page": page, "institutions": users})
	}
	if _, err = fmt.Fprint(a.out, page); err != nil {
		return err
	}
	return a.showUsers(users)
}

// profileUser is an institution of a profile, and the business code that it has.
type profileUser struct {
	Institution string `json:"institution"`
	Name        string `json:"name,omitempty"`
	Business    string `json:"business,omitempty"`
}

// usersOf are the institutions of this place's configuration that speak p.
func (a *app) usersOf(p *protocol.Profile) ([]profileUser, error) {
	cfg, err := a.configHere()
	if err != nil || cfg == nil {
		return nil, err
	}
	var out []profileUser
	for _, in := range cfg.Institutions {
		if in.Profile == p.Name {
			out = append(out, profileUser{in.Code, in.Name, cmp.Or(in.Business, p.Business())})
		}
	}
	return out, nil
}

func (a *app) showUsers(users []profileUser) error {
	if len(users) == 0 {
		return nil
	}
	rows := make([][]string, len(users))
	for n, u := range users {
		rows[n] = []string{u.Institution, u.Name, u.Business}
	}
	fmt.Fprintf(a.out, "\n## %s\n\n", a.text("ui.profile.users"))
	return writeTable(a.out, "", []string{a.text("ui.profile.institution"), a.text("ui.profile.name"), a.text("ui.profile.business")}, rows)
}
