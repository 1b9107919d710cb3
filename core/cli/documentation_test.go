package cli

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

var update = flag.Bool("update", false, "rewrite the documentation")

// documented are the commands whose flags docs/configuration.md lists. One that is like another has its flags and reads
// its variables; of the others, variables are the flags whose variables they read.
var documented = []struct {
	command, like string
	variables     []string
}{
	{command: "sign", like: "gate"},
	{command: "promote", like: "gate"},
	{command: "verify"},
	{command: "audit", variables: []string{"policy", "config", "advisories", "offline", "limit"}},
	{command: "find", like: "audit"},
}

// TestTheDocumentationListsEveryFlag compares the lists of docs/configuration.md with the commands.
func TestTheDocumentationListsEveryFlag(t *testing.T) {
	const file, begin, end = "../../docs/configuration.md", "<!-- flags -->\n", "<!-- end of flags -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), begin)
	lists, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the flags", file)
	}
	var want strings.Builder
	for _, d := range documented {
		cmd := commandNamed(t, d.command)
		if d.like != "" {
			likeAnother(&want, cmd, commandNamed(t, d.like))
		} else {
			flagTable(&want, cmd, d.variables)
		}
	}
	if lists == want.String() {
		return
	}
	if !*update {
		t.Fatalf("the lists in %s are not those of the program; run the test with -update. Want\n%s", file, want.String())
	}
	if err := os.WriteFile(file, []byte(head+begin+want.String()+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func commandNamed(t *testing.T, name string) *cobra.Command {
	t.Helper()
	p := &Program{Getenv: func(string) string { return "" }, Now: time.Now}
	cmd, _, err := p.root().Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// likeAnother lists what a command has besides the flags of another, and which of those it has not.
func likeAnother(w *strings.Builder, cmd, like *cobra.Command) {
	var without []string
	like.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if cmd.LocalFlags().Lookup(f.Name) == nil {
			without = append(without, "`--"+f.Name+"`")
		}
	})
	fmt.Fprintf(w, "### %s\n\nThe flags of `%s` and their variables", cmd.Name(), like.Name())
	if len(without) > 0 {
		fmt.Fprintf(w, ", without %s", strings.Join(without, ", "))
	}
	fmt.Fprint(w, ". Besides:\n\n")
	rows(w, cmd, func(f *pflag.Flag) (string, bool) { return "", like.LocalFlags().Lookup(f.Name) == nil })
}

// flagTable lists all the flags of a command, each with the variable that says the same.
func flagTable(w *strings.Builder, cmd *cobra.Command, variables []string) {
	fmt.Fprintf(w, "### %s\n\n", cmd.Name())
	rows(w, cmd, func(f *pflag.Flag) (string, bool) {
		for _, s := range gate.Settings() {
			if s.Flag == f.Name && slices.Contains(variables, f.Name) {
				return s.Variable, true
			}
		}
		return "", f.Name != "help"
	})
}

func rows(w *strings.Builder, cmd *cobra.Command, of func(*pflag.Flag) (variable string, wanted bool)) {
	fmt.Fprint(w, "| flag | variable | meaning |\n|---|---|---|\n")
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		variable, wanted := of(f)
		if !wanted {
			return
		}
		if variable != "" {
			variable = "`" + variable + "`"
		}
		name, usage := pflag.UnquoteUsage(f)
		if f.Value.Type() == "bool" {
			name = ""
		}
		if f.DefValue != "" && !slices.Contains([]string{"false", "0", "[]"}, f.DefValue) {
			usage += " (default: " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", strings.TrimSpace("--"+f.Name+" "+name), variable, strings.ReplaceAll(usage, "|", `\|`))
	})
	fmt.Fprintln(w)
}

// Whoever verifies names the key, and no variable does it for them: that of signing has the private one.
func TestOnlyTheVariablesThatAreDocumentedAreRead(t *testing.T) {
	for _, d := range documented {
		if d.like != "" {
			continue
		}
		read := map[string]bool{}
		var said strings.Builder
		p := Program{Stdout: &said, Stderr: &said, Now: time.Now, Getenv: func(name string) string { read[name] = true; return "" }}
		p.Main(t.Context(), []string{d.command, "127.0.0.1:1/app:1", "--key", "none.pub"})
		for _, s := range gate.Settings() {
			if slices.Contains(d.variables, s.Flag) && s.Variable != "CLEANBILL_ADVISORIES" && !read[s.Variable] {
				t.Errorf("%s does not read %s", d.command, s.Variable)
			}
			if len(d.variables) == 0 && s.Flag != "" && read[s.Variable] {
				t.Errorf("%s reads %s", d.command, s.Variable)
			}
		}
	}
}
