package policy

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/version"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// upgradeKey is what one upgrade changes: one version of a package or, for distributions, of a source package.
type upgradeKey struct {
	subject   core.Digest
	ecosystem string
	name      string
	version   string
}

// upgradeGroup gathers the refused findings that one upgrade removes.
type upgradeGroup struct {
	findings []*core.Finding
	packages []*core.Package
}

// upgrades returns the smallest set of upgrades that removes the refusals which have a fix: one for each package, to
// the lowest version that fixes all of its refused findings. The worst come first.
func (j *judgement) upgrades(refusals []core.Outcome) []core.Upgrade {
	if len(refusals) == 0 {
		return nil
	}
	refused := make(map[refusalKey]bool, len(refusals))
	for _, r := range refusals {
		refused[refusalKey{r.Subject, r.Fingerprint}] = true
	}
	groups := map[upgradeKey]*upgradeGroup{}
	for i := range j.evidence.Findings {
		f := &j.evidence.Findings[i]
		if !upgradable(f) || !refused[refusalKey{f.Subject, f.Fingerprint}] {
			continue
		}
		pkg := j.packageOf(f)
		key := keyOf(f, pkg)
		g := groups[key]
		if g == nil {
			g = &upgradeGroup{}
			groups[key] = g
		}
		g.findings, g.packages = append(g.findings, f), append(g.packages, pkg)
	}
	all := make([]core.Upgrade, 0, len(groups))
	for key, g := range groups {
		all = append(all, j.upgrade(key, g))
	}
	slices.SortFunc(all, func(a, b core.Upgrade) int {
		return cmp.Or(j.bySubject(a.Subject, b.Subject), cmp.Compare(b.Severity, a.Severity), cmp.Compare(len(b.Fixes), len(a.Fixes)),
			cmp.Compare(a.Package, b.Package), cmp.Compare(a.From, b.From), cmp.Compare(a.Ecosystem, b.Ecosystem))
	})
	return all
}

func upgradable(f *core.Finding) bool {
	return f.Package != nil && f.Fix.State == core.FixAvailable && len(fixesOf(f)) > 0
}

type refusalKey struct {
	subject     core.Digest
	fingerprint string
}

// packageOf returns the package of a finding, or what the finding itself says of it.
func (j *judgement) packageOf(f *core.Finding) *core.Package {
	if pkg := j.packages[packageKey{f.Subject, f.Package.Purl}]; pkg != nil {
		return pkg
	}
	return &core.Package{
		Name: f.Package.Name, Version: f.Package.Version, Purl: f.Package.Purl, Ecosystem: f.Package.Ecosystem,
		Locations: f.Locations, Origin: f.Origin,
	}
}

func keyOf(f *core.Finding, pkg *core.Package) upgradeKey {
	source := sourceOf(pkg)
	ecosystem := cmp.Or(pkg.Ecosystem, f.Package.Ecosystem)
	return upgradeKey{subject: f.Subject, ecosystem: ecosystem, name: source.Name, version: source.Version}
}

func fixesOf(f *core.Finding) []string {
	if len(f.Fix.Versions) > 0 {
		return f.Fix.Versions
	}
	if f.Fix.Version != "" {
		return []string{f.Fix.Version}
	}
	return nil
}

func (j *judgement) upgrade(key upgradeKey, g *upgradeGroup) core.Upgrade {
	u := core.Upgrade{
		Subject:   key.subject,
		Package:   key.name,
		Ecosystem: key.ecosystem,
		From:      key.version,
		To:        g.target(key),
		Severity:  core.SeverityUnknown,
	}
	names, transitive := []string{}, true
	for i, f := range g.findings {
		u.Severity = max(u.Severity, f.Severity)
		u.Fixes = append(u.Fixes, f.Fingerprint)
		u.Packages = append(u.Packages, f.Package.Purl)
		names = append(names, g.packages[i].Name)
		transitive = transitive && g.packages[i].Relation == core.RelationTransitive
		u.Base = cmp.Or(u.Base, j.baseThatBrings(g.packages[i]))
		if where := whereOf(g.packages[i]); u.Where == "" || where < u.Where {
			u.Where = where
		}
	}
	u.Fixes, u.Packages = sortedSet(u.Fixes), sortedSet(u.Packages)
	c := change{Upgrade: u, names: sortedSet(names), file: path.Base(u.Where), transitive: transitive}
	u.Command, u.Patch = c.command(), c.patch(g.packages)
	return u
}

// baseThatBrings names the base image of a distribution's package that one of its layers brings: building on a newer
// release of it may bring the fix. Where its registry was not asked, only the first layer is known to be of it.
func (j *judgement) baseThatBrings(p *core.Package) string {
	image := j.images[p.Subject]
	if image == nil || image.Base == nil || p.Origin == nil || !distribution(p.Ecosystem) ||
		p.Origin.Layer >= max(1, image.Base.Layers) {
		return ""
	}
	name := image.Base.Name
	if image.Base.Digest != "" && !strings.Contains(name, "@") {
		name = strings.TrimPrefix(name+"@"+string(image.Base.Digest), "@")
	}
	return cut(name)
}

// afterUpgrades is what a verdict with these upgrades would be. Two versions of a package have one fingerprint, and there
// may be an upgrade for only one of them.
func (j *judgement) afterUpgrades(v core.Verdict) *core.AfterUpgrades {
	if len(v.Upgrades) == 0 {
		return nil
	}
	fixed := map[refusalKey]bool{}
	for _, u := range v.Upgrades {
		for _, f := range u.Fixes {
			fixed[refusalKey{u.Subject, f}] = true
		}
	}
	stay, refused := map[refusalKey]bool{}, map[refusalKey]int{} // findings that no upgrade removes
	for i := range j.evidence.Findings {
		f := &j.evidence.Findings[i]
		if key := (refusalKey{f.Subject, f.Fingerprint}); fixed[key] && !upgradable(f) {
			stay[key] = true
			if j.refused[i] {
				refused[key]++
			}
		}
	}
	after := core.Verdict{Gaps: v.Gaps}
	for _, r := range v.Refusals {
		key := refusalKey{r.Subject, r.Fingerprint}
		switch {
		case r.Fingerprint == "" || !fixed[key], stay[key] && strings.HasPrefix(r.Rule, rego.Prefix):
		case refused[key] > 0:
			refused[key]--
		default:
			continue
		}
		after.Refusals = append(after.Refusals, r)
	}
	return &core.AfterUpgrades{Decision: decide(after), Refusals: len(after.Refusals), Gaps: len(after.Gaps)}
}

func sortedSet(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// whereOf says where the version is decided: the layer's history line for a distribution's package, otherwise the file.
func whereOf(p *core.Package) string {
	if distribution(p.Ecosystem) && p.Origin != nil {
		instruction := instructionOf(p.Origin.CreatedBy)
		if instruction == "" {
			return fmt.Sprintf("layer %d", p.Origin.Layer)
		}
		return cut(fmt.Sprintf("layer %d: %s", p.Origin.Layer, instruction))
	}
	return firstPath(p.Locations)
}

// instructionOf turns a history line into the instruction of the Dockerfile that people know: Docker's builders wrap it
// in a shell and add marks of their own.
func instructionOf(createdBy string) string {
	s := strings.TrimSuffix(strings.TrimSpace(createdBy), " # buildkit")
	if instruction, ok := strings.CutPrefix(s, "/bin/sh -c #(nop) "); ok {
		return strings.TrimSpace(instruction)
	}
	if shell, ok := strings.CutPrefix(strings.TrimPrefix(s, "RUN "), "/bin/sh -c "); ok {
		return "RUN " + shell
	}
	return s
}

// target is the lowest version that fixes every finding of the group. Candidates are the versions that fix one of
// them. The highest candidate always does; if versions cannot be compared it is the last one in the text's order, and
// so does not depend on the order of findings.
func (g *upgradeGroup) target(key upgradeKey) string {
	var candidates []string
	for _, f := range g.findings {
		candidates = append(candidates, fixesOf(f)...)
	}
	slices.SortFunc(candidates, func(a, b string) int { return cmp.Or(compareVersions(a, b, key.ecosystem), cmp.Compare(a, b)) })
	candidates = slices.Compact(candidates)
	for _, candidate := range candidates {
		if compareVersions(candidate, key.version, key.ecosystem) > 0 && g.fixedBy(candidate, key.ecosystem) {
			return candidate
		}
	}
	return candidates[len(candidates)-1]
}

func (g *upgradeGroup) fixedBy(version, ecosystem string) bool {
	for _, f := range g.findings {
		if !fixes(version, fixesOf(f), ecosystem) {
			return false
		}
	}
	return true
}

// fixes reports whether a version is known to be fixed, given the versions that fix the flaw in one release branch
// each. From the last fix on everything is fixed. Below it, a version counts as fixed by the fix next below it only if
// it is of that fix's branch: between 1.2.5 and 2.0.4, 1.3.0 is fixed and 2.0.1 is not.
func fixes(version string, fixed []string, ecosystem string) bool {
	below, above := "", ""
	for _, f := range fixed {
		if c := compareVersions(f, version, ecosystem); c <= 0 {
			if below == "" || compareVersions(f, below, ecosystem) > 0 {
				below = f
			}
		} else if above == "" || compareVersions(f, above, ecosystem) < 0 {
			above = f
		}
	}
	return below != "" && (above == "" || sameBranch(version, below, above))
}

// sameBranch reports whether version agrees with fix in the first component by which fix and the next fix differ, and
// in those before it.
func sameBranch(version, fix, next string) bool {
	v, f, n := components(version), components(fix), components(next)
	for i := range f {
		if i >= len(v) || v[i] != f[i] {
			return false
		}
		if i >= len(n) || n[i] != f[i] {
			return true
		}
	}
	return false
}

func components(version string) []string {
	return strings.FieldsFunc(version, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// compareVersions orders two versions as their ecosystem does. Where that is unknown, or a version does not parse, it
// compares their numbers.
func compareVersions(a, b, ecosystem string) int {
	if a == b {
		return 0
	}
	if order, ok := version.For(ecosystem); ok {
		v, err := order.Parse(a)
		w, other := order.Parse(b)
		if err == nil && other == nil {
			if c, err := v.Compare(w); err == nil {
				return c
			}
		}
	}
	return slices.CompareFunc(components(a), components(b), compareComponents)
}

func compareComponents(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if digits(a) && digits(b) {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
