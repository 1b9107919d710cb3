package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagejson"
	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
)

// The codes of a list of packages that is empty, for policies that accept it.
const (
	// CodeNoPackages marks an image of files that nobody knows: without any package, or without those of its distribution.
	CodeNoPackages = "no-packages"
	CodeEmptyImage = "empty-image" // there is no file at all
	CodeEmptyTree  = "empty-tree"  // nor in a source tree, apart from what git keeps
	// CodeRemovedDatabase marks an image that has lost all packages of a database of its distribution: what was removed
	// is the database, and that is known to make scanners see nothing.
	CodeRemovedDatabase = "removed-database"
)

// Finish completes the packages of a whole run, after the last file was read: packages of distributions get the
// distribution's ecosystem and package URL, the copies of one package become one, and the examinations say what is
// missing. It may be called once for each Evidence.
func Finish(e *core.Evidence) {
	facts := make(map[core.Digest]*core.ImageFacts, len(e.Images))
	for i := range e.Images {
		facts[e.Images[i].Subject] = &e.Images[i]
	}
	e.Packages = dropResolved(e.Packages)
	system := make(map[core.Digest]systemPackages)
	for i := range e.Packages {
		p := &e.Packages[i]
		if !isDistribution(purlType(p.Purl)) {
			continue
		}
		n := system[p.Subject]
		n.all++
		n.deb.add(*p)
		if f := facts[p.Subject]; f != nil && f.Distro != nil && !qualify(p, *f.Distro) {
			n.foreign++
		}
		system[p.Subject] = n
	}
	e.Packages = merge(e.Packages)
	for _, s := range e.Subjects {
		if s.Kind != core.KindImage && s.Kind != core.KindSource {
			continue
		}
		examine(e, distroExamination(s, facts[s.Digest], system[s.Digest]))
		examine(e, packagesExamination(s, facts[s.Digest], e.Packages))
	}
}

// systemPackages counts the packages of distributions in one subject.
type systemPackages struct {
	all     int
	foreign int // that cannot be the distribution's that os-release names
	deb     debMarks
}

// qualify adds to a package of a distribution what os-release says. It reports false, and adds nothing, if packages of
// that type are not the distribution's: its advisories and versions would be another's.
func qualify(p *core.Package, d core.Distro) bool {
	if t := distro.PackageType(d); t != "" && t != purlType(p.Purl) {
		return false
	}
	u, err := packageurl.FromString(p.Purl)
	if err != nil {
		return true // we made it ourselves
	}
	if u.Type != "ebuild" { // whose namespace is the category
		u.Namespace = distro.Namespace(d.ID)
	}
	u.Qualifiers = slices.DeleteFunc(u.Qualifiers, func(q packageurl.Qualifier) bool { return q.Key == "distro" })
	if release := distroQualifier(u.Type, d); release != "" {
		u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: "distro", Value: release})
	}
	if purl, err := render(u); err == nil {
		p.Purl = purl
	}
	p.Ecosystem = d.Ecosystem
	return true
}

func purlType(purl string) string {
	t, _, _ := strings.Cut(strings.TrimPrefix(purl, "pkg:"), "/")
	return t
}

// dropResolved leaves out what is only declared, without a version, if a package of that name is there in the same
// subject: that is what it was resolved to. What packagejson finds is not declared but installed.
func dropResolved(packages []core.Package) []core.Package {
	type name struct {
		subject core.Digest
		purl    string
	}
	resolved := make(map[name]bool)
	for _, p := range packages {
		if p.Version != "" {
			unversioned, _, _ := strings.Cut(p.Purl, "@") // the only one: others are escaped
			resolved[name{p.Subject, unversioned}] = true
		}
	}
	return slices.DeleteFunc(packages, func(p core.Package) bool {
		return p.Version == "" && p.Ecosystem != "" && p.Analyzer != packagejson.Name && resolved[name{p.Subject, p.Purl}]
	})
}

// merge makes one package of all its copies.
func merge(packages []core.Package) []core.Package {
	type identity struct {
		subject             core.Digest
		purl, name, version string
	}
	var order []identity
	groups := make(map[identity][]core.Package)
	for i, p := range packages {
		id := identity{p.Subject, p.Purl, "", ""}
		if p.Purl == "" {
			id.name, id.version = p.Name, p.Version
		}
		if copies, seen := groups[id]; seen {
			groups[id] = append(copies, p)
			continue
		}
		order = append(order, id)
		groups[id] = packages[i : i+1 : i+1] // most have no copy, and need no memory of their own
	}
	merged := make([]core.Package, 0, len(order))
	for _, id := range order {
		merged = append(merged, mergeCopies(groups[id]))
	}
	return merged
}

// mergeCopies makes one of a package's copies. What is in the final file system wins over what was removed, and what a
// lower layer brought over what a higher one has.
func mergeCopies(copies []core.Package) core.Package {
	slices.SortStableFunc(copies, func(a, b core.Package) int {
		return cmp.Or(cmp.Compare(layerOf(a), layerOf(b)), cmp.Compare(a.Locations[0].Path, b.Locations[0].Path),
			cmp.Compare(a.Locations[0].Line, b.Locations[0].Line), cmp.Compare(a.Analyzer, b.Analyzer))
	})
	kept := copies
	if slices.ContainsFunc(copies, core.Package.Visible) {
		kept = slices.DeleteFunc(slices.Clone(copies), func(p core.Package) bool { return !p.Visible() })
	}
	one := kept[0]
	one.Origin = originOf(copies, kept)
	one.Hashes = agreedHashes(kept)
	one.Relation, one.Via = relationOf(kept)
	one.Locations = nil
	for _, c := range kept {
		mergeInto(&one, c)
	}
	slices.SortFunc(one.Locations, func(a, b core.Location) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Layer, b.Layer))
	})
	return one
}

func mergeInto(one *core.Package, c core.Package) {
	for _, l := range c.Locations {
		if !slices.Contains(one.Locations, l) {
			one.Locations = append(one.Locations, l)
		}
	}
	if len(one.Licenses) == 0 {
		one.Licenses = c.Licenses
	}
	if one.Source == nil {
		one.Source = c.Source
	}
	if c.Scope != core.ScopeDevelopment { // needed by one is needed
		one.Scope = c.Scope
	}
	one.Vendored = one.Vendored && c.Vendored
}

// relationOf is what is known of all copies: one that is named is named, and one of which a lockfile does not say so may be.
// The chain is the shortest.
func relationOf(copies []core.Package) (core.Relation, []string) {
	relation, via, known := core.Relation(""), []string(nil), true
	for _, c := range copies {
		switch {
		case c.Relation == core.RelationDirect:
			return c.Relation, nil
		case c.Relation == core.RelationTransitive:
			relation = c.Relation
		case slices.Contains(relating(), c.Analyzer):
			known = false
		}
		if len(c.Via) > 0 && (via == nil || len(c.Via) < len(via)) {
			via = c.Via
		}
	}
	if !known {
		relation = ""
	}
	return relation, via
}

// agreedHashes are the hashes that no copy contradicts.
func agreedHashes(copies []core.Package) map[string]string {
	var agreed map[string]string
	for _, c := range copies {
		switch {
		case len(c.Hashes) == 0:
		case agreed == nil:
			agreed = c.Hashes
		case !maps.Equal(agreed, c.Hashes):
			return nil
		}
	}
	return agreed
}

func layerOf(p core.Package) int {
	if p.Origin == nil {
		return 0
	}
	return p.Origin.Layer
}

// originOf is where a package came from: the lowest layer from which on it was there without a gap. A package database
// that a later layer replaces by one that still lists the package did not remove it.
func originOf(copies, kept []core.Package) *core.Origin {
	if kept[0].Origin == nil {
		return nil
	}
	origin := *kept[0].Origin
	if !kept[0].Visible() {
		last := kept[len(kept)-1].Origin
		origin.RemovedIn = last.RemovedIn
		return &origin
	}
	for i := len(copies) - 1; i >= 0; i-- {
		o := copies[i].Origin
		if o != nil && o.RemovedIn != nil && *o.RemovedIn >= origin.Layer && o.Layer < origin.Layer {
			origin.Layer, origin.DiffID, origin.CreatedBy = o.Layer, o.DiffID, o.CreatedBy
		}
	}
	return &origin
}

// examine adds x, unless x is complete and somebody else already said that it is not.
func examine(e *core.Evidence, x core.Examination) {
	known := func(y core.Examination) bool {
		return y.Name == x.Name && y.Status != core.Complete && (y.Subject == x.Subject || y.Subject == "")
	}
	if x.Status == core.Complete && slices.ContainsFunc(e.Examinations, known) {
		return
	}
	e.Examinations = append(e.Examinations, x)
}

const tool = "inventory"

func distroExamination(s core.Subject, f *core.ImageFacts, system systemPackages) core.Examination {
	x := core.Examination{Name: core.ExamineDistro, Subject: s.Digest, Tool: tool, Status: core.Complete}
	switch {
	case f != nil && f.Distro != nil && f.Distro.Ecosystem == "":
		x.Status = core.Partial
		x.Why = []string{fmt.Sprintf("OSV has no advisories for the distribution %s, so its %d packages cannot be looked up",
			describe(*f.Distro), system.all)}
		x.Remedy = "build on a distribution that OSV covers, or let the policy accept an incomplete examination of it"
	case (f == nil || f.Distro == nil) && system.all > 0:
		x.Status = core.Partial
		x.Why = []string{fmt.Sprintf("there is no etc/os-release, so it is not known whose %d packages these are",
			system.all)}
		x.Remedy = "keep etc/os-release in the image"
	case system.foreign > 0:
		x.Status = core.Partial
		x.Why = []string{fmt.Sprintf(
			"%d packages cannot be of the distribution %s, whose packages are of the type %s, so they cannot be looked up",
			system.foreign, describe(*f.Distro), distro.PackageType(*f.Distro))}
		x.Remedy = "keep the etc/os-release of the distribution that the packages are from"
	case f != nil && f.Distro != nil && system.deb.contradiction(*f.Distro) != "":
		x.Status = core.Partial
		x.Why = []string{fmt.Sprintf("etc/os-release names the distribution %s, but %s: its packages may be another's",
			describe(*f.Distro), system.deb.contradiction(*f.Distro))}
		x.Remedy = "keep the etc/os-release of the distribution that the packages are from"
	}
	return x
}

func describe(d core.Distro) string {
	words := []string{"with the ID " + d.ID}
	if d.VersionID != "" {
		words = append(words, "and the VERSION_ID "+d.VersionID)
	}
	if d.PrettyName != "" {
		return d.PrettyName + " (" + strings.Join(words, " ") + ")"
	}
	return strings.Join(words, " ")
}

func packagesExamination(s core.Subject, f *core.ImageFacts, packages []core.Package) core.Examination {
	x := core.Examination{
		Name: core.ExaminePackages, Subject: s.Digest, Tool: tool, Version: scalibrVersion(), Status: core.Complete,
	}
	if s.Kind != core.KindImage {
		if s.Digest == emptyTree {
			x.Status, x.Code = core.Partial, CodeEmptyTree
			x.Why = []string{"the source tree holds no file: there is nothing to judge"}
			x.Remedy = "check that the sources were checked out"
		}
		return x
	}
	own := make([]core.Package, 0, len(packages))
	for _, p := range packages {
		if p.Subject == s.Digest {
			own = append(own, p)
		}
	}
	if gone, layer := removedDatabase(own); gone > 0 {
		x.Status, x.Code = core.Partial, CodeRemovedDatabase
		x.Why = []string{fmt.Sprintf(
			"the database of %d packages of the distribution was removed in layer %d: what is still there of them is not known",
			gone, layer)}
		x.Remedy = "keep the package database in the image, or build on an image without these packages"
		return x
	}
	if f != nil {
		x.Code, x.Why, x.Remedy = withoutPackages(*f, own)
	}
	if x.Code != "" {
		x.Status = core.Partial
	}
	return x
}

// emptyTree is the digest of a source tree without files: that of no records, of which the walk makes it.
const emptyTree core.Digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// withoutPackages says what is wrong with an image that has none, or none of its distribution.
func withoutPackages(f core.ImageFacts, packages []core.Package) (code string, why []string, remedy string) {
	known := f.Distro != nil && distro.PackageType(*f.Distro) != ""
	switch {
	case len(packages) == 0 && f.Files == 0:
		return CodeEmptyImage, []string{"the image holds no file: there is nothing to judge"},
			"check that the build put something into it"
	case known && !slices.ContainsFunc(packages, visibleSystem):
		return CodeNoPackages, []string{fmt.Sprintf(
				"no package of the distribution %s was found in %d files: what they are is not known", describe(*f.Distro), f.Files)},
			"keep the package database in the image, or let the policy accept packages with the code " + CodeNoPackages
	case len(packages) == 0:
		return CodeNoPackages, []string{fmt.Sprintf("no package was found in %d files: what they are is not known", f.Files)},
			"judge an SBOM of the image's contents beside it, or let the policy accept packages with the code " + CodeNoPackages
	}
	return "", nil, ""
}

func visibleSystem(p core.Package) bool { return p.Visible() && isDistribution(purlType(p.Purl)) }
