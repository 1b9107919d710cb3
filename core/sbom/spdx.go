package sbom

import (
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/cleanbill-ci/cleanbill/core"
)

const (
	noAssertion       = "NOASSERTION"
	spdxNamespace     = "https://github.com/cleanbill-ci/cleanbill/spdx/"
	purlReferenceType = "purl"
)

// writeSPDX writes one document that describes the roots. An index contains its platforms, and a subject its operating
// system and packages.
func writeSPDX(w io.Writer, roots []*part, o Options) error {
	s := spdxWriter{licenses: newLicenseList(), named: map[string]string{}}
	doc := s.document(roots, o)
	// The namespace comes from the content, so the document is encoded twice: the first time only to be hashed.
	content := sha256.New()
	if err := spdxjson.Write(doc, content, spdxjson.EscapeHTML(false)); err != nil {
		return err
	}
	doc.DocumentNamespace = spdxNamespace + contentUUID(content.Sum(nil))
	if !o.Timestamp.IsZero() {
		doc.CreationInfo.Created = o.Timestamp.UTC().Format(time.RFC3339)
	}
	return spdxjson.Write(doc, w, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
}

type spdxWriter struct {
	licenses licenseList
	// named maps licences that are not on SPDX's list to their identifier in this document.
	named         map[string]string
	packages      []*v2_3.Package
	relationships []*v2_3.Relationship
	others        []*v2_3.OtherLicense
}

func (s *spdxWriter) document(roots []*part, o Options) *v2_3.Document {
	for _, r := range roots {
		id := s.part(r)
		s.relate("DOCUMENT", common.TypeRelationshipDescribe, id)
	}
	slices.SortStableFunc(s.others, func(a, b *v2_3.OtherLicense) int {
		return strings.Compare(a.LicenseIdentifier,
			b.LicenseIdentifier)
	})
	return &v2_3.Document{
		SPDXVersion:    v2_3.Version,
		DataLicense:    v2_3.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   subjectName(roots[0].subject),
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: toolName(o)}},
			Created:  time.Unix(0, 0).UTC().Format(time.RFC3339),
		},
		Packages:      s.packages,
		OtherLicenses: s.others,
		Relationships: s.relationships,
	}
}

// toolName is NAME-VERSION, as the specification writes tools.
//
// https://spdx.github.io/spdx-spec/v2.3/document-creation-information/#68-creator-field
func toolName(o Options) string {
	if o.Version == "" {
		return clean(o.Tool)
	}
	return clean(o.Tool + "-" + o.Version)
}

// part adds a subject with all that it contains and returns its identifier.
func (s *spdxWriter) part(p *part) common.ElementID {
	id := common.ElementID("Subject-" + p.id)
	s.packages = append(s.packages, s.subject(p, id))
	for _, child := range p.children {
		s.relate(id, common.TypeRelationshipContains, s.part(child))
	}
	if p.facts != nil && p.facts.Distro != nil {
		system := spdxOperatingSystem(p)
		s.packages = append(s.packages, system)
		s.relate(id, common.TypeRelationshipContains, system.PackageSPDXIdentifier)
	}
	for i := range p.packages {
		pkg := s.pkg(&p.packages[i])
		s.packages = append(s.packages, pkg)
		s.relate(id, common.TypeRelationshipContains, pkg.PackageSPDXIdentifier)
	}
	return id
}

func (s *spdxWriter) relate(from common.ElementID, relationship string, to common.ElementID) {
	s.relationships = append(s.relationships, &v2_3.Relationship{
		RefA:         common.DocElementID{ElementRefID: from},
		RefB:         common.DocElementID{ElementRefID: to},
		Relationship: relationship,
	})
}

// blank is a package of which nothing is asserted yet.
func blank(id common.ElementID, name, version, purpose string) *v2_3.Package {
	if name == "" {
		name = "unknown"
	}
	return &v2_3.Package{
		PackageName:             name,
		PackageSPDXIdentifier:   id,
		PackageVersion:          version,
		PackageDownloadLocation: noAssertion,
		PackageLicenseConcluded: noAssertion,
		PackageLicenseDeclared:  noAssertion,
		PackageCopyrightText:    noAssertion,
		PrimaryPackagePurpose:   purpose,
	}
}

func (s *spdxWriter) subject(p *part, id common.ElementID) *v2_3.Package {
	pkg := blank(id, subjectName(p.subject), string(p.subject.Digest), "SOURCE")
	pkg.PackageComment = commentOf(subjectProperties(p))
	switch p.subject.Kind {
	case core.KindIndex, core.KindImage:
		pkg.PrimaryPackagePurpose = "CONTAINER"
		pkg.PackageExternalReferences = purlReference(imagePurl(p.subject))
	case core.KindSBOM:
		pkg.PrimaryPackagePurpose = "OTHER"
	}
	if algorithm, value, ok := strings.Cut(string(p.subject.Digest), ":"); ok {
		pkg.PackageChecksums = checksums(map[string]string{algorithm: value})
	}
	return pkg
}

func spdxOperatingSystem(p *part) *v2_3.Package {
	d := p.facts.Distro
	pkg := blank(common.ElementID("OperatingSystem-"+p.id), clean(d.ID), clean(d.VersionID), "OPERATING_SYSTEM")
	pkg.PackageSummary = clean(d.PrettyName)
	return pkg
}

func (s *spdxWriter) pkg(p *item) *v2_3.Package {
	pkg := blank(common.ElementID("Package-"+p.id), clean(p.Name), clean(p.Version), "LIBRARY")
	pkg.PackageExternalReferences = purlReference(clean(p.Purl))
	pkg.PackageChecksums = checksums(p.Hashes)
	pkg.PackageSourceInfo = sourceInfo(p.Source)
	props := packageProperties(p.Package)
	if len(p.Licenses) > 0 {
		var exact bool
		pkg.PackageLicenseDeclared, exact = s.declared(p.Licenses)
		if !exact {
			for _, l := range p.Licenses {
				props = append(props, property{propLicense, clean(l)})
			}
		}
	}
	for _, l := range p.Locations {
		props = append(props, property{propLocation, locationValue(l)})
	}
	pkg.PackageComment = commentOf(props)
	return pkg
}

func purlReference(purl string) []*v2_3.PackageExternalReference {
	if purl == "" {
		return nil
	}
	return []*v2_3.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: purlReferenceType,
		Locator: purl}}
}

func checksums(m map[string]string) []common.Checksum {
	known, _ := hashesOf(m)
	var sums []common.Checksum
	for _, h := range known {
		sums = append(sums, common.Checksum{Algorithm: common.ChecksumAlgorithm(h.algorithm.spdx), Value: h.value})
	}
	return sums
}

// sourceInfoPrefix is the wording that Trivy introduced and readers know.
const sourceInfoPrefix = "built package from: "

func sourceInfo(src *core.SourcePackage) string {
	if src == nil {
		return ""
	}
	return strings.TrimSpace(sourceInfoPrefix + clean(src.Name) + " " + clean(src.Version))
}

// commentOf writes properties as lines. Their values have no line breaks: see clean.
func commentOf(props []property) string {
	var b strings.Builder
	for i, p := range props {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

// declared joins licences to one expression. It reports whether reading gives the same list: one licence does.
func (s *spdxWriter) declared(licenses []string) (expression string, exact bool) {
	var terms []string
	for _, l := range licenses {
		term := s.term(l)
		if len(licenses) > 1 && strings.Contains(term, " ") {
			term = "(" + term + ")"
		}
		if term != "" {
			terms = append(terms, term)
		}
	}
	if len(terms) == 0 {
		return noAssertion, false
	}
	return strings.Join(terms, " AND "), len(licenses) == 1
}

// term is a licence as part of an expression. What SPDX does not know becomes a licence of this document.
func (s *spdxWriter) term(l string) string {
	if expression, refs, ok := s.licenses.expression(l); ok {
		for _, ref := range refs {
			s.define(ref, ref, "The package declares this licence by its identifier alone.")
		}
		return expression
	}
	name := clean(l)
	if name == "" {
		return ""
	}
	ref := licenseRefPrefix + "cleanbill-" + identifier(name)
	s.define(ref, name, name)
	return ref
}

func (s *spdxWriter) define(ref, name, text string) {
	if _, ok := s.named[ref]; ok {
		return
	}
	s.named[ref] = name
	s.others = append(s.others, &v2_3.OtherLicense{LicenseIdentifier: ref, LicenseName: name, ExtractedText: text})
}
