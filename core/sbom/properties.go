package sbom

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// The properties that carry what the formats have no member for. In CycloneDX they are properties of a component, in
// SPDX lines "name=value" of a package's comment. Those of the first group are written only where the package URL does
// not say the same.
const (
	propName         = "cleanbill:name"
	propVersion      = "cleanbill:version"
	propEcosystem    = "cleanbill:ecosystem"
	propArchitecture = "cleanbill:architecture"
	propSourceName   = "cleanbill:source:name"
	propSourceVer    = "cleanbill:source:version"
	propModule       = "cleanbill:module"

	propAnalyzer   = "cleanbill:analyzer"
	propScope      = "cleanbill:scope"
	propVendored   = "cleanbill:vendored"
	propLicense    = "cleanbill:license"  // one for each, where the format's own member cannot hold the list
	propHash       = "cleanbill:hash:"    // and the algorithm, where the format does not have it
	propLocation   = "cleanbill:location" // SPDX only
	propLayerIndex = "cleanbill:layer:index"
	propLayerDiff  = "cleanbill:layer:diffId"
	propLayerBy    = "cleanbill:layer:createdBy"

	propSubject   = "cleanbill:subject" // what the user called it
	propKind      = "cleanbill:kind"
	propDigest    = "cleanbill:digest"
	propPlatform  = "cleanbill:platform"
	propMediaType = "cleanbill:mediaType"
	propBaseName  = "cleanbill:base:name"
	propBaseID    = "cleanbill:base:digest"
	propRemoved   = "cleanbill:packages:removed"
	propExamined  = "cleanbill:examination:packages"
	propWhy       = "cleanbill:examination:packages:why"
)

// property is one of them with its value.
type property struct{ name, value string }

// The bounds on foreign text, in bytes. What identifies a package is far shorter; a longer one is no package.
const (
	maxText      = 4096
	maxCreatedBy = 512
	maxReason    = 512
)

// clean makes foreign text fit for a document: valid UTF-8 on one line, without control characters, bounded.
func clean(s string) string { return redact.Limited(s, maxText) }

// cleanVersion is clean for a version, of which CycloneDX takes less.
//
// https://cyclonedx.org/docs/1.6/json/#components_items_version
func cleanVersion(s string) string { return redact.Limited(s, 1024) }

// packageProperties are the properties of one package.
func packageProperties(p core.Package) []property {
	props := identityProperties(p)
	props = appendNotEmpty(props, propAnalyzer, p.Analyzer)
	props = appendNotEmpty(props, propScope, string(p.Scope))
	if p.Vendored {
		props = append(props, property{propVendored, "true"})
	}
	_, others := hashesOf(p.Hashes)
	for _, algorithm := range slices.Sorted(maps.Keys(others)) {
		props = append(props, property{propHash + clean(algorithm), clean(others[algorithm])})
	}
	if o := p.Origin; o != nil {
		props = append(props, property{propLayerIndex, strconv.Itoa(o.Layer)})
		props = appendNotEmpty(props, propLayerDiff, string(o.DiffID))
		if o.CreatedBy != "" {
			props = append(props, property{propLayerBy, redact.Limited(o.CreatedBy, maxCreatedBy)})
		}
	}
	return props
}

// identityProperties say what the package URL does not, so that reading gives the same package.
func identityProperties(p core.Package) []property {
	var says identity
	if u, err := packageurl.FromString(p.Purl); err == nil {
		says = identify(u, nil)
	}
	var props []property
	differs := func(name, own, said string) {
		if own != said {
			props = append(props, property{name, clean(own)})
		}
	}
	differs(propName, p.Name, says.name)
	differs(propVersion, p.Version, says.version)
	differs(propEcosystem, p.Ecosystem, says.ecosystem)
	differs(propArchitecture, p.Architecture, says.architecture)
	differs(propModule, p.Module, says.module)
	own, said := sourceOrNone(p.Source), sourceOrNone(says.source)
	if own != said {
		props = append(props, property{propSourceName, clean(own.Name)}, property{propSourceVer, clean(own.Version)})
	}
	return props
}

func sourceOrNone(s *core.SourcePackage) core.SourcePackage {
	if s == nil {
		return core.SourcePackage{}
	}
	return *s
}

func appendNotEmpty(props []property, name, value string) []property {
	if value == "" {
		return props
	}
	return append(props, property{name, clean(value)})
}

// subjectProperties are the properties of the component or package that stands for a subject.
func subjectProperties(p *part) []property {
	s := p.subject
	props := []property{
		{propSubject, redact.Reference(s.Name)},
		{propKind, string(s.Kind)},
		{propDigest, string(s.Digest)},
	}
	if s.Platform != nil {
		props = append(props, property{propPlatform, clean(s.Platform.String())})
	}
	props = appendNotEmpty(props, propMediaType, s.MediaType)
	if p.facts != nil {
		props = append(props, imageProperties(p.facts)...)
	}
	if p.status != "" {
		props = append(props, property{propExamined, string(p.status)})
	}
	for _, why := range p.why[:min(len(p.why), maxReasons)] {
		props = append(props, property{propWhy, redact.Limited(why, maxReason)})
	}
	if s.Kind != core.KindIndex {
		props = append(props, property{propRemoved, strconv.Itoa(p.removed)})
	}
	return props
}

func imageProperties(f *core.ImageFacts) []property {
	var props []property
	if f.Base != nil {
		props = appendNotEmpty(props, propBaseName, redact.Reference(f.Base.Name))
		props = appendNotEmpty(props, propBaseID, string(f.Base.Digest))
	}
	for i, l := range f.Layers {
		prefix := "cleanbill:layer:" + strconv.Itoa(i) + ":"
		props = append(props, property{prefix + "digest", clean(string(l.Digest))}, property{prefix + "diffId",
			clean(string(l.DiffID))})
		props = appendNotEmpty(props, prefix+"createdBy", l.CreatedBy)
	}
	return props
}

// locationValue writes a location as PATH, PATH#L7, PATH@DIFFID or PATH#L7@DIFFID. An empty part is written where the
// path itself ends like one.
func locationValue(l core.Location) string {
	s := clean(l.Path)
	if l.Line > 0 || lineSuffix.MatchString(s) {
		s += "#L" + strconv.Itoa(l.Line)
	}
	if l.Layer != "" || layerSuffix.MatchString(s) {
		s += "@" + string(l.Layer)
	}
	return s
}

var (
	lineSuffix  = regexp.MustCompile(`#L([0-9]{1,9})$`)
	layerSuffix = regexp.MustCompile(`@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|)$`)
)

// parseLocation reads what locationValue wrote.
func parseLocation(s string) core.Location {
	var l core.Location
	if m := layerSuffix.FindStringSubmatch(s); m != nil {
		l.Layer = core.Digest(m[1])
		s = strings.TrimSuffix(s, m[0])
	}
	if m := lineSuffix.FindStringSubmatch(s); m != nil {
		l.Line, _ = strconv.Atoi(m[1])
		s = strings.TrimSuffix(s, m[0])
	}
	l.Path = s
	return l
}

// apply puts what our properties and those of other scanners say over what the package URL says. That a package is
// vendored is not believed: policies take a match with such a copy less seriously, and whoever wrote the document gains
// by it. The scope is, which the formats have members for and no profile of ours looks at; and a document has nothing
// of files that are gone from an image.
func apply(p *core.Package, props []property) error {
	var others foreign
	for _, prop := range props {
		if err := applyOwn(p, prop); err != nil {
			return err
		}
		others.note(p, prop)
		applyForeign(p, prop)
	}
	others.fill(p)
	if p.Source != nil && p.Source.Name == "" {
		p.Source = nil
	}
	if p.Origin != nil && p.Origin.DiffID == "" {
		p.Origin = nil
	}
	return nil
}

func applyOwn(p *core.Package, prop property) error {
	switch prop.name {
	case propName:
		p.Name = prop.value
	case propVersion:
		p.Version = prop.value
	case propEcosystem:
		p.Ecosystem = prop.value
	case propArchitecture:
		p.Architecture = prop.value
	case propSourceName:
		p.Source = &core.SourcePackage{Name: prop.value}
	case propSourceVer:
		if p.Source != nil {
			p.Source.Version = prop.value
		}
	case propModule:
		if p.Module == "" {
			p.Module = moduleOf(prop.value)
		}
	case propAnalyzer:
		p.Analyzer = prop.value
	case propScope:
		if s := core.Scope(prop.value); s == core.ScopeDevelopment || s == core.ScopeRuntime {
			p.Scope = s
		}
	case propLocation:
		p.Locations = append(p.Locations, parseLocation(prop.value))
	case propLayerIndex, propLayerDiff, propLayerBy:
		return applyOrigin(p, prop)
	}
	if algorithm, ok := strings.CutPrefix(prop.name, propHash); ok && algorithm != "" {
		addHash(p, algorithm, prop.value)
	}
	return nil
}

func applyOrigin(p *core.Package, prop property) error {
	if p.Origin == nil {
		p.Origin = &core.Origin{}
	}
	switch prop.name {
	case propLayerIndex:
		n, err := strconv.Atoi(prop.value)
		if err != nil || n < 0 {
			return fmt.Errorf("the property %s is %q, want the number of a layer", prop.name, clean(prop.value))
		}
		p.Origin.Layer = n
	case propLayerDiff:
		d, err := core.ParseDigest(prop.value)
		if err != nil {
			return fmt.Errorf("the property %s: %w", prop.name, err)
		}
		p.Origin.DiffID = d
	case propLayerBy:
		p.Origin.CreatedBy = prop.value
	}
	return nil
}

func addHash(p *core.Package, algorithm, value string) {
	if p.Hashes == nil {
		p.Hashes = map[string]string{}
	}
	p.Hashes[algorithm] = value
}

// applyForeign reads the properties by which other generators mark development dependencies.
func applyForeign(p *core.Package, prop property) {
	switch prop.name {
	case "cdx:npm:package:development", "cdx:composer:package:isDevRequirement":
		if prop.value == "true" {
			p.Scope = core.ScopeDevelopment
		}
	}
}

// foreign gathers what Trivy and Syft spread over several properties: the source package, the module and the places.
type foreign struct {
	name, version, release, epoch string
	module                        string
	path                          string
	layer                         core.Digest
}

func (f *foreign) note(p *core.Package, prop property) {
	switch prop.name {
	case "aquasecurity:trivy:SrcName", "syft:metadata:source", "syft:metadata:originPackage":
		f.name = prop.value
	case "aquasecurity:trivy:SrcVersion", "syft:metadata:sourceVersion":
		f.version = prop.value
	case "aquasecurity:trivy:SrcRelease":
		f.release = prop.value
	case "aquasecurity:trivy:SrcEpoch":
		f.epoch = prop.value
	case "aquasecurity:trivy:Modularitylabel", "syft:metadata:modularityLabel":
		f.module = prop.value
	case "aquasecurity:trivy:FilePath":
		f.path = prop.value
	case "aquasecurity:trivy:LayerDiffID":
		f.layer = layerOf(prop.value)
	}
	// Syft numbers its places: syft:location:0:layerID comes before syft:location:0:path.
	if rest, ok := strings.CutPrefix(prop.name, "syft:location:"); ok {
		_, member, _ := strings.Cut(rest, ":")
		switch member {
		case "layerID":
			f.layer = layerOf(prop.value)
		case "path":
			p.Locations = append(p.Locations, core.Location{Path: prop.value, Layer: f.layer})
		}
	}
}

func layerOf(s string) core.Digest {
	d, err := core.ParseDigest(s)
	if err != nil {
		return ""
	}
	return d
}

// fill completes a package of which our own properties and the package URL say less.
func (f *foreign) fill(p *core.Package) {
	if f.path != "" && len(p.Locations) == 0 {
		p.Locations = append(p.Locations, core.Location{Path: f.path, Layer: f.layer})
	}
	if p.Module == "" {
		p.Module = moduleOf(f.module)
	}
	if p.Source != nil {
		return
	}
	version := f.version
	if version != "" && f.release != "" {
		version += "-" + f.release
	}
	if version != "" && f.epoch != "" && f.epoch != "0" {
		version = f.epoch + ":" + version
	}
	p.Source = source(f.name, version)
}
