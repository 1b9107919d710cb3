package hook

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// trivyResult is what Trivy found in one part of what it scanned. Licenses are not flaws, and are passed over.
//
// https://github.com/aquasecurity/trivy/blob/main/pkg/types/report.go
type trivyResult struct {
	Target            string               `json:"Target"`
	Class             string               `json:"Class"`
	Type              string               `json:"Type"`
	Vulnerabilities   []trivyVulnerability `json:"Vulnerabilities"`
	Misconfigurations []trivyMisconfig     `json:"Misconfigurations"`
	Secrets           []trivySecret        `json:"Secrets"`
	Modified          []trivyModified      `json:"ExperimentalModifiedFindings"`
	ModifiedFindings  []trivyModified      `json:"ModifiedFindings"`
	Error             string               `json:"Error"`
}

type trivyVulnerability struct {
	ID         string `json:"VulnerabilityID"`
	VendorIDs  []string
	Package    string `json:"PkgName"`
	Path       string `json:"PkgPath"`
	Identifier struct {
		Purl string `json:"PURL"`
	} `json:"PkgIdentifier"`
	Version    string `json:"InstalledVersion"`
	Fixed      string `json:"FixedVersion"`
	Status     string
	Layer      trivyLayer
	Title      string
	Severity   string
	CweIDs     []string
	PrimaryURL string
	References []string
	CVSS       map[string]struct {
		V3Vector, V40Vector string
		V3Score, V40Score   float64
	}
	SeveritySource string
}

type trivyLayer struct{ DiffID string }

type trivyMisconfig struct {
	ID, AVDID, Title, Description, Message, Resolution, Severity, PrimaryURL, Status string
	References                                                                       []string
	CauseMetadata                                                                    struct{ StartLine, EndLine int }
	Layer                                                                            trivyLayer
}

// trivySecret leaves out the match, which is not to be kept even where Trivy masks it.
type trivySecret struct {
	RuleID, Severity, Title string
	StartLine, EndLine      int
	Layer                   trivyLayer
}

// trivyModified is a finding that .trivyignore or a VEX document took away.
type trivyModified struct {
	Type, Status, Statement, Source string
	Finding                         struct {
		trivyVulnerability
		AVDID, Message, RuleID string
		MisconfID              string `json:"ID"`
		StartLine              int
		CauseMetadata          struct{ StartLine, EndLine int }
	}
}

// trivyHead is what the report says of what was scanned.
type trivyHead struct {
	system *core.Distro
}

// readTrivy reads "trivy --format json": of images, file systems, repositories, clusters, and the list that old
// versions wrote.
func readTrivy(in input, b *builder) error {
	b.tool("Trivy", "")
	r, err := in.json()
	if err != nil {
		return err
	}
	var head trivyHead
	if r.Kind() == '[' {
		if err := each(r, func(x *trivyResult) error { return head.result(b, x) }); err != nil {
			return err
		}
		return r.End()
	}
	if err := in.members(func(r *jsonstream.Reader, name string) error { return head.read(r, b, name) }); err != nil {
		return err
	}
	seen := map[string]bool{}
	err = in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		switch name {
		case "Results":
			return each(r, func(x *trivyResult) error { return head.result(b, x) })
		case "Resources", "Vulnerabilities", "Misconfigurations", "Findings":
			return each(r, func(x *trivyResource) error { return x.add(b) })
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !seen["SchemaVersion"] && !seen["Results"] && !seen["ClusterName"]:
		return missing(seen, "SchemaVersion")
	}
	return nil // Trivy leaves out Results if there are none
}

func (h *trivyHead) read(r *jsonstream.Reader, b *builder, name string) error {
	switch name {
	case "SchemaVersion":
		if n, err := r.Int(); err != nil || n != 2 {
			return cmp.Or(err, r.Fail("want a report of schema version 2"))
		}
	case "Trivy":
		var t struct{ Version string }
		err := r.Decode(&t, maxElement)
		b.tool("Trivy", t.Version)
		return err
	case "ArtifactName":
		name, err := r.String(maxWord)
		b.about.Name = line(name)
		return err
	case "ArtifactType":
		kind, err := r.String(maxWord)
		b.about.Image = kind == "container_image"
		return err
	case "Metadata":
		return h.metadata(r, b)
	}
	return nil
}

func (h *trivyHead) metadata(r *jsonstream.Reader, b *builder) error {
	var m struct {
		OS          *struct{ Family, Name string }
		ImageID     string
		DiffIDs     []string
		RepoDigests []string
		ImageConfig struct {
			Architecture string `json:"architecture"`
			Variant      string `json:"variant"`
			OS           string `json:"os"`
		}
	}
	if err := r.Decode(&m, maxElement); err != nil {
		return err
	}
	if m.OS != nil {
		h.system = trivySystem(m.OS.Family, m.OS.Name)
	}
	for _, d := range m.RepoDigests {
		b.about.add(digestOf(d))
	}
	if d := digest(m.ImageID); d != "" {
		b.about.IDs = append(b.about.IDs, d)
	}
	for _, d := range m.DiffIDs {
		b.about.Layers = append(b.about.Layers, digest(d))
	}
	if m.ImageConfig.OS != "" && m.ImageConfig.Architecture != "" {
		b.about.Platform = &core.Platform{OS: word(m.ImageConfig.OS), Architecture: word(m.ImageConfig.Architecture),
			Variant: word(m.ImageConfig.Variant)}
	}
	return nil
}

// trivySystem is a distribution by Trivy's name for it.
func trivySystem(family, release string) *core.Distro {
	id := family
	switch family {
	case "redhat":
		id = "rhel"
	case "alma":
		id = "almalinux"
	case "amazon":
		id = "amzn"
	case "oracle":
		id = "ol"
	case "azurelinux", "cbl-mariner":
		id = "azurelinux"
	case "suse linux enterprise server", "sles":
		id = "sles"
	case "opensuse.leap", "opensuse-leap":
		id = "opensuse-leap"
	}
	return &core.Distro{ID: id, VersionID: release}
}

// trivyResource is a resource of a cluster.
type trivyResource struct {
	Kind, Name string
	Results    []trivyResult
}

func (x *trivyResource) add(b *builder) error {
	var head trivyHead
	for i := range x.Results {
		if err := head.result(b, &x.Results[i]); err != nil {
			return err
		}
	}
	return nil
}

func (h *trivyHead) result(b *builder, x *trivyResult) error {
	system, path := h.place(x)
	for i := range x.Vulnerabilities {
		if err := b.weak(x.Vulnerabilities[i].weak(x.Type, system, path)); err != nil {
			return err
		}
	}
	for i := range x.Misconfigurations {
		m := &x.Misconfigurations[i]
		if m.Status != "" && m.Status != "FAIL" {
			continue
		}
		err := b.flaw(flaw{kind: core.KindMisconfiguration, rule: cmp.Or(m.ID, m.AVDID), aliases: otherThan(m.ID,
			m.AVDID), title: cmp.Or(m.Message, m.Title),
			severity: severity(m.Severity), path: x.Target, line: m.CauseMetadata.StartLine, endLine: m.CauseMetadata.EndLine, layer: m.Layer.DiffID,
			references: append([]string{m.PrimaryURL}, m.References...), fix: m.Resolution})
		if err != nil {
			return err
		}
	}
	for i := range x.Secrets {
		s := &x.Secrets[i]
		err := b.flaw(flaw{kind: core.KindSecret, rule: s.RuleID, title: s.Title, severity: severity(s.Severity),
			path: h.inImage(b, x.Target),
			line: s.StartLine, endLine: s.EndLine, layer: s.Layer.DiffID})
		if err != nil {
			return err
		}
	}
	for _, m := range slices.Concat(x.Modified, x.ModifiedFindings) {
		if err := m.add(b, x, system, path); err != nil {
			return err
		}
	}
	if x.Error != "" {
		b.gap("Trivy could not scan %s: %s", x.Target, x.Error)
	}
	return nil
}

// inImage is a path in an image, which Trivy writes as an absolute one.
func (h *trivyHead) inImage(b *builder, path string) string {
	if b.about.Image {
		return rootless(path)
	}
	return path
}

// rootless is a path of an image's file system, relative to its root.
func rootless(path string) string { return strings.TrimLeft(path, "/") }

// place tells the packages of a distribution from those of a language, and the file that names the latter.
func (h *trivyHead) place(x *trivyResult) (*core.Distro, string) {
	if trivyEcosystem(x.Type) == "" && (x.Class == "os-pkgs" || x.Class == "") {
		if h.system != nil {
			return h.system, ""
		}
		// Without metadata the target says it: "name (debian 10.8)".
		_, rest, _ := strings.Cut(x.Target, "(")
		family, release, _ := strings.Cut(strings.TrimSuffix(rest, ")"), " ")
		if family == x.Type {
			return trivySystem(family, release), ""
		}
		return nil, ""
	}
	switch x.Type {
	case "jar", "node-pkg", "python-pkg", "gemspec", "conda-pkg", "k8s":
		return nil, "" // the target is "Java" or "Node.js", and the package has the path
	}
	return nil, x.Target
}

func (v *trivyVulnerability) weak(kind string, system *core.Distro, path string) weak {
	out := weak{ids: append([]string{v.ID}, v.VendorIDs...), title: v.Title, severity: severity(v.Severity),
		name: v.Package, version: v.Version,
		purl: v.Identifier.Purl, ecosystem: trivyEcosystem(kind), system: system, fixed: strings.Split(v.Fixed,
			","), path: cmp.Or(v.Path, path),
		layer: v.Layer.DiffID, weaknesses: v.CweIDs, references: append([]string{v.PrimaryURL}, v.References...)}
	switch v.Status {
	case "affected", "fix_deferred":
		out.fix = core.FixNone
	case "will_not_fix":
		out.fix = core.FixWontFix
	case "end_of_life":
		out.fix = core.FixEndOfLife
	case "not_affected":
		out.fix = core.FixNotAffected
	}
	for _, source := range []string{v.SeveritySource, "nvd", "ghsa", "redhat"} {
		c, ok := v.CVSS[source]
		if !ok || out.score > 0 {
			continue
		}
		out.score, out.vector = c.V3Score, c.V3Vector
		if c.V40Score > 0 {
			out.score, out.vector = c.V40Score, c.V40Vector
		}
	}
	return out
}

func (m *trivyModified) add(b *builder, x *trivyResult, system *core.Distro, path string) error {
	said := &core.Suppression{Kind: core.SuppressedConfig, By: cmp.Or(line(m.Source), "Trivy"),
		Reason: cmp.Or(m.Statement, m.Status)}
	f := &m.Finding
	switch m.Type {
	case "vulnerability":
		out := f.weak(x.Type, system, path)
		out.suppressed = said
		return b.weak(out)
	case "misconfiguration":
		return b.flaw(flaw{kind: core.KindMisconfiguration, rule: cmp.Or(f.MisconfID, f.AVDID),
			aliases: otherThan(f.MisconfID, f.AVDID),
			title: cmp.Or(f.Message,
				f.Title), severity: severity(f.Severity), path: x.Target, line: f.CauseMetadata.StartLine, suppressed: said})
	case "secret":
		return b.flaw(flaw{kind: core.KindSecret, rule: f.RuleID, title: f.Title, severity: severity(f.Severity),
			path: x.Target, line: f.StartLine, suppressed: said})
	}
	return nil // a license
}

// otherThan returns the second of two ids, unless it is the first or stands for it.
func otherThan(id, other string) []string {
	if id == "" || id == other {
		return nil
	}
	return []string{other}
}

// trivyEcosystem is the OSV ecosystem of a type of language packages.
func trivyEcosystem(kind string) string {
	switch kind {
	case "npm", "yarn", "pnpm", "bun", "node-pkg", "javascript":
		return "npm"
	case "pip", "pipenv", "poetry", "uv", "pylock", "python-pkg":
		return "PyPI"
	case "jar", "pom", "gradle", "sbt":
		return "Maven"
	case "gobinary", "gomod":
		return "Go"
	case "bundler", "gemspec":
		return "RubyGems"
	case "cargo", "rustbinary":
		return "crates.io"
	case "composer", "composer-vendor":
		return "Packagist"
	case "nuget", "dotnet-core", "packages-props", "dotnet-deps":
		return "NuGet"
	case "pub":
		return "Pub"
	case "hex":
		return "Hex"
	case "conan":
		return "ConanCenter"
	}
	return ""
}
