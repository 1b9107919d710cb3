package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/version"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// FindPlan says what is looked for in released images.
type FindPlan struct {
	FleetPlan
	// Query is a package URL, with or without a version, or the id of a flaw.
	Query string
	// Versions restrict a package URL without a version: ">=1.2 <1.4". All have to hold.
	Versions string
}

// Find says which released images contain something, by their attested bills of materials.
type Find struct {
	Version int    `json:"version"`
	Query   string `json:"query"`
	// Versions are those that were asked for; empty means all, or those of the package URL.
	Versions string `json:"versions,omitempty"`
	// Advisories are what an id was looked up in, and Flaws what they know of it.
	Advisories *core.AdvisorySource `json:"advisories,omitempty"`
	Flaws      []AdvisoryFlaw       `json:"flaws,omitempty"`
	// Complete is true if every image could be looked at. Otherwise what was not found may be there all the same.
	Complete bool `json:"complete"`
	// Searched counts the images whose packages are known.
	Searched int          `json:"searched"`
	Found    []FoundImage `json:"found"`
	// Unknown is true if no image has a package of the name that was asked for, in any version, and Near are those that
	// are spelled alike: a name that is misspelt is in no image either.
	Unknown bool       `json:"unknown,omitempty"`
	Near    []string   `json:"near,omitempty"`
	Gaps    []FleetGap `json:"gaps"`
}

// FoundImage is an image that contains what was looked for.
type FoundImage struct {
	FleetImage
	Packages []FoundPackage `json:"packages"`
}

// FoundPackage is a package that was looked for.
type FoundPackage struct {
	Package   string `json:"package"`
	Name      string `json:"name"`
	Installed string `json:"installed"`
	// Source is the source package that was looked for and that this one was built from.
	Source string `json:"source,omitempty"`
	// Flaw and Fixed are what was found of a flaw that was looked for.
	Flaw     string        `json:"flaw,omitempty"`
	Severity core.Severity `json:"severity,omitzero"`
	Fixed    string        `json:"fixed,omitempty"`
}

// finding is a search that is being made.
type finding struct {
	fleet *fleet
	// in returns the packages of an image that are looked for, and what could not be told.
	in func(ctx context.Context, r *released) ([]FoundPackage, []string, error)

	mu  sync.Mutex
	out Find
	// seen are the names of packages, each with a package URL that has it, as long as none is the one that is looked for.
	seen  map[string]string
	known bool
}

// maxSeen is how many names of packages are kept for those that are spelled alike, and maxAlike how many of them are shown.
const (
	maxSeen  = 50_000
	maxAlike = 3
)

// Find looks for a package, or for what a flaw affects, in the attested bills of materials of released images. All of
// them are read once, and no layer is.
//
// The error is a core.Failure: of the plan, or because advisories could not be read. Images that could not be looked at
// are gaps of the answer.
func (g *Gate) Find(ctx context.Context, p FindPlan) (*Find, error) {
	f, err := g.newFleet(p.FleetPlan)
	if err != nil {
		return nil, err
	}
	return g.find(ctx, p, f)
}

func (g *Gate) find(ctx context.Context, p FindPlan, f *fleet) (*Find, error) {
	s := &finding{fleet: f, out: Find{Version: AuditVersion, Query: p.Query, Versions: p.Versions, Found: []FoundImage{}}}
	f.wanted, f.visit = isSBOM, s.visit
	var err error
	if strings.HasPrefix(p.Query, "pkg:") {
		err = s.byPackage(p)
	} else {
		err = s.byID(ctx, g, p)
	}
	if err != nil {
		return nil, err
	}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	s.out.Gaps = append([]FleetGap{}, f.gaps...)
	s.out.Complete = len(s.out.Gaps) == 0 && s.out.Searched > 0
	if s.out.Unknown = s.seen != nil && !s.known && s.out.Searched > 0; s.out.Unknown {
		s.out.Near = s.near(p.Query)
	}
	slices.SortFunc(s.out.Found, func(a, b FoundImage) int { return compareImages(&a.FleetImage, &b.FleetImage) })
	return &s.out, nil
}

// visit searches one image.
func (s *finding) visit(ctx context.Context, r *released) error {
	found, unclear, err := s.in(ctx, r)
	if err != nil {
		return err
	}
	for _, x := range r.evidence.Examinations {
		if x.Status != core.Complete {
			unclear = append(unclear, x.Why...)
		}
	}
	slices.Sort(unclear)
	for _, why := range slices.Compact(unclear) {
		s.fleet.gap(r.Name(), errors.New(why))
	}
	slices.SortFunc(found, func(a, b FoundPackage) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Installed, b.Installed),
			cmp.Compare(a.Flaw, b.Flaw))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Searched++
	if len(found) > 0 {
		s.out.Found = append(s.out.Found, FoundImage{FleetImage: r.FleetImage, Packages: found})
	}
	return nil
}

// byID prepares to look for what a flaw affects.
func (s *finding) byID(ctx context.Context, g *Gate, p FindPlan) error {
	doing := "look for " + p.Query
	if p.Versions != "" {
		return &core.Failure{Doing: doing, Usage: true, Err: errors.New("advisories say which versions a flaw affects"),
			Hint: "leave --versions out, or ask for a package URL"}
	}
	ids := spellings(strings.TrimSpace(p.Query))
	if !slices.ContainsFunc(ids, vuln.IsID) {
		return &core.Failure{Doing: doing, Usage: true, Err: errors.New("it is neither a package URL nor the id of a flaw"),
			Hint: "ask for pkg:TYPE/NAMESPACE/NAME@VERSION, or for CVE-…, GHSA-… or the id of another database"}
	}
	a, err := g.fleetSet(ctx, p.FleetPlan)
	if err != nil {
		return err
	}
	answer := AdvisoryAnswer{}
	if err := queryID(ctx, a.set, p.Query, &answer); err != nil {
		return &core.Failure{Doing: doing, Err: err}
	}
	if len(answer.Flaws) == 0 {
		source, how := a.audit.Advisories, ""
		if source.Starter {
			how = "; they are a small selection, found by their own ids only (GO-…, GHSA-…)"
		}
		if source.Note != "" {
			how += "; " + source.Note
		}
		return &core.Failure{Doing: doing,
			Err: fmt.Errorf("the advisories (%s) know nothing of it, which does not mean that no image has it%s", source.Name, how),
			Hint: "fetch newer ones with: cleanbill advisories update, or name a set with --advisories; " +
				"or look for the package by its package URL"}
	}
	s.out.Advisories, s.out.Flaws = &a.audit.Advisories, answer.Flaws
	s.in = func(ctx context.Context, r *released) ([]FoundPackage, []string, error) {
		if err := a.match(ctx, r); err != nil {
			return nil, nil, err
		}
		var out []FoundPackage
		for i := range r.evidence.Findings {
			f := &r.evidence.Findings[i]
			named := func(id string) bool { return f.Rule == id || slices.Contains(f.Aliases, id) }
			if f.Package == nil || !slices.ContainsFunc(ids, named) {
				continue
			}
			out = append(out, FoundPackage{Package: f.Package.Purl, Name: f.Package.Name, Installed: f.Package.Version,
				Flaw: f.Rule, Severity: f.Severity, Fixed: f.Fix.Version})
		}
		return out, nil, nil
	}
	return nil
}

// byPackage prepares to look for a package.
func (s *finding) byPackage(p FindPlan) error {
	doing := "look for " + p.Query
	wanted, err := packageurl.FromString(p.Query)
	if err == nil && wanted.Name == "" {
		err = errors.New("it names no package")
	}
	if err != nil {
		return &core.Failure{Doing: doing, Err: err, Usage: true, Hint: "a package URL is pkg:TYPE/NAMESPACE/NAME@VERSION"}
	}
	bounds, err := parseBounds(p.Versions)
	if err == nil && len(bounds) > 0 && wanted.Version != "" {
		err = errors.New("the package URL has a version already")
	}
	if err != nil {
		return &core.Failure{Doing: "understand --versions " + p.Versions, Err: err, Usage: true,
			Hint: "write bounds that all have to hold, such as '>=1.2 <1.4'"}
	}
	want := search{url: wanted, qualifiers: wanted.Qualifiers.Map(), bounds: bounds}
	s.seen = map[string]string{}
	s.in = func(_ context.Context, r *released) ([]FoundPackage, []string, error) {
		var out []FoundPackage
		var unclear []string
		known := false
		for i := range r.evidence.Packages {
			k := &r.evidence.Packages[i]
			named, found, source, err := want.is(k)
			known = known || named
			if err != nil {
				unclear = append(unclear, err.Error())
			}
			if found {
				out = append(out, FoundPackage{Package: k.Purl, Name: k.Name, Installed: k.Version, Source: source})
			}
		}
		s.see(r.evidence.Packages, known)
		return out, unclear, nil
	}
	return nil
}

// see notes the names of an image's packages.
func (s *finding) see(packages []core.Package, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known = s.known || known; s.known {
		return
	}
	note := func(name, purl string) {
		if _, ok := s.seen[name]; !ok && len(s.seen) < maxSeen {
			s.seen[name] = purl
		}
	}
	for i := range packages {
		p := &packages[i]
		note(lastName(p.Purl), p.Purl)
		if p.Source != nil {
			note(p.Source.Name, p.Purl)
		}
	}
}

// lastName is the name in a package URL, as it is written there.
func lastName(purl string) string {
	if end := strings.IndexAny(purl, "@?#"); end >= 0 {
		purl = purl[:end]
	}
	return purl[strings.LastIndexByte(purl, '/')+1:]
}

// near returns package URLs, without versions, of what was seen and may have been meant.
func (s *finding) near(query string) []string {
	wanted, err := packageurl.FromString(query)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(s.seen))
	for name := range s.seen {
		names = append(names, name)
	}
	var out []string
	for _, name := range nearest.To(wanted.Name, names, maxAlike) {
		u, err := packageurl.FromString(s.seen[name])
		if err != nil {
			continue
		}
		u.Version, u.Qualifiers, u.Subpath = "", nil, ""
		if lastName(s.seen[name]) != name {
			u.Name = name // of the source that it is built from
		}
		out = append(out, redact.Limited(u.ToString(), 200))
	}
	return out
}

// search is a package that is looked for.
type search struct {
	url        packageurl.PackageURL
	qualifiers map[string]string
	bounds     []bound
}

// is reports whether a package is the one, or is built from it, which source then names; named reports that for any
// version. The error says that it is by its name and that its version cannot be compared.
func (s *search) is(p *core.Package) (named, found bool, source string, err error) {
	ofSource := p.Source != nil && p.Source.Name != p.Name && strings.EqualFold(p.Source.Name, s.url.Name)
	if !ofSource && !containsFold(p.Purl, s.url.Name) && !strings.Contains(p.Purl, "%") {
		return false, false, "", nil // most are told apart without reading their package URLs
	}
	u, err := packageurl.FromString(p.Purl)
	if err != nil {
		return false, false, "", nil // the bill of materials is noted as incomplete
	}
	installed := p.Version
	switch {
	case u.Type != s.url.Type || !s.sameNamespace(u):
		return false, false, "", nil
	case strings.EqualFold(u.Name, s.url.Name):
	case ofSource:
		source, installed = p.Source.Name, cmp.Or(p.Source.Version, p.Version)
	default:
		return false, false, "", nil
	}
	have := u.Qualifiers.Map()
	for k, v := range s.qualifiers {
		if have[k] != v {
			return true, false, "", nil
		}
	}
	if s.url.Version != "" {
		same := s.url.Version == installed || s.url.Version == u.Version || s.url.Version == p.Version ||
			strings.TrimPrefix(s.url.Version, "v") == strings.TrimPrefix(installed, "v")
		return true, same, source, nil
	}
	for _, b := range s.bounds {
		holds, err := b.holds(vuln.EcosystemOf(p), installed)
		if err != nil {
			return true, false, "", fmt.Errorf("%s cannot be compared with %s: %w", p.Purl, b, err)
		}
		if !holds {
			return true, false, "", nil
		}
	}
	return true, true, source, nil
}

// sameNamespace reports whether a package is of the namespace that is looked for. A distribution's package that is looked
// for without one is that of every distribution.
func (s *search) sameNamespace(u packageurl.PackageURL) bool {
	if s.url.Namespace == "" && slices.Contains([]string{"deb", "rpm", "apk", "alpm"}, u.Type) {
		return true
	}
	return strings.EqualFold(u.Namespace, s.url.Namespace)
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// bound is one end of a range of versions.
type bound struct{ operator, version string }

// String returns the bound as it is written.
func (b bound) String() string { return b.operator + b.version }

// parseBounds reads bounds that spaces or commas separate.
func parseBounds(text string) ([]bound, error) {
	var out []bound
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		b := bound{version: strings.TrimLeft(word, "<>=")}
		b.operator = word[:len(word)-len(b.version)]
		if !slices.Contains([]string{"<", "<=", ">", ">=", "="}, b.operator) || b.version == "" {
			return nil, fmt.Errorf("%q is not a bound", word)
		}
		out = append(out, b)
	}
	if len(out) == 0 && text != "" {
		return nil, errors.New("it is empty")
	}
	return out, nil
}

// holds reports whether a version is within the bound, in the order of its ecosystem.
func (b bound) holds(ecosystem, installed string) (bool, error) {
	order, ok := version.For(ecosystem)
	if !ok {
		return false, errors.New("how its versions are ordered is not known")
	}
	have, err := order.ParseInstalled(installed)
	if err != nil {
		return false, err
	}
	end, err := order.Parse(b.version)
	if err != nil {
		return false, err
	}
	c, err := have.Compare(end)
	if err != nil {
		return false, err
	}
	switch b.operator {
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	case ">=":
		return c >= 0, nil
	}
	return c == 0, nil
}
