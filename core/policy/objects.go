package policy

import (
	"cmp"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/cleanbill-ci/cleanbill/core"
)

// scope is the one thing that is being judged and what belongs to it. It is reused for the next, so nothing may keep
// it. No pointer is nil: what does not exist is the zero value.
type scope struct {
	now     types.Timestamp
	finding *core.Finding
	pkg     *core.Package
	image   *core.ImageFacts
	distro  *core.Distro
	subject *core.Subject
}

// ResolveName implements cel.Activation. All objects are the scope itself, which their fields read from.
func (s *scope) ResolveName(name string) (any, bool) {
	switch name {
	case varFinding, packageInside, varImage, varSubject:
		return s, true
	case varNow:
		return s.now, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (s *scope) Parent() cel.Activation { return nil }

// findingObject, packageObject and the others name fields as the evidence document does.
func findingObject() *object {
	return &object{name: "Finding", fields: map[string]field{
		"fingerprint":    text(func(s *scope) string { return s.finding.Fingerprint }),
		"kind":           oneOf(func(s *scope) core.FindingKind { return s.finding.Kind }, core.FindingKinds()...),
		"rule":           text(func(s *scope) string { return s.finding.Rule }),
		"aliases":        texts(func(s *scope) []string { return s.finding.Aliases }),
		"ids":            texts(func(s *scope) []string { return append([]string{s.finding.Rule}, s.finding.Aliases...) }),
		"title":          text(func(s *scope) string { return s.finding.Title }),
		"severity":       number(func(s *scope) int { return int(s.finding.Severity) }),
		"score":          decimal(func(s *scope) (float64, bool) { return deref(s.finding.Score) }),
		"vector":         text(func(s *scope) string { return s.finding.Vector }),
		"severitySource": text(func(s *scope) string { return s.finding.SeveritySource }),
		"exploited":      flag(func(s *scope) bool { return s.finding.Exploited != nil }),
		"ransomware":     flag(func(s *scope) bool { return s.finding.Exploited != nil && s.finding.Exploited.Ransomware }),
		"epss": decimal(func(s *scope) (float64, bool) {
			if s.finding.EPSS == nil {
				return 0, false
			}
			return s.finding.EPSS.Score, true
		}),
		"fix": nested("Fix", func(s *scope) bool { return s.finding.Fix.State != core.FixUnknown }),
		"match": oneOf(func(s *scope) core.Match { return s.finding.Match }, "", core.MatchExact, core.MatchSource,
			core.MatchVendored, core.MatchName),
		"confidence": oneOf(func(s *scope) confidence { return confidence(s.finding.Confidence.String()) }, "unknown", "low",
			"medium", "high"),
		"reachable": oneOf(func(s *scope) core.Reachability { return s.finding.Reachable }, "", core.ReachableYes, core.ReachableNo,
			core.ReachableUnknown),
		"published":  instant(func(s *scope) time.Time { return s.finding.Published }),
		"modified":   instant(func(s *scope) time.Time { return s.finding.Modified }),
		"package":    nested("Package", func(s *scope) bool { return s.finding.Package != nil }),
		"path":       text(func(s *scope) string { return firstPath(s.finding.Locations) }),
		"paths":      texts(func(s *scope) []string { return pathsOf(s.finding.Locations) }),
		"seenBy":     texts(func(s *scope) []string { return s.finding.SeenBy }),
		"references": texts(func(s *scope) []string { return s.finding.References }),
		"visible":    flag(func(s *scope) bool { return s.finding.Origin == nil || s.finding.Origin.RemovedIn == nil }),
		"layer":      number(func(s *scope) int { return layerOf(s.finding.Origin) }),
	}}
}

// confidence is a core.Confidence as policies write it.
type confidence string

func fixObject() *object {
	return &object{name: "Fix", fields: map[string]field{
		"available": flag(func(s *scope) bool { return s.finding.Fix.State == core.FixAvailable }),
		"state": oneOf(func(s *scope) core.FixState { return s.finding.Fix.State }, core.FixUnknown, core.FixAvailable,
			core.FixNone, core.FixWontFix, core.FixEndOfLife, core.FixNotAffected),
		"version":  text(func(s *scope) string { return s.finding.Fix.Version }),
		"versions": texts(func(s *scope) []string { return s.finding.Fix.Versions }),
		"text":     text(func(s *scope) string { return s.finding.Fix.Text }),
	}}
}

func packageObject() *object {
	return &object{name: "Package", fields: map[string]field{
		"name":          text(func(s *scope) string { return s.pkg.Name }),
		"version":       text(func(s *scope) string { return s.pkg.Version }),
		"purl":          text(func(s *scope) string { return s.pkg.Purl }),
		"ecosystem":     text(func(s *scope) string { return s.pkg.Ecosystem }),
		"architecture":  text(func(s *scope) string { return s.pkg.Architecture }),
		"module":        text(func(s *scope) string { return s.pkg.Module }),
		"source":        text(func(s *scope) string { return sourceOf(s.pkg).Name }),
		"sourceVersion": text(func(s *scope) string { return sourceOf(s.pkg).Version }),
		"licenses":      texts(func(s *scope) []string { return s.pkg.Licenses }),
		"path":          text(func(s *scope) string { return firstPath(s.pkg.Locations) }),
		"paths":         texts(func(s *scope) []string { return pathsOf(s.pkg.Locations) }),
		"analyzer":      text(func(s *scope) string { return s.pkg.Analyzer }),
		"scope":         oneOf(func(s *scope) core.Scope { return s.pkg.Scope }, "", core.ScopeRuntime, core.ScopeDevelopment),
		"vendored":      flag(func(s *scope) bool { return s.pkg.Vendored }),
		"visible":       flag(func(s *scope) bool { return s.pkg.Visible() }),
		"layer":         number(func(s *scope) int { return layerOf(s.pkg.Origin) }),
	}}
}

func imageObject() *object {
	return &object{name: "Image", fields: map[string]field{
		"user":         text(func(s *scope) string { return s.image.User }),
		"ports":        texts(func(s *scope) []string { return s.image.ExposedPorts }),
		"env":          texts(func(s *scope) []string { return s.image.EnvNames }),
		"entrypoint":   texts(func(s *scope) []string { return s.image.Entrypoint }),
		"cmd":          texts(func(s *scope) []string { return s.image.Cmd }),
		"workingDir":   text(func(s *scope) string { return s.image.WorkingDir }),
		"volumes":      texts(func(s *scope) []string { return s.image.Volumes }),
		"healthcheck":  flag(func(s *scope) bool { return s.image.Healthcheck }),
		"labels":       labels(),
		"created":      instant(func(s *scope) time.Time { return s.image.Created }),
		"layers":       number(func(s *scope) int { return len(s.image.Layers) }),
		"size":         number(sizeOfImage),
		"files":        number(func(s *scope) int { return s.image.Files }),
		"base":         text(func(s *scope) string { return baseOf(s.image).Name }),
		"baseDigest":   text(func(s *scope) string { return string(baseOf(s.image).Digest) }),
		"distro":       nested("Distro", func(s *scope) bool { return s.image.Distro != nil }),
		"os":           text(func(s *scope) string { return s.image.Platform.OS }),
		"architecture": text(func(s *scope) string { return s.image.Platform.Architecture }),
	}}
}

func labels() field {
	return field{celType: cel.MapType(cel.StringType, cel.StringType), get: func(s *scope) (any, bool) {
		return types.NewStringStringMap(types.DefaultTypeAdapter, s.image.Labels), len(s.image.Labels) > 0
	}}
}

func distroObject() *object {
	return &object{name: "Distro", fields: map[string]field{
		"id":        text(func(s *scope) string { return s.distro.ID }),
		"idLike":    texts(func(s *scope) []string { return s.distro.IDLike }),
		"version":   text(func(s *scope) string { return s.distro.VersionID }),
		"codename":  text(func(s *scope) string { return s.distro.Codename }),
		"ecosystem": text(func(s *scope) string { return s.distro.Ecosystem }),
		"endOfLife": text(func(s *scope) string { return s.distro.EndOfLife }),
	}}
}

func subjectObject() *object {
	return &object{name: "Subject", fields: map[string]field{
		"name":   text(func(s *scope) string { return s.subject.Name }),
		"kind":   oneOf(func(s *scope) core.SubjectKind { return s.subject.Kind }, "", core.KindIndex, core.KindImage, core.KindSource, core.KindSBOM),
		"digest": text(func(s *scope) string { return string(s.subject.Digest) }),
		"platform": text(func(s *scope) string {
			if s.subject.Platform == nil {
				return ""
			}
			return s.subject.Platform.String()
		}),
	}}
}

func deref(f *float64) (float64, bool) {
	if f == nil {
		return 0, false
	}
	return *f, true
}

// firstPath is the smallest path, so that it does not depend on the order in which files were found.
func firstPath(locations []core.Location) string {
	if len(locations) == 0 {
		return ""
	}
	return slices.MinFunc(locations, func(a, b core.Location) int { return cmp.Compare(a.Path, b.Path) }).Path
}

func pathsOf(locations []core.Location) []string {
	paths := make([]string, 0, len(locations))
	for _, l := range locations {
		paths = append(paths, l.Path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// layerOf is -1 outside images.
func layerOf(o *core.Origin) int {
	if o == nil {
		return -1
	}
	return o.Layer
}

// sourceOf is the source package, which is the package itself unless a distribution says otherwise.
func sourceOf(p *core.Package) core.SourcePackage {
	if p.Source == nil {
		return core.SourcePackage{Name: p.Name, Version: p.Version}
	}
	return core.SourcePackage{Name: p.Source.Name, Version: cmp.Or(p.Source.Version, p.Version)}
}

func baseOf(i *core.ImageFacts) core.BaseImage {
	if i.Base == nil {
		return core.BaseImage{}
	}
	return *i.Base
}

func sizeOfImage(s *scope) int {
	var size int64
	for _, l := range s.image.Layers {
		size += l.Size
	}
	return int(size)
}
