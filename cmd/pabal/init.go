package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pabal/config"
	"pabal/filemgr"
	"pabal/internal/fault"
	"pabal/internal/place"
)

func newInit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:  "init DIR",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.initDir(cmd.Context(), args[0]) },
	}
	return a.describe(cmd, "init")
}

// initDir writes the commented example and makes the directories that it
// names. A configuration that is there is never touched.
func (a *app) initDir(_ context.Context, dir string) error {
	if err := filemgr.MakeDir(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, "pabal.yaml")
	err := place.Create(path, func(w io.Writer) error {
		_, err := io.WriteString(w, config.Example(string(a.language())))
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return fault.New(codeExists, path)
	}
	if err != nil {
		return fault.New(codeCannotWrite, path).Because(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	a.enter(cfg)
	made := []string{cfg.System.Scan, cfg.System.Work, cfg.System.Receive, cfg.System.Result}
	for _, d := range made {
		if d == "" {
			continue
		}
		if err := filemgr.MakeDir(d); err != nil {
			return err
		}
	}
	if a.json {
		return a.writeJSON(a.out, map[string]any{"config": path, "directories": made})
	}
	fmt.Fprintln(a.out, a.text("ui.init.wrote", "path", path))
	for _, d := range made {
		if d != "" {
			fmt.Fprintln(a.out, "  "+d+string(os.PathSeparator))
		}
	}
	_, err = fmt.Fprintln(a.out, a.text("ui.init.then", "path", path))
	return err
}
