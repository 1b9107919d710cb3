package vuln

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/openvex/go-vex/pkg/vex"
	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// VEX is a document of statements about flaws in products, and why it counts.
//
//   - https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md
//   - https://cyclonedx.org/capabilities/vex/
type VEX struct {
	// Name is the document's, for people.
	Name string
	// TrustedBy says why it counts; empty if it does not. The author that a document names counts for nothing.
	TrustedBy string
	// Subject is what the document was attested to. Its statements are about that alone; empty for no such bound.
	Subject core.Digest

	digest     core.Digest
	statements []statement
}

// statement is one statement about one vulnerability.
type statement struct {
	core.VEXStatement
	ids      []string // of the vulnerability
	products []product
	declined bool // by who publishes the product: there will be no fix
}

// product is what a statement is about, and which of its parts; no parts means all of it.
type product struct {
	vex.Component
	parts []vex.Component
}

// maxStatements bounds a document.
const maxStatements = 100_000

// ParseVEX reads an OpenVEX document, or the vulnerabilities of a CycloneDX document, in JSON.
func ParseVEX(name string, raw []byte) (*VEX, error) {
	var kind struct {
		Context   string `json:"@context"`
		BOMFormat string `json:"bomFormat"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, fmt.Errorf("it is not JSON of the right form: %w", err)
	}
	d := &VEX{Name: name, digest: verify.DigestOf(raw)}
	var err error
	switch {
	case strings.HasPrefix(kind.Context, vex.ContextLocator()), strings.HasPrefix(kind.Context, "https://openvex.dev/ns"):
		err = d.readOpenVEX(raw)
	case kind.BOMFormat == "CycloneDX":
		err = d.readCycloneDX(raw)
	default:
		err = errors.New("it is neither OpenVEX nor CycloneDX")
	}
	if err == nil && len(d.statements) > maxStatements {
		err = fmt.Errorf("it has more than %d statements", maxStatements)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *VEX) readOpenVEX(raw []byte) error {
	doc, err := vex.Parse(raw)
	if err != nil {
		return err
	}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		// What excuses must be whole. Of what does not, real documents leave out what the specification asks for.
		if err := s.Validate(); err != nil && (!s.Status.Valid() || s.Status == vex.StatusNotAffected || s.Status == vex.StatusFixed) {
			return fmt.Errorf("statement %d: %w", i+1, err)
		}
		out := statement{VEXStatement: core.VEXStatement{Status: core.VEXStatus(s.Status),
			Justification: string(s.Justification), Impact: s.ImpactStatement}}
		for _, at := range []*time.Time{s.Timestamp, doc.LastUpdated, doc.Timestamp} {
			if at != nil && out.Time.IsZero() {
				out.Time = at.UTC()
			}
		}
		out.ids = append(out.ids, string(s.Vulnerability.Name), s.Vulnerability.ID)
		for _, alias := range s.Vulnerability.Aliases {
			out.ids = append(out.ids, string(alias))
		}
		out.ids = slices.DeleteFunc(out.ids, func(id string) bool { return id == "" })
		if len(out.ids) == 0 {
			return fmt.Errorf("statement %d names no vulnerability", i+1)
		}
		for _, p := range s.Products {
			part := product{Component: p.Component}
			for _, c := range p.Subcomponents {
				part.parts = append(part.parts, c.Component)
			}
			out.products = append(out.products, part)
		}
		d.add(out)
	}
	return nil
}

// add takes a statement in, with where it stands.
func (d *VEX) add(s statement) {
	s.Document, s.Digest = d.Name, d.digest
	d.statements = append(d.statements, s)
}

// readCycloneDX reads what a document analysed. Its references lead to its own components, or are package URLs.
//
// https://cyclonedx.org/docs/1.6/json/#vulnerabilities_items_analysis
func (d *VEX) readCycloneDX(raw []byte) error {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(raw), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return err
	}
	if bom.Vulnerabilities == nil {
		return errors.New("it has no vulnerabilities")
	}
	purls, root := purlsByRef(&bom)
	published := time.Time{}
	if bom.Metadata != nil {
		published = timeOf(bom.Metadata.Timestamp)
	}
	for _, v := range *bom.Vulnerabilities {
		if v.Analysis == nil || v.Affects == nil {
			continue
		}
		out := statement{VEXStatement: core.VEXStatement{Status: statusOf(v.Analysis.State),
			Justification: string(v.Analysis.Justification), Impact: v.Analysis.Detail}, ids: []string{v.ID}}
		if out.Status == "" || v.ID == "" {
			continue
		}
		out.declined = v.Analysis.Response != nil && slices.Contains(*v.Analysis.Response, cdx.IARWillNotFix)
		if v.References != nil {
			for _, r := range *v.References {
				out.ids = append(out.ids, r.ID)
			}
		}
		for _, at := range []time.Time{timeOf(v.Analysis.LastUpdated), timeOf(v.Updated), timeOf(v.Published), published} {
			if out.Time.IsZero() {
				out.Time = at
			}
		}
		for _, a := range *v.Affects {
			if p, ok := productOf(a.Ref, purls, root); ok {
				out.products = append(out.products, out.versionsOf(p, a.Range)...)
			}
		}
		// What it is about is in no inventory of ours. A statement without a product is about all of an image.
		if len(out.products) == 0 {
			continue
		}
		d.add(out)
	}
	return nil
}

// productOf finds the product that a reference leads to: by its name in the document, by a BOM-Link to a document, or as
// a package URL.
func productOf(ref string, purls map[string]string, root string) (product, bool) {
	if _, name, ok := strings.Cut(ref, "#"); ok && strings.HasPrefix(ref, "urn:cdx:") {
		ref = name
	}
	purl := purls[ref]
	if purl == "" && strings.HasPrefix(ref, "pkg:") {
		purl = ref
	}
	if purl == "" {
		return product{}, false
	}
	p := product{Component: vex.Component{ID: purl}}
	if root != "" && purl != root {
		p = product{Component: vex.Component{ID: root}, parts: []vex.Component{{ID: purl}}}
	}
	return p, true
}

// versionsOf are the versions of a product that a statement is about, if it lists some. One that excuses does not excuse
// what it calls affected beside that, nor versions that it does not name.
func (s *statement) versionsOf(p product, list *[]cdx.AffectedVersions) []product {
	if s.Status != core.VEXNotAffected && s.Status != core.VEXFixed || list == nil || len(*list) == 0 {
		return []product{p}
	}
	about := &p.Component // or the part of it, where the product is the image
	if len(p.parts) > 0 {
		about = &p.parts[0]
	}
	u, err := packageurl.FromString(about.ID)
	if err != nil {
		return nil
	}
	stated := u.Version
	var out []product
	for _, v := range *list {
		bad := v.Status == cdx.VulnerabilityStatusAffected || v.Status == cdx.VulnerabilityStatusUnknown
		switch {
		case stated != "" && v.Version == stated && bad:
			return nil
		case stated != "" || v.Version == "" || bad:
			continue
		}
		u.Version = v.Version
		one := product{Component: vex.Component{ID: u.ToString()}}
		if len(p.parts) > 0 {
			one = product{Component: p.Component, parts: []vex.Component{one.Component}}
		}
		out = append(out, one)
	}
	if stated != "" {
		return []product{p}
	}
	return out
}

// purlsByRef lists the components, nested ones included, by reference, and says what the document describes if that is
// an image. Statements about parts of an image hold for that image.
func purlsByRef(bom *cdx.BOM) (purls map[string]string, image string) {
	purls = map[string]string{}
	var add func(list *[]cdx.Component, depth int)
	add = func(list *[]cdx.Component, depth int) {
		if list == nil || depth > 32 {
			return
		}
		for _, c := range *list {
			if c.BOMRef != "" {
				purls[c.BOMRef] = c.PackageURL
			}
			add(c.Components, depth+1)
		}
	}
	add(bom.Components, 0)
	if bom.Metadata != nil && bom.Metadata.Component != nil {
		c := bom.Metadata.Component
		add(&[]cdx.Component{*c}, 0)
		if strings.HasPrefix(c.PackageURL, "pkg:oci/") {
			image = c.PackageURL
		}
	}
	return purls, image
}

func timeOf(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// statusOf maps the states of an analysis; empty for one that says nothing.
func statusOf(s cdx.ImpactAnalysisState) core.VEXStatus {
	switch s {
	case cdx.IASNotAffected, cdx.IASFalsePositive:
		return core.VEXNotAffected
	case cdx.IASResolved, cdx.IASResolvedWithPedigree:
		return core.VEXFixed
	case cdx.IASExploitable:
		return core.VEXAffected
	case cdx.IASInTriage:
		return core.VEXUnderInvestigation
	}
	return ""
}

// Statements is how many statements the document has.
func (d *VEX) Statements() int { return len(d.statements) }

// Excuse adds to every vulnerability what the documents say of it. Nothing is removed: what excuses a finding is for
// policy to weigh.
func Excuse(e *core.Evidence, documents []*VEX) {
	type said struct {
		document *VEX
		*statement
	}
	byID := map[string][]said{}
	for _, d := range documents {
		for i := range d.statements {
			for _, id := range d.statements[i].ids {
				byID[id] = append(byID[id], said{d, &d.statements[i]})
			}
		}
	}
	subjects := map[core.Digest]*core.Subject{}
	for i := range e.Subjects {
		subjects[e.Subjects[i].Digest] = &e.Subjects[i]
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		if f.Kind != core.KindVulnerability || f.Package == nil {
			continue
		}
		seen := map[*statement]bool{}
		for _, id := range append([]string{f.Rule}, f.Aliases...) {
			for _, s := range byID[id] {
				if !seen[s.statement] && s.about(s.document, f, subjects) {
					seen[s.statement] = true
					v := s.VEXStatement
					v.TrustedBy = s.document.TrustedBy
					f.VEX = append(f.VEX, v)
					if v.TrustedBy != "" && s.declined && f.Fix.State == core.FixNone {
						f.Fix.State = core.FixWontFix
					}
				}
			}
		}
		slices.SortStableFunc(f.VEX, func(a, b core.VEXStatement) int {
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Status, b.Status))
		})
	}
}

// about reports whether a statement is about the package of a finding in its subject.
func (s *statement) about(d *VEX, f *core.Finding, subjects map[core.Digest]*core.Subject) bool {
	attested := d.Subject != ""
	if attested && !within(f.Subject, d.Subject, subjects) {
		return false
	}
	if len(s.products) == 0 {
		return attested // to what it is about
	}
	for i := range s.products {
		p := &s.products[i]
		if len(p.parts) == 0 && p.Matches(f.Package.Purl) {
			return true
		}
		if !p.names(f.Subject, subjects) && !(attested && p.isImage()) {
			continue
		}
		if len(p.parts) == 0 || slices.ContainsFunc(p.parts, func(c vex.Component) bool { return c.Matches(f.Package.Purl) }) {
			return true
		}
	}
	return false
}

// within reports whether a subject is another, or one of its platforms.
func within(d, outer core.Digest, subjects map[core.Digest]*core.Subject) bool {
	s := subjects[d]
	return d == outer || s != nil && s.Parent == outer
}

// names reports whether the product is the subject, or the index that holds it, by its digest. A name alone is nobody's.
func (p *product) names(d core.Digest, subjects map[core.Digest]*core.Subject) bool {
	digests := []core.Digest{d}
	if s := subjects[d]; s != nil && s.Parent != "" {
		digests = append(digests, s.Parent)
	}
	for _, digest := range digests {
		_, hex, _ := strings.Cut(string(digest), ":")
		if hex == "" {
			continue // what has no digest is named by none
		}
		if p.Hashes[vex.SHA256] == vex.Hash(hex) {
			return true
		}
		for _, id := range append([]string{p.ID}, identifiers(p)...) {
			if _, version, ok := strings.Cut(strings.ReplaceAll(id, "%3A", ":"), "@"+string(digest)); ok &&
				(version == "" || version[0] == '?' || version[0] == '#') {
				return true
			}
		}
	}
	return false
}

// isImage reports whether the product is an image whose digest is not said.
func (p *product) isImage() bool {
	return slices.ContainsFunc(append([]string{p.ID}, identifiers(p)...), func(id string) bool {
		return strings.HasPrefix(id, "pkg:oci/") && !strings.Contains(strings.ReplaceAll(id, "%3A", ":"), "sha256:")
	})
}

func identifiers(p *product) []string {
	var out []string
	for _, id := range p.Identifiers {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
