package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pabal/config"
	"pabal/internal/fault"
)

// newRoot is the command line. A new subcommand is one line here and one file.
func newRoot(a *app, args []string) *cobra.Command {
	wanted := languageFlag(args)
	a.lang = wanted
	root := &cobra.Command{
		Use:           "pabal",
		SilenceErrors: true, // finish prints them once
		SilenceUsage:  true, // a failed transfer is not a reason to print the flags
		Args:          noUnknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&a.lang, "lang", defaultLang(os.Getenv), a.text("ui.flag.lang"))
	if wanted != "" {
		a.lang = wanted // the texts below are made before the line is parsed
	}
	flags.BoolVar(&a.json, "json", false, a.text("ui.flag.json"))
	a.json = given(args, "--json") // also when the line turns out to be wrong
	flags.StringVarP(&a.configPath, "config", "c", "pabal.yaml", a.text("ui.flag.config"))
	flags.BoolP("help", "h", false, a.text("ui.flag.help"))
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.lang != "ko" && a.lang != "en" {
			return usageError{fault.New(codeLanguage, a.lang)}
		}
		a.environment = config.Environment(a.configPath) // of errors that come before more is known
		return nil
	}
	root.SetUsageFunc(a.usage)

	root.AddCommand(
		newInit(a),
		newCheck(a),
		newConfig(a),
		newRun(a),
		newStatus(a),
		newTransfer(a),
		newApprove(a),
		newAudit(a),
		newSession(a),
		newProfile(a),
		newRecover(a),
		newSimulate(a),
		newSample(a),
		newMigrate(a),
		newDemo(a),
		newBench(a),
		newVersion(a),
	)
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
	a.describe(root, "pabal")
	return root
}

// describe gives a command its texts in the user's language.
func (a *app) describe(cmd *cobra.Command, name string) *cobra.Command {
	cmd.DisableFlagsInUseLine = true
	cmd.Short = a.text(fault.Code("ui.short." + name))
	cmd.Long = strings.TrimRight(a.text(fault.Code("ui.long."+name)), "\n")
	return cmd
}

// flagError says in our words what the flag library found.
func flagError(_ *cobra.Command, err error) error {
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = "-" + unknown.GetSpecifiedName()
		}
		return usageError{fault.New(codeUnknownFlag, name)}
	case errors.As(err, &missing):
		return usageError{fault.New(codeFlagNeedsValue, "--"+missing.GetFlag().Name)}
	case errors.As(err, &invalid):
		return usageError{fault.New(codeFlagValue, "--"+invalid.GetFlag().Name, "value", invalid.GetValue())}
	}
	return usageError{fault.New(codeLine, err.Error())}
}

// noUnknownCommand refuses words that are not a subcommand, with the ones that
// may have been meant.
func noUnknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		return usageError{fault.New(codeUnknownCommandNear, args[0], "near", strings.Join(s, ", "), "command", cmd.CommandPath())}
	}
	return usageError{fault.New(codeUnknownCommand, args[0], "command", cmd.CommandPath())}
}

// group is a command that only has subcommands.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = noUnknownCommand
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// usage makes what an argument check of cobra refuses a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fault.New(codeArguments, strings.Join(args, " "), "usage", cmd.UseLine())}
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
