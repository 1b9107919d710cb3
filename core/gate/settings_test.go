package gate_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

var update = flag.Bool("update", false, "rewrite the documentation")

// TestTheDocumentationListsEverySetting compares the table of docs/configuration.md with the one of the program.
func TestTheDocumentationListsEverySetting(t *testing.T) {
	const file, begin, end = "../../docs/configuration.md", "<!-- settings -->\n", "<!-- end of settings -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), begin)
	table, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the settings", file)
	}
	want := "| setting | flag | variable | GitHub's input | default | on a change |\n|---|---|---|---|---|---|\n"
	code := func(prefix, name string) string {
		if name == "" {
			return ""
		}
		return "`" + prefix + name + "`"
	}
	for _, s := range gate.Settings() {
		want += fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", s.Key, code("--", s.Flag), code("", s.Variable), code("", s.Input), s.Default, s.OnChange)
	}
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of the program; run the test with -update. Want\n%s", file, want)
	}
	if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	read := map[string]bool{"CLEANBILL_CACHE_DIR": true, "CLEANBILL_ADVISORIES": true, "SONAR_TOKEN": true} // by the gate itself
	notes := func(name string) string { read[name] = true; return "" }
	gate.EnvironmentInputs(notes)
	if _, err := gate.EnvironmentSigning(notes); err != nil {
		t.Fatal(err)
	}
	for _, s := range gate.Settings() {
		if s.Variable != "" && !read[s.Variable] {
			t.Errorf("%s is not read", s.Variable)
		}
		delete(read, s.Variable)
	}
	for name := range read {
		t.Errorf("%s is read and is no setting", name)
	}
}

// A setting that can loosen a verdict needs a word with which a policy can leave it to flags, and each word a setting.
func TestWhatLoosensCanBeAllowed(t *testing.T) {
	for _, word := range policy.Allowable() {
		if !slices.ContainsFunc(gate.Settings(), func(s gate.Setting) bool { return s.Key == word }) {
			t.Errorf("a policy can allow %s, which nothing sets", word)
		}
	}
	for _, s := range gate.Settings() {
		if strings.Contains(s.OnChange, "`allow`") && s.Key != "config" && !slices.Contains(policy.Allowable(), s.Key) {
			t.Errorf("no policy can allow %s", s.Key)
		}
	}
}
