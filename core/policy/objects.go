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
	now         types.Timestamp
	finding     *core.Finding
	pkg         *core.Package
	image       *core.ImageFacts
	distro      *core.Distro
	subject     *core.Subject
	examination *core.Examination
	evidence    *core.Evidence
	change      *core.Change
	counts      *core.Counts
}

// ResolveName implements cel.Activation. All objects are the scope itself, which their fields read from.
func (s *scope) ResolveName(name string) (any, bool) {
	switch name {
	case varFinding, packageInside, varImage, varSubject, varExamination, varEvidence:
		return s, true
	case varNow:
		return s.now, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (s *scope) Parent() cel.Activation { return nil }

// objects are all types that expressions see.
func objects() []*object {
	return []*object{findingObject(), fixObject(), secretObject(), packageObject(), imageObject(), baseObject(), distroObject(),
		subjectObject(), examinationObject(), evidenceObject(), advisoriesObject(), changeObject()}
}

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
		"commit":     text(func(s *scope) string { return commitOf(s.finding.Locations) }),
		"seenBy":     texts(func(s *scope) []string { return s.finding.SeenBy }),
		"references": texts(func(s *scope) []string { return s.finding.References }),
		"visible":    flag(func(s *scope) bool { return s.finding.Origin == nil || s.finding.Origin.RemovedIn == nil }),
		"layer":      number(func(s *scope) int { return layerOf(s.finding.Origin) }),
		"createdBy":  text(func(s *scope) string { return createdBy(s.finding.Origin) }),
		"weaknesses": texts(func(s *scope) []string { return s.finding.Weaknesses }),
		"suppressed": flag(func(s *scope) bool { return len(s.finding.Suppressions) > 0 }),
		"suppressedBy": texts(func(s *scope) []string {
			var by []string
			for _, suppression := range s.finding.Suppressions {
				by = append(by, suppression.By)
			}
			slices.Sort(by)
			return slices.Compact(by)
		}),
		"secret": nested("Secret", func(s *scope) bool { return s.finding.Secret != nil }),
	}}
}

func secretObject() *object {
	return &object{name: "Secret", fields: map[string]field{
		"entropy": decimal(func(s *scope) (float64, bool) {
			if s.finding.Secret == nil {
				return 0, false
			}
			return s.finding.Secret.Entropy, true
		}),
		"verified": text(func(s *scope) string {
			if s.finding.Secret == nil {
				return ""
			}
			return s.finding.Secret.Verified
		}),
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
		"relation": oneOf(func(s *scope) core.Relation { return s.pkg.Relation }, "", core.RelationDirect,
			core.RelationTransitive),
		"via":       texts(func(s *scope) []string { return s.pkg.Via }),
		"vendored":  flag(func(s *scope) bool { return s.pkg.Vendored }),
		"visible":   flag(func(s *scope) bool { return s.pkg.Visible() }),
		"layer":     number(func(s *scope) int { return layerOf(s.pkg.Origin) }),
		"createdBy": text(func(s *scope) string { return createdBy(s.pkg.Origin) }),
	}}
}

func imageObject() *object {
	return &object{name: "Image", fields: map[string]field{
		"user":        text(func(s *scope) string { return s.image.User }),
		"ports":       texts(func(s *scope) []string { return s.image.ExposedPorts }),
		"env":         texts(func(s *scope) []string { return s.image.EnvNames }),
		"entrypoint":  texts(func(s *scope) []string { return s.image.Entrypoint }),
		"cmd":         texts(func(s *scope) []string { return s.image.Cmd }),
		"workingDir":  text(func(s *scope) string { return s.image.WorkingDir }),
		"volumes":     texts(func(s *scope) []string { return s.image.Volumes }),
		"healthcheck": flag(func(s *scope) bool { return s.image.Healthcheck }),
		"labels":      labels(),
		"created":     instant(func(s *scope) time.Time { return s.image.Created }),
		"layers":      number(func(s *scope) int { return len(s.image.Layers) }),
		"size":        number(sizeOfImage),
		"files":       number(func(s *scope) int { return s.image.Files }),
		"layerDigests": texts(func(s *scope) []string {
			return ofLayers(s.image, func(l core.LayerFacts) string { return string(l.Digest) })
		}),
		"createdBy": texts(func(s *scope) []string {
			return ofLayers(s.image, func(l core.LayerFacts) string { return l.CreatedBy })
		}),
		"base":         nested("Base", func(s *scope) bool { return s.image.Base != nil }),
		"registry":     text(func(s *scope) string { return referenceOf(s.subject).registry }),
		"repository":   text(func(s *scope) string { return referenceOf(s.subject).repository }),
		"distro":       nested("Distro", func(s *scope) bool { return s.image.Distro != nil }),
		"os":           text(func(s *scope) string { return s.image.Platform.OS }),
		"architecture": text(func(s *scope) string { return s.image.Platform.Architecture }),
	}}
}

// baseObject is what an image says of the one that it was built on. Whether that is true, only signedBy can tell.
func baseObject() *object {
	return &object{name: "Base", fields: map[string]field{
		"name":       text(func(s *scope) string { return baseOf(s.image).Name }),
		"digest":     text(func(s *scope) string { return string(baseOf(s.image).Digest) }),
		"pinned":     flag(func(s *scope) bool { return parseReference(baseOf(s.image).Name).digest != "" }),
		"signedBy":   text(func(s *scope) string { return baseOf(s.image).SignedBy }),
		"registry":   text(func(s *scope) string { return parseReference(baseOf(s.image).Name).registry }),
		"repository": text(func(s *scope) string { return parseReference(baseOf(s.image).Name).repository }),
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
		"registry":   text(func(s *scope) string { return referenceOf(s.subject).registry }),
		"repository": text(func(s *scope) string { return referenceOf(s.subject).repository }),
		"tag":        text(func(s *scope) string { return referenceOf(s.subject).tag }),
		"pinned":     flag(func(s *scope) bool { return referenceOf(s.subject).digest != "" }),
		"tls":        flag(func(s *scope) bool { return encrypted(referenceOf(s.subject)) }),
	}}
}

func examinationObject() *object {
	return &object{name: "Examination", fields: map[string]field{
		"name":    text(func(s *scope) string { return s.examination.Name }),
		"tool":    text(func(s *scope) string { return s.examination.Tool }),
		"version": text(func(s *scope) string { return s.examination.Version }),
		"input":   text(func(s *scope) string { return string(s.examination.Input) }),
		"status": oneOf(func(s *scope) core.Completeness { return s.examination.Status }, "", core.Complete, core.Partial,
			core.Failed, core.Skipped),
		"why":        texts(func(s *scope) []string { return s.examination.Why }),
		"code":       text(func(s *scope) string { return s.examination.Code }),
		"enforced":   texts(func(s *scope) []string { return s.examination.Enforced }),
		"unenforced": texts(func(s *scope) []string { return s.examination.Unenforced }),
		"granted":    texts(func(s *scope) []string { return s.examination.Granted }),
	}}
}

// evidenceObject is all that was found, whichever subject it is of.
func evidenceObject() *object {
	return &object{name: "Evidence", fields: map[string]field{
		"subjects":   number(func(s *scope) int { return len(s.evidence.Subjects) }),
		"packages":   number(func(s *scope) int { return s.counts.Packages }),
		"findings":   number(func(s *scope) int { return s.counts.Findings }),
		"critical":   number(func(s *scope) int { return s.counts.Critical }),
		"high":       number(func(s *scope) int { return s.counts.High }),
		"medium":     number(func(s *scope) int { return s.counts.Medium }),
		"low":        number(func(s *scope) int { return s.counts.Low }),
		"none":       number(func(s *scope) int { return s.counts.None }),
		"unknown":    number(func(s *scope) int { return s.counts.Unknown }),
		"fixable":    number(func(s *scope) int { return s.counts.Fixable }),
		"advisories": nested("Advisories", func(s *scope) bool { return s.evidence.Advisories.Name != "" }),
		"change":     nested("Change", func(s *scope) bool { return s.evidence.Change != nil }),
	}}
}

func advisoriesObject() *object {
	return &object{name: "Advisories", fields: map[string]field{
		"source":     text(func(s *scope) string { return s.evidence.Advisories.Name }),
		"digest":     text(func(s *scope) string { return string(s.evidence.Advisories.Digest) }),
		"built":      instant(func(s *scope) time.Time { return s.evidence.Advisories.Built }),
		"asOf":       instant(func(s *scope) time.Time { return s.evidence.Advisories.AsOf }),
		"newest":     instant(func(s *scope) time.Time { return s.evidence.Advisories.Newest }),
		"records":    number(func(s *scope) int { return s.evidence.Advisories.Records }),
		"signedBy":   text(func(s *scope) string { return s.evidence.Advisories.SignedBy }),
		"ecosystems": texts(func(s *scope) []string { return s.evidence.Advisories.Ecosystems }),
		"starter":    flag(func(s *scope) bool { return s.evidence.Advisories.Starter }),
	}}
}

func changeObject() *object {
	return &object{name: "Change", fields: map[string]field{
		"repository": text(func(s *scope) string { return s.change.Repository }),
		"branch":     text(func(s *scope) string { return s.change.Branch }),
		"head":       text(func(s *scope) string { return s.change.Head }),
		"base":       text(func(s *scope) string { return s.change.Base }),
		"request":    text(func(s *scope) string { return s.change.Request }),
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

// commitOf is the commit that brought what is in no file any more; empty for what is in one.
func commitOf(locations []core.Location) string {
	commit := ""
	for _, l := range locations {
		if commit = l.Commit; commit == "" {
			return ""
		}
	}
	return commit
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

func createdBy(o *core.Origin) string {
	if o == nil {
		return ""
	}
	return o.CreatedBy
}

// ofLayers is one text for each layer, the lowest first.
func ofLayers(i *core.ImageFacts, of func(core.LayerFacts) string) []string {
	out := make([]string, 0, len(i.Layers))
	for _, l := range i.Layers {
		out = append(out, of(l))
	}
	return out
}

func sizeOfImage(s *scope) int {
	var size int64
	for _, l := range s.image.Layers {
		size += l.Size
	}
	return int(size)
}
