package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
)

// refuseEmpty refuses flags and arguments that say nothing. They come from variables that are not set, and a demand that
// is silently none would pass what it is there to stop.
func refuseEmpty(cmd *cobra.Command, args []string) error {
	if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
		return nil // a shell asks how an empty word could go on
	}
	const hint = "check the variable that it is made of, or leave it out"
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		empty := f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			empty = slices.Contains(list.GetSlice(), "")
		}
		if empty && err == nil {
			err = &core.Failure{Doing: "understand --" + f.Name, Err: errors.New("its value is empty"), Hint: hint, Usage: true}
		}
	})
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		args = args[:dash] // what follows is another program's
	}
	if err == nil && slices.Contains(args, "") {
		err = &core.Failure{Doing: "start", Err: fmt.Errorf("an argument of %s is empty", cmd.CommandPath()), Hint: hint, Usage: true}
	}
	return err
}

// flagError says what is wrong with a flag, and which one may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	hint := "see: " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
		if near := nearest.To(unknown.GetSpecifiedName(), flags, 1); len(near) > 0 {
			hint = "did you mean --" + near[0] + "? " + hint
		}
	}
	return &core.Failure{Doing: "understand the command line", Err: err, Usage: true, Hint: hint}
}

// ageFlag is how old something may be: days, or what time.ParseDuration reads. It has no way to say "any age", because
// that is what leaving the flag out says.
type ageFlag struct{ age *time.Duration }

var inDays = regexp.MustCompile(`^[0-9]{1,5}d$`)

// String implements pflag.Value.
func (f ageFlag) String() string {
	switch {
	case f.age == nil || *f.age == 0:
		return ""
	case *f.age%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", *f.age/(24*time.Hour))
	}
	return f.age.String()
}

// Set implements pflag.Value.
func (f ageFlag) Set(s string) (err error) {
	var age time.Duration
	if inDays.MatchString(s) {
		days, _ := strconv.Atoi(strings.TrimSuffix(s, "d")) // five digits
		age = time.Duration(days) * 24 * time.Hour
	} else if age, err = time.ParseDuration(s); err != nil {
		return errors.New("an age is days or hours, such as 7d or 36h")
	}
	if age <= 0 {
		return errors.New("an age is more than nothing")
	}
	*f.age = age
	return nil
}

// Type implements pflag.Value.
func (f ageFlag) Type() string { return "age" }
