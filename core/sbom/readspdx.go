package sbom

import (
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// spdxIndex is what must be known before the packages are read: documents may name it after them.
type spdxIndex struct {
	// described are the elements that the document is about, holders those that contain others.
	described, holders map[string]bool
	// licenses are the texts or names of the document's own licences.
	licenses map[string]string
}

// spdxPackage is what is read of a package.
type spdxPackage struct {
	id, purpose, declared, concluded string
	// morePurls are package URLs after the first, as of a jar that is known under two coordinates.
	morePurls []string
	// distro is what claircore writes of an operating system.
	distro map[string]string
	entryPackage
}

func (r *reading) readSPDX() error {
	index, err := r.indexSPDX()
	if err != nil {
		return err
	}
	doc := r.doc
	doc.Restart()
	return doc.Object(func(name []byte) error {
		if string(name) != "packages" {
			return nil
		}
		return list(doc, func() error { return r.spdxPackage(doc, index) })
	})
}

func (r *reading) indexSPDX() (*spdxIndex, error) {
	index := &spdxIndex{described: map[string]bool{}, holders: map[string]bool{}, licenses: map[string]string{}}
	doc := r.doc
	doc.Restart()
	return index, doc.Object(func(name []byte) error {
		switch string(name) {
		case "documentDescribes":
			return each(doc, func() error {
				index.described[text(doc)] = true
				return nil
			})
		case "relationships":
			return each(doc, func() error { return index.relationship(doc) })
		case "hasExtractedLicensingInfos":
			return each(doc, func() error { return index.license(doc) })
		}
		return nil
	})
}

func (x *spdxIndex) relationship(doc *strictjson.Reader) error {
	var from, to, kind string
	err := members(doc, func(name string) error {
		switch name {
		case "spdxElementId":
			from = text(doc)
		case "relatedSpdxElement":
			to = text(doc)
		case "relationshipType":
			kind = text(doc)
		}
		return nil
	})
	switch kind {
	case "DESCRIBES":
		x.described[to] = true
	case "DESCRIBED_BY":
		x.described[from] = true
	case "CONTAINS", "DEPENDENCY_MANIFEST_OF", "DEPENDS_ON":
		x.holders[from] = true
	case "CONTAINED_BY", "DEPENDENCY_OF":
		x.holders[to] = true
	}
	return err
}

func (x *spdxIndex) license(doc *strictjson.Reader) error {
	var id, name, content string
	err := members(doc, func(member string) error {
		switch member {
		case "licenseId":
			id = text(doc)
		case "name":
			name = text(doc)
		case "extractedText":
			content = text(doc)
		}
		return nil
	})
	if name == "" || name == noAssertion {
		name = content
	}
	x.licenses[id] = clean(name)
	return err
}

func (r *reading) spdxPackage(doc *strictjson.Reader, index *spdxIndex) error {
	if err := r.entry(); err != nil {
		return err
	}
	var p spdxPackage
	if err := doc.Object(func(name []byte) error { return p.member(doc, string(name)) }); err != nil {
		return err
	}
	p.licenses = index.licensesOf(&p)
	if err := r.finishSPDX(&p, index); err != nil {
		return err
	}
	return r.addMore(&p)
}

// addMore makes a package of each package URL after the first: which of them is right, only the writer knew.
func (r *reading) addMore(p *spdxPackage) error {
	for _, purl := range p.morePurls {
		if err := r.entry(); err != nil {
			return err
		}
		u, ok := parsePurl(purl)
		switch {
		case purl == p.purl || ok && isImage(u): // an image was counted by the first
		case !ok:
			r.gap(gapBadPurl, purl)
		default:
			more := entryPackage{name: p.name, version: p.version, purl: purl, licenses: slices.Clone(p.licenses),
				hashes: p.hashes, locations: slices.Clone(p.locations)}
			if err := r.add(&more, u); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *spdxPackage) member(doc *strictjson.Reader, name string) error {
	switch name {
	case "SPDXID":
		p.id = text(doc)
	case "name":
		p.name = text(doc)
	case "versionInfo":
		p.version = text(doc)
	case "primaryPackagePurpose":
		p.purpose = strings.ReplaceAll(text(doc), "_", "-")
	case "licenseDeclared":
		p.declared = text(doc)
	case "licenseConcluded":
		p.concluded = text(doc)
	case "sourceInfo":
		p.source = sourceOfInfo(text(doc))
	case "comment":
		p.properties = append(p.properties, propertiesOf(text(doc))...)
	case "checksums":
		return readPairs(doc, "algorithm", "checksumValue", &p.hashes)
	case "externalRefs":
		return each(doc, func() error { return p.reference(doc) })
	}
	return nil
}

// reference takes the package URLs, and what claircore says of an operating system.
func (p *spdxPackage) reference(doc *strictjson.Reader) error {
	var kind, locator string
	err := members(doc, func(name string) error {
		switch name {
		case "referenceType":
			kind = text(doc)
		case "referenceLocator":
			locator = text(doc)
		}
		return nil
	})
	switch kind {
	case "purl", "http://spdx.org/rdf/references/purl":
		if p.purl == "" {
			p.purl = locator
		} else if !slices.Contains(p.morePurls, locator) {
			p.morePurls = append(p.morePurls, locator)
		}
	case "did", "version_id":
		if p.distro == nil {
			p.distro = map[string]string{}
		}
		p.distro[kind] = locator
	}
	return err
}

// finishSPDX decides what a package is.
func (r *reading) finishSPDX(p *spdxPackage, index *spdxIndex) error {
	r.noteSubject(p.properties)
	u, ok := parsePurl(p.purl)
	described := index.described[p.id]
	switch {
	case described && (p.purl == "" || isImage(u) || !ok):
		if r.described == "" {
			r.described = describedBy(p.purl, p.properties)
		}
	case p.purpose == "OPERATING-SYSTEM" || p.purpose == "" && strings.HasPrefix(p.id, "SPDXRef-OperatingSystem"):
		r.addSystem(p.system())
		if ok && isPackage(u) {
			return r.add(&p.entryPackage, u)
		}
	case ok && isImage(u), p.purpose == "CONTAINER" && p.purl == "":
		if !index.holders[p.id] && !isOurs(p.properties) {
			r.gap(gapImage, p.name)
		}
	case p.purl != "" && !ok:
		r.gap(gapBadPurl, p.purl)
	case ok:
		return r.add(&p.entryPackage, u)
	case p.purpose == "FILE" || p.purpose == "DEVICE" || isOurs(p.properties):
	case p.version == "" && index.holders[p.id]: // stands for a lockfile
	default:
		r.gap(gapNoPurl, p.name)
	}
	return nil
}

// isOurs reports whether a package stands for a subject in a document of ours.
func isOurs(props []property) bool {
	for _, p := range props {
		if p.name == propKind {
			return true
		}
	}
	return false
}

func (p *spdxPackage) system() core.Distro {
	name, version := p.name, p.version
	if p.distro["did"] != "" {
		name, version = p.distro["did"], p.distro["version_id"]
	}
	return systemOf(name, version, p.properties)
}

// licensesOf prefers what the package declares. A licence of the document's own is given by its name.
func (x *spdxIndex) licensesOf(p *spdxPackage) []string {
	var own []string
	for _, prop := range p.properties {
		if prop.name == propLicense && prop.value != "" {
			own = append(own, clean(prop.value))
		}
	}
	if own != nil {
		return own
	}
	for _, expression := range []string{p.declared, p.concluded} {
		switch {
		case expression == "" || expression == noAssertion || expression == "NONE":
		case x.licenses[expression] != "":
			return []string{x.licenses[expression]}
		default:
			return []string{clean(expression)}
		}
	}
	return nil
}

// sourceOfInfo reads the wording of Trivy, which is also ours.
func sourceOfInfo(info string) *core.SourcePackage {
	rest, ok := strings.CutPrefix(info, sourceInfoPrefix)
	if !ok {
		return nil
	}
	name, version, _ := strings.Cut(rest, " ")
	return source(name, version)
}

// propertiesOf reads the lines that commentOf wrote. Other comments have none.
func propertiesOf(comment string) []property {
	var props []property
	for line := range strings.Lines(comment) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if ok && strings.HasPrefix(name, "cleanbill:") {
			props = append(props, property{name, value})
		}
	}
	return props
}
