package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"pabal/config"
)

func newVersion(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:  "version",
		Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			// Beside a configuration it says whose it is.
			a.environment = config.Environment(a.configPath)
			if a.json {
				return a.writeJSON(a.out, map[string]string{
					"version": version,
					"go":      runtime.Version(),
					"os":      runtime.GOOS,
					"arch":    runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(a.out, "pabal %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if err == nil && a.environment != "" {
				_, err = fmt.Fprintln(a.out, a.text("ui.environment.of", "environment", a.environmentWord(a.environment), "config", a.configPath))
			}
			return err
		},
	}
	return a.describe(cmd, "version")
}
