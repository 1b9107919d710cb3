package hook

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// format is one form of report that is read.
type format struct {
	name string
	// what it is, for people.
	what string
	read func(in input, b *builder) error
}

// formats returns all of them.
func formats() []format {
	return []format{
		{"sarif", "SARIF 2.1.0", readSARIF},
		{"aqua", "the Aqua scanner's JSON", readAqua},
		{"bandit", "bandit -f json", readBandit},
		{"bandit-xml", "bandit -f xml", readBanditXML},
		{"checkstyle", "Checkstyle's XML, which many linters write", readCheckstyle},
		{"cppcheck", "cppcheck --xml", readCppcheck},
		{"eslint", "eslint -f json", readESLint},
		{"gitlab", "GitLab's reports of SAST, secrets, containers and dependencies", readGitLab},
		{"gosec", "gosec -fmt json", readGosec},
		{"govulncheck", "govulncheck -json", readGovulncheck},
		{"grype", "grype -o json", readGrype},
		{"npm-audit", "npm audit --json", readNPMAudit},
		{"rubocop", "rubocop --format json", readRuboCop},
		{"shellcheck", "shellcheck -f json or json1", readShellCheck},
		{"snyk", "snyk test --json, snyk container test --json", readSnyk},
		{"sonarqube", "SonarQube's generic issues", readSonarQube},
		{"trivy", "trivy --format json", readTrivy},
	}
}

// Formats returns the names of all formats that are read.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Read reads the results of a tool, whatever of the known formats they are in. Roots are where the tool saw the tree.
// The error says what is wrong with the report, and where; nothing of such a report may be believed to be all there is.
func Read(src io.ReadSeeker, roots ...string) (Report, error) {
	name, err := sniff(input{src})
	if err != nil {
		return Report{}, err
	}
	return ReadAs(name, src, roots...)
}

// ReadAs reads the results of a tool in the named format.
func ReadAs(name string, src io.ReadSeeker, roots ...string) (Report, error) {
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.name == name })
	if i < 0 {
		return Report{}, fmt.Errorf("%q is no format that is read: want one of %s", name, strings.Join(Formats(), ", "))
	}
	b := &builder{}
	for _, root := range roots {
		b.roots = b.roots.With(root)
	}
	if err := all[i].read(input{src}, b); err != nil {
		return Report{}, fmt.Errorf("as %s: %w", all[i].what, err)
	}
	return b.report(name)
}

func unknown(why string) error {
	var list []string
	for _, f := range formats() {
		list = append(list, f.what)
	}
	return errors.New(why + "; read are " + strings.Join(list, "; "))
}

// readSARIF reads what most analysers write.
func readSARIF(in input, b *builder) error {
	runs, err := sarif.Read(in.src, sarif.Options{Roots: b.roots}, func(f core.Finding) error { return b.add(f) })
	if err != nil {
		return err
	}
	for i := range runs {
		run := &runs[i]
		b.tool(run.Tool, run.Version)
		for _, why := range run.Gaps {
			b.gap("%s", why)
		}
		if run.Image.Name != "" || len(run.Image.Digests) > 0 {
			b.about.Image, b.about.Name = true, line(run.Image.Name)
			for _, d := range run.Image.Digests {
				b.about.add(digestOf(d))
			}
		}
	}
	return nil
}

// add notes a digest that the report names.
func (a *About) add(d core.Digest) {
	if d != "" && !slices.Contains(a.Digests, d) {
		a.Digests = append(a.Digests, d)
	}
}

// readGovulncheck reads which flaws code can run into.
func readGovulncheck(in input, b *builder) error {
	text, err := in.text()
	if err != nil {
		return err
	}
	r, err := Govulncheck(text)
	if err != nil {
		return err
	}
	b.tool(r.Tool, r.Version)
	b.reach = r.Reach
	return nil
}
