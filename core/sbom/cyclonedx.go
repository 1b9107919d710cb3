package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"

	"github.com/cleanbill-ci/cleanbill/core"
)

const cycloneDXSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"

// writeCycloneDX writes one BOM. A single subject is its metadata component, and everything found is a component beside
// it. An index is the metadata component, and each platform a component with its packages nested in it; several targets
// stand beside each other without a metadata component.
func writeCycloneDX(w io.Writer, roots []*part, o Options) error {
	c := cycloneDXWriter{licenses: newLicenseList(), part: o.Part}
	bom := c.bom(roots, o)
	// The serial number comes from the content, so the document is encoded twice: the first time only to be hashed.
	content := sha256.New()
	if err := encodeCycloneDX(content, bom, false); err != nil {
		return err
	}
	bom.SerialNumber = "urn:uuid:" + contentUUID(content.Sum(nil))
	if !o.Timestamp.IsZero() {
		bom.Metadata.Timestamp = o.Timestamp.UTC().Format(time.RFC3339)
	}
	return encodeCycloneDX(w, bom, !o.Compact)
}

func encodeCycloneDX(w io.Writer, bom *cdx.BOM, pretty bool) error {
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(pretty).SetEscapeHTML(false).Encode(bom)
}

// contentUUID derives a version 5 UUID from the hash of a document.
//
// https://www.rfc-editor.org/rfc/rfc9562#section-5.5
func contentUUID(sum []byte) string {
	return uuid.NewSHA1(uuid.NameSpaceURL,
		[]byte("https://github.com/cleanbill-ci/cleanbill/sbom/"+hex.EncodeToString(sum))).String()
}

type cycloneDXWriter struct {
	licenses     licenseList
	part         bool
	dependencies []cdx.Dependency
	compositions map[cdx.CompositionAggregate][]cdx.BOMReference
}

func (c *cycloneDXWriter) bom(roots []*part, o Options) *cdx.BOM {
	c.compositions = map[cdx.CompositionAggregate][]cdx.BOMReference{}
	bom := &cdx.BOM{
		JSONSchema:  cycloneDXSchema,
		BOMFormat:   cdx.BOMFormat,
		SpecVersion: cdx.SpecVersion1_6,
		Version:     1,
		Metadata: &cdx.Metadata{Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: clean(o.Tool), Version: cleanVersion(o.Version),
		}}}},
	}
	components := []cdx.Component{}
	if len(roots) == 1 {
		root := c.subject(roots[0])
		bom.Metadata.Component = &root
		components = c.contents(roots[0])
	} else {
		for _, r := range roots {
			components = append(components, c.nested(r))
		}
	}
	bom.Components = &components
	bom.Dependencies = &c.dependencies
	if all := c.aggregates(); len(all) > 0 {
		bom.Compositions = &all
	}
	return bom
}

// nested is a subject with its contents inside.
func (c *cycloneDXWriter) nested(p *part) cdx.Component {
	component := c.subject(p)
	if contents := c.contents(p); len(contents) > 0 {
		component.Components = &contents
	}
	return component
}

// contents are the components within a subject: its platforms, its operating system and its packages. They are also
// noted as what the subject depends on; what packages depend on is not known, so they are not in the graph.
func (c *cycloneDXWriter) contents(p *part) []cdx.Component {
	contents := make([]cdx.Component, 0, len(p.children)+len(p.packages)+1)
	for _, child := range p.children {
		contents = append(contents, c.nested(child))
	}
	if p.facts != nil && p.facts.Distro != nil {
		contents = append(contents, operatingSystem(p))
	}
	for i := range p.packages {
		contents = append(contents, c.pkg(&p.packages[i]))
	}
	refs := make([]string, 0, len(contents))
	for i := range contents {
		refs = append(refs, contents[i].BOMRef)
	}
	slices.Sort(refs)
	c.dependencies = append(c.dependencies, cdx.Dependency{Ref: subjectRef(p), Dependencies: &refs})
	c.compose(p)
	return contents
}

// compose says whether a subject's list is whole.
func (c *cycloneDXWriter) compose(p *part) {
	if p.subject.Kind == core.KindIndex {
		return
	}
	aggregate := cdx.CompositionAggregateIncomplete
	switch {
	case c.part:
	case p.status == core.Complete:
		aggregate = cdx.CompositionAggregateComplete
	case p.status == "":
		aggregate = cdx.CompositionAggregateUnknown
	}
	c.compositions[aggregate] = append(c.compositions[aggregate], cdx.BOMReference(subjectRef(p)))
}

func (c *cycloneDXWriter) aggregates() []cdx.Composition {
	var all []cdx.Composition
	for _, a := range []cdx.CompositionAggregate{cdx.CompositionAggregateComplete, cdx.CompositionAggregateIncomplete,
		cdx.CompositionAggregateUnknown} {
		if refs := c.compositions[a]; len(refs) > 0 {
			all = append(all, cdx.Composition{Aggregate: a, Assemblies: &refs})
		}
	}
	return all
}

func subjectRef(p *part) string { return "subject:" + p.id }

func (c *cycloneDXWriter) subject(p *part) cdx.Component {
	s := p.subject
	component := cdx.Component{
		BOMRef:     subjectRef(p),
		Type:       cdx.ComponentTypeApplication,
		Name:       subjectName(s),
		Version:    string(s.Digest),
		Properties: cycloneDXProperties(subjectProperties(p)),
	}
	if s.Kind == core.KindIndex || s.Kind == core.KindImage {
		component.Type = cdx.ComponentTypeContainer
		component.PackageURL = imagePurl(s)
	}
	if algorithm, value, ok := strings.Cut(string(s.Digest), ":"); ok {
		component.Hashes = cycloneDXHashes(map[string]string{algorithm: value})
	}
	return component
}

// subjectName is what people call a subject, without tag and digest.
func subjectName(s core.Subject) string {
	name := s.Name
	if s.Kind == core.KindIndex || s.Kind == core.KindImage {
		name, _ = repositoryOf(s.Name)
	}
	if name == "" {
		name = string(s.Kind)
	}
	return clean(name)
}

func operatingSystem(p *part) cdx.Component {
	d := p.facts.Distro
	component := cdx.Component{
		BOMRef:      "os:" + p.id,
		Type:        cdx.ComponentTypeOS,
		Name:        clean(d.ID),
		Version:     cleanVersion(d.VersionID),
		Description: clean(d.PrettyName),
	}
	if component.Name == "" {
		component.Name = "unknown"
	}
	var props []property
	props = appendNotEmpty(props, "cleanbill:distro:codename", d.Codename)
	props = appendNotEmpty(props, "cleanbill:distro:endOfLife", d.EndOfLife)
	props = appendNotEmpty(props, "cleanbill:distro:ecosystem", d.Ecosystem)
	component.Properties = cycloneDXProperties(props)
	return component
}

func (c *cycloneDXWriter) pkg(p *item) cdx.Component {
	component := cdx.Component{
		BOMRef:     "package:" + p.id,
		Type:       cdx.ComponentTypeLibrary,
		Name:       clean(p.Name),
		Version:    cleanVersion(p.Version),
		PackageURL: clean(p.Purl),
		Hashes:     cycloneDXHashes(p.Hashes),
		Properties: cycloneDXProperties(packageProperties(p.Package)),
		Licenses:   c.licenseChoices(p.Licenses),
		Evidence:   occurrences(p.Locations),
	}
	component.Group, component.Name = group(p.Purl, component.Name)
	switch p.Scope {
	case core.ScopeRuntime:
		component.Scope = cdx.ScopeRequired
	case core.ScopeDevelopment:
		component.Scope = cdx.ScopeExcluded
	}
	return component
}

// group splits the names of the ecosystems whose tools look for the namespace in a member of its own.
func group(purl, name string) (group, rest string) {
	separator := ""
	switch {
	case strings.HasPrefix(purl, "pkg:maven/"):
		separator = ":"
	case strings.HasPrefix(purl, "pkg:npm/"), strings.HasPrefix(purl, "pkg:composer/"):
		separator = "/"
	}
	if before, after, ok := strings.Cut(name, separator); ok && separator != "" && before != "" && after != "" {
		return before, after
	}
	return "", name
}

// licenseChoices gives what the schema allows: one expression, or a list of identifiers and names.
func (c *cycloneDXWriter) licenseChoices(declared []string) *cdx.Licenses {
	if len(declared) == 0 {
		return nil
	}
	if len(declared) == 1 && c.licenses.id(declared[0]) == "" {
		if expression, refs, ok := c.licenses.expression(declared[0]); ok && len(refs) == 0 {
			return &cdx.Licenses{{Expression: expression}}
		}
	}
	choices := make(cdx.Licenses, 0, len(declared))
	for _, l := range declared {
		if id := c.licenses.id(l); id != "" {
			choices = append(choices, cdx.LicenseChoice{License: &cdx.License{ID: id}})
		} else if name := clean(l); name != "" {
			choices = append(choices, cdx.LicenseChoice{License: &cdx.License{Name: name}})
		}
	}
	if len(choices) == 0 {
		return nil
	}
	return &choices
}

func cycloneDXHashes(m map[string]string) *[]cdx.Hash {
	known, _ := hashesOf(m)
	if len(known) == 0 {
		return nil
	}
	hashes := make([]cdx.Hash, 0, len(known))
	for _, h := range known {
		hashes = append(hashes, cdx.Hash{Algorithm: cdx.HashAlgorithm(h.algorithm.cycloneDX), Value: h.value})
	}
	return &hashes
}

func cycloneDXProperties(props []property) *[]cdx.Property {
	if len(props) == 0 {
		return nil
	}
	out := make([]cdx.Property, 0, len(props))
	for _, p := range props {
		out = append(out, cdx.Property{Name: p.name, Value: p.value})
	}
	return &out
}

// layerContext marks the layer of an occurrence, in the member for further context.
const layerContext = "layer "

func occurrences(locations []core.Location) *cdx.Evidence {
	if len(locations) == 0 {
		return nil
	}
	out := make([]cdx.EvidenceOccurrence, 0, len(locations))
	for _, l := range locations {
		o := cdx.EvidenceOccurrence{Location: clean(l.Path)}
		if o.Location == "" {
			o.Location = "."
		}
		if l.Line > 0 {
			o.Line = &l.Line
		}
		if l.Layer != "" {
			o.AdditionalContext = layerContext + string(l.Layer)
		}
		out = append(out, o)
	}
	return &cdx.Evidence{Occurrences: &out}
}
