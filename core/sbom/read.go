package sbom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// Read makes evidence of a document that somebody wrote: one Subject of kind sbom, named after the file and, where the
// document says it, the image that it describes; its packages; and how far the list can be trusted, as the Examinations
// "packages" and "distro". Identity comes from the package URLs, CPEs are ignored. What has no package URL or version,
// a list that calls itself incomplete and one without packages make the examination partial. Files, cryptographic
// assets, services and vulnerabilities are no packages and are passed over.
//
// An error is a core.Failure: a document that is malformed, of another format, or beyond the limits metadata-size (of
// the file), entries (components) or path-length.
func Read(ctx context.Context, name string, data []byte, l limit.Limits) (core.Evidence, error) {
	e, err := read(ctx, name, data, l.Filled())
	if err != nil {
		failure := &core.Failure{Doing: "read the SBOM " + redact.Reference(name), Err: err}
		var format *formatError
		if errors.As(err, &format) {
			failure.Usage, failure.Hint = true, format.hint
		}
		return core.Evidence{}, failure
	}
	return e, nil
}

func read(ctx context.Context, name string, data []byte, l limit.Limits) (core.Evidence, error) {
	if int64(len(data)) > l.MetadataSize {
		return core.Evidence{}, &limit.Exceeded{Limit: "metadata-size", Max: l.MetadataSize, Unit: "bytes",
			What: "the document"}
	}
	sum := sha256.Sum256(data)
	r := &reading{
		ctx:    ctx,
		limits: l,
		name:   redact.Reference(name),
		digest: core.Digest("sha256:" + hex.EncodeToString(sum[:])),
		data:   bytes.TrimPrefix(data, []byte("\ufeff")),
		seen:   map[packageKey]int{},
		gaps:   map[gap]int{},
	}
	if err := notJSON(r.data); err != nil {
		return core.Evidence{}, err
	}
	h, err := r.head()
	if err != nil {
		return core.Evidence{}, err
	}
	if err := h.check(); err != nil {
		return core.Evidence{}, err
	}
	if h.spdxVersion != "" {
		r.mediaType, r.analyzer = MediaTypeSPDX, "sbom/spdx"
		err = r.readSPDX()
	} else {
		r.mediaType, r.analyzer = MediaTypeCycloneDX, "sbom/cyclonedx"
		err = r.readCycloneDX()
	}
	if err != nil {
		return core.Evidence{}, err
	}
	return r.evidence(), nil
}

// reading is one document being read.
type reading struct {
	ctx       context.Context
	limits    limit.Limits
	name      string
	digest    core.Digest
	mediaType string
	analyzer  string
	data      []byte
	doc       *strictjson.Reader

	entries  int64
	packages []core.Package
	seen     map[packageKey]int
	// described is the image that the document is about.
	described string
	// systems are the operating systems that the document lists.
	systems []core.Distro
	// undated are the packages whose ecosystem needs the release of the operating system.
	undated []undated
	// incomplete is true if the document says of itself that it is.
	incomplete bool
	// reasons are those that our own documents give for it.
	reasons []string
	// gaps counts what is no package although it should be, by reason, with an example of each.
	gaps     map[gap]int
	examples map[gap]string
	// layerBy holds the history lines that our own documents state once for each image.
	layerBy map[string]string
}

type undated struct {
	index int
	purl  packageurl.PackageURL
}

type packageKey struct{ purl, name, version, architecture string }

// gap is a reason why a part of the document is not examined.
type gap int

const (
	gapNoPurl gap = iota
	gapBadPurl
	gapNoVersion
	gapImage
)

func (g gap) sentence(n int, example string) string {
	switch g {
	case gapNoPurl:
		return fmt.Sprintf("%d of its components have no package URL, such as %s", n, example)
	case gapBadPurl:
		return fmt.Sprintf("%d of its components have a malformed package URL, such as %s", n, example)
	case gapNoVersion:
		return fmt.Sprintf("%d of its packages have no version, such as %s", n, example)
	}
	return fmt.Sprintf("%d of its components are container images whose contents it does not list, such as %s", n,
		example)
}

func (r *reading) gap(g gap, example string) {
	if r.examples == nil {
		r.examples = map[gap]string{}
	}
	r.gaps[g]++
	if r.examples[g] == "" {
		r.examples[g] = redact.Limited(example, 200)
	}
}

// entry counts a component against the limit and notices when the run was cancelled.
func (r *reading) entry() error {
	if r.entries++; r.entries > r.limits.Entries {
		return &limit.Exceeded{Limit: "entries", Max: r.limits.Entries, Unit: "entries",
			What: "the number of its components"}
	}
	if r.entries%1024 == 0 {
		return r.ctx.Err()
	}
	return nil
}

// entryPackage is what both formats say of a package, before it is one.
type entryPackage struct {
	name, version, purl string
	licenses            []string
	hashes              []property
	locations           []core.Location
	properties          []property
	scope               core.Scope
	source              *core.SourcePackage
}

// add makes a package of p, whose package URL is u.
func (r *reading) add(p *entryPackage, u packageurl.PackageURL) error {
	id := identify(u, nil)
	pkg := core.Package{
		Subject:      r.digest,
		Name:         id.name,
		Version:      id.version,
		Purl:         p.purl,
		Ecosystem:    id.ecosystem,
		Architecture: id.architecture,
		Source:       id.source,
		Module:       id.module,
		Licenses:     p.licenses,
		Locations:    p.locations,
		Analyzer:     r.analyzer,
		Scope:        p.scope,
	}
	if pkg.Version == "" && p.version != "" {
		pkg.Version = p.version
	}
	if pkg.Source == nil {
		pkg.Source = p.source
	}
	for _, h := range p.hashes {
		if algorithm, value, ok := ownHash(h.name, h.value); ok {
			addHash(&pkg, algorithm, value)
		}
	}
	if err := apply(&pkg, p.properties); err != nil {
		return fmt.Errorf("package %s: %w", clean(p.purl), err)
	}
	pkg.Ecosystem = id.allowed(u.Type, pkg.Ecosystem)
	if u.Type != packageurl.TypeRPM {
		pkg.Module = ""
	}
	if err := r.settle(&pkg); err != nil {
		return err
	}
	if pkg.Version == "" {
		r.gap(gapNoVersion, p.purl)
	}
	r.merge(pkg, u, id)
	return nil
}

// settle gives a package its places: those that the document states, or else the document.
func (r *reading) settle(p *core.Package) error {
	kept := p.Locations[:0]
	for _, l := range p.Locations {
		if int64(len(l.Path)) > r.limits.PathLength {
			return &limit.Exceeded{Limit: "path-length", Max: r.limits.PathLength, Unit: "bytes",
				What: "the location of package " + clean(p.Purl)}
		}
		if l.Path = clean(strings.TrimLeft(l.Path, "/")); l.Path != "" {
			kept = append(kept, l)
		}
	}
	if p.Locations = kept; len(kept) == 0 {
		p.Locations = []core.Location{{Path: r.name}}
	}
	if p.Name = clean(p.Name); p.Name == "" {
		p.Name = "unknown"
	}
	for _, s := range []*string{&p.Version, &p.Purl, &p.Ecosystem, &p.Architecture, &p.Module} {
		*s = clean(*s)
	}
	if p.Source != nil {
		p.Source.Name, p.Source.Version = clean(p.Source.Name), clean(p.Source.Version)
	}
	if p.Analyzer = clean(p.Analyzer); p.Analyzer == "" {
		p.Analyzer = r.analyzer
	}
	return nil
}

// merge adds a package, or the places of one that is there already.
func (r *reading) merge(p core.Package, u packageurl.PackageURL, id identity) {
	key := packageKey{p.Purl, p.Name, p.Version, p.Architecture}
	if i, ok := r.seen[key]; ok {
		r.packages[i].Locations = append(r.packages[i].Locations, p.Locations...)
		return
	}
	r.seen[key] = len(r.packages)
	if id.distribution && !id.release && p.Ecosystem == "" {
		r.undated = append(r.undated, undated{len(r.packages), u})
	}
	r.packages = append(r.packages, p)
}

func (r *reading) evidence() core.Evidence {
	unknown := r.dateBySystem()
	name := r.name
	if r.described != "" && r.described != name {
		name += " (" + r.described + ")"
	}
	e := core.Evidence{
		Subjects: []core.Subject{{Name: name, Kind: core.KindSBOM, Digest: r.digest, MediaType: r.mediaType}},
		Packages: r.packages,
		Examinations: []core.Examination{
			r.examination(core.ExaminePackages, r.packageGaps(),
				"make the SBOM with a tool that lists package URLs and versions, or judge the image itself"),
			r.examination(core.ExamineDistro, unknown,
				"make the SBOM with a tool that lists the operating system, or judge the image itself"),
		},
	}
	for i := range e.Packages {
		if o := e.Packages[i].Origin; o != nil && r.layerBy[string(o.DiffID)] != "" {
			o.CreatedBy = r.layerBy[string(o.DiffID)]
		}
	}
	e.Sort()
	for i := range e.Packages {
		e.Packages[i].Locations = slices.Compact(e.Packages[i].Locations) // of packages that were listed twice
	}
	return e
}

func (r *reading) examination(name string, why []string, remedy string) core.Examination {
	x := core.Examination{Name: name, Subject: r.digest, Tool: r.analyzer, Status: core.Complete}
	if len(why) > 0 {
		slices.Sort(why)
		why = slices.Compact(why)
		x.Status, x.Why, x.Remedy = core.Partial, why, remedy
	}
	return x
}

func (r *reading) packageGaps() []string {
	var why []string
	if len(r.packages) == 0 {
		why = append(why, "it lists no packages")
	}
	if r.incomplete {
		why = append(why, "it says of itself that it is incomplete")
		why = append(why, r.reasons...)
	}
	for g, n := range r.gaps {
		why = append(why, g.sentence(n, r.examples[g]))
	}
	return why
}

// dateBySystem gives the packages of distributions whose package URLs name no release that of the document's operating
// system, and says for how many there is none.
func (r *reading) dateBySystem() []string {
	var system *core.Distro
	if len(r.systems) == 1 {
		system = &r.systems[0]
	}
	n, example := 0, ""
	for _, u := range r.undated {
		id := identify(u.purl, system)
		if !id.release {
			n, example = n+1, r.packages[u.index].Purl
			continue
		}
		r.packages[u.index].Ecosystem = id.ecosystem
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d packages are of a distribution whose release it does not say, or not clearly, such as %s", n,
		redact.Limited(example, 200))}
}

// parsePurl reads a package URL, bounded.
func parsePurl(s string) (packageurl.PackageURL, bool) {
	if len(s) > maxText {
		return packageurl.PackageURL{}, false
	}
	u, err := packageurl.FromString(s)
	return u, err == nil && u.Name != ""
}

// describedBy is how people call an image that a package URL and our own properties name.
func describedBy(purl string, props []property) string {
	name, digest := "", ""
	for _, p := range props {
		switch p.name {
		case propSubject:
			name = p.value
		case propDigest:
			digest = p.value
		}
	}
	if u, ok := parsePurl(purl); ok && isImage(u) && name == "" {
		name = u.Name
		if repository := u.Qualifiers.Map()["repository_url"]; repository != "" {
			name = repository
		}
		digest = u.Version
	}
	if _, err := core.ParseDigest(digest); name != "" && err == nil && !strings.Contains(name, "@") {
		name += "@" + digest
	}
	return redact.Reference(name)
}

// strings reads what a document offers as text: other kinds of value are passed over.
func text(r *strictjson.Reader) string {
	if r.Kind() != '"' {
		return ""
	}
	s, _ := r.String()
	return s
}

// each reads the elements of an array; anything else is passed over.
func each(r *strictjson.Reader, element func() error) error {
	if r.Kind() != '[' {
		return r.Skip()
	}
	return r.Array(func(int) error { return element() })
}

// list reads the elements of an array of packages. Anything else in its place may be packages to another reader, and is
// refused; so is an element that is no object, by whoever reads it.
func list(r *strictjson.Reader, element func() error) error {
	if r.Null() {
		return nil
	}
	return r.Array(func(int) error { return element() })
}

// members reads the members of an object; anything else is passed over.
func members(r *strictjson.Reader, member func(name string) error) error {
	if r.Kind() != '{' {
		return r.Skip()
	}
	return r.Object(func(name []byte) error { return member(string(name)) })
}
