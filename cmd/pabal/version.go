package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:  "version",
		Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			// Beside a configuration it says whose it is.
			if a.json {
				return a.writeJSON(a.out, map[string]string{
					"version": version,
					"go":      runtime.Version(),
					"os":      runtime.GOOS,
					"arch":    runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(a.out, "pabal %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			a.enterFile(a.out)
			return err
		},
	}
	return a.describe(cmd, "version")
}
