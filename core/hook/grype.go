package hook

import (
	"cmp"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// grypeMatch is one match of Grype.
//
// https://github.com/anchore/grype/blob/main/grype/presenter/models/match.go
type grypeMatch struct {
	Vulnerability grypeVulnerability   `json:"vulnerability"`
	Related       []grypeVulnerability `json:"relatedVulnerabilities"`
	Details       many[grypeDetail]    `json:"matchDetails"`
	Artifact      struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		Purl      string `json:"purl"`
		Locations []struct {
			Path  string `json:"path"`
			Layer string `json:"layerID"`
		} `json:"locations"`
	} `json:"artifact"`
	Ignored []struct {
		Vulnerability string `json:"vulnerability"`
		Reason        string `json:"reason"`
		Namespace     string `json:"namespace"`
	} `json:"appliedIgnoreRules"`
}

type grypeVulnerability struct {
	ID          string      `json:"id"`
	Source      string      `json:"dataSource"`
	Severity    string      `json:"severity"`
	URLs        []string    `json:"urls"`
	Description string      `json:"description"`
	CVSS        []grypeCVSS `json:"cvss"`
	Fix         struct {
		Versions []string `json:"versions"`
		State    string   `json:"state"`
	} `json:"fix"`
	CWEs []struct {
		CWE string `json:"cwe"`
	} `json:"cwes"`
}

type grypeDetail struct {
	Type string `json:"type"`
}

type grypeCVSS struct {
	Vector  string `json:"vector"`
	Version string `json:"version"`
	Metrics struct {
		Base float64 `json:"baseScore"`
	} `json:"metrics"`
}

// grypeHead is what the rest of the document says.
type grypeHead struct {
	distro core.Distro
}

// readGrype reads "grype -o json".
func readGrype(in input, b *builder) error {
	b.tool("Grype", "")
	var head grypeHead
	if err := in.members(func(r *jsonstream.Reader, name string) error { return head.read(r, b, name) }); err != nil {
		return err
	}
	var system *core.Distro
	if head.distro.ID != "" {
		system = &head.distro
	}
	seen := map[string]bool{}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		if name == "matches" || name == "ignoredMatches" {
			return each(r, func(m *grypeMatch) error { return m.add(b, system, name == "ignoredMatches") })
		}
		return nil
	})
	if err != nil {
		return err
	}
	return missing(seen, "matches")
}

func (h *grypeHead) read(r *jsonstream.Reader, b *builder, name string) error {
	switch name {
	case "descriptor":
		var d struct {
			Version string `json:"version"`
		}
		err := r.Decode(&d, maxElement)
		b.tool("Grype", d.Version)
		return err
	case "distro":
		var d struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		}
		err := r.Decode(&d, maxElement)
		h.distro = core.Distro{ID: d.Name, VersionID: d.Version}
		return err
	case "source":
		return grypeSource(r, b)
	}
	return nil
}

// grypeSource reads what was scanned. The target of a directory is a string.
func grypeSource(r *jsonstream.Reader, b *builder) error {
	if r.Null() {
		return nil
	}
	var kind string
	return r.Object(func(name string) (err error) {
		switch {
		case name == "type" && r.Kind() == '"':
			kind, err = r.String(maxWord)
			b.about.Image = b.about.Image || kind == "image"
		case name == "target" && r.Kind() == '{':
			var t struct {
				Input        string   `json:"userInput"`
				Manifest     string   `json:"manifestDigest"`
				RepoDigests  []string `json:"repoDigests"`
				Architecture string   `json:"architecture"`
				OS           string   `json:"os"`
				Layers       []struct {
					Digest string `json:"digest"`
				} `json:"layers"`
			}
			if err := r.Decode(&t, maxElement); err != nil {
				return err
			}
			b.about.Image, b.about.Name = true, line(t.Input)
			b.about.add(digest(t.Manifest))
			for _, d := range t.RepoDigests {
				b.about.add(digestOf(d))
			}
			for _, l := range t.Layers {
				b.about.Layers = append(b.about.Layers, digest(l.Digest))
			}
			if t.OS != "" && t.Architecture != "" {
				b.about.Platform = &core.Platform{OS: word(t.OS), Architecture: word(t.Architecture)}
			}
		}
		return err
	})
}

func (m *grypeMatch) add(b *builder, system *core.Distro, ignored bool) error {
	v := &m.Vulnerability
	out := weak{ids: []string{v.ID}, severity: severity(v.Severity), name: m.Artifact.Name,
		version: m.Artifact.Version, purl: m.Artifact.Purl,
		system: system, fixed: v.Fix.Versions, references: append([]string{v.Source}, v.URLs...)}
	switch {
	case m.Artifact.Purl == "":
		out.match, out.system = core.MatchName, nil
	case slices.Contains(m.Details, grypeDetail{"cpe-match"}):
		out.match = core.MatchName // a CPE alone says little of who made the package
	case slices.Contains(m.Details, grypeDetail{"exact-indirect-match"}):
		out.match = core.MatchSource
	}
	switch v.Fix.State {
	case "not-fixed":
		out.fix = core.FixNone
	case "wont-fix":
		out.fix = core.FixWontFix
	}
	for _, r := range append([]grypeVulnerability{*v}, m.Related...) {
		out.ids = append(out.ids, r.ID)
		for _, c := range r.CVSS {
			if c.Metrics.Base > 0 && out.score == 0 && c.Version != "2.0" {
				out.score, out.vector = c.Metrics.Base, c.Vector
			}
		}
		for _, w := range r.CWEs {
			out.weaknesses = append(out.weaknesses, w.CWE)
		}
	}
	if ignored {
		out.suppressed = &core.Suppression{Kind: core.SuppressedConfig, By: "grype"}
		for _, i := range m.Ignored {
			out.suppressed.Reason = cmp.Or(out.suppressed.Reason, i.Reason)
		}
	}
	if len(m.Artifact.Locations) > 0 {
		out.path, out.layer = rootless(m.Artifact.Locations[0].Path), m.Artifact.Locations[0].Layer
	}
	return b.weak(out)
}
