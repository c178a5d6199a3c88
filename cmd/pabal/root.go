package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// newRoot is the command line. A new subcommand is one line here and one file.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "pabal",
		Short:         "Carry batch files between a bank and its counterparties",
		SilenceErrors: true, // finish prints them once
		SilenceUsage:  true, // a failed transfer is not a reason to print the flags
		Args:          noUnknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	flags := root.PersistentFlags()
	flags.StringVar(&a.lang, "lang", defaultLang(os.Getenv), "language of messages: ko or en (default from LANG)")
	flags.BoolVar(&a.json, "json", false, "print JSON, for programs")
	flags.StringVarP(&a.configPath, "config", "c", "", "configuration `file`")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.lang != "ko" && a.lang != "en" {
			return usageError{fmt.Errorf("--lang %q: the languages are ko and en", a.lang)}
		}
		return nil
	}

	root.AddCommand(
		newVersion(a),
	)
	return root
}

// noUnknownCommand refuses words that are not a subcommand, with the ones that
// may have been meant.
func noUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	msg := fmt.Sprintf("there is no command %q", args[0])
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		msg += "; did you mean " + strings.Join(s, " or ") + "?"
	}
	return usageError{fmt.Errorf("%s (pabal --help lists them)", msg)}
}

// usage makes what an argument check of cobra refuses a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// defaultLang follows the POSIX order of the locale variables.
func defaultLang(getenv func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if strings.HasPrefix(v, "ko") {
				return "ko"
			}
			return "en"
		}
	}
	return "en"
}
