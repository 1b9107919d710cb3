package hook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// aquaResource is a package, or a file, with what was found in it.
type aquaResource struct {
	Resource struct {
		Format  string `json:"format"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Path    string `json:"path"`
		Layer   string `json:"layer_digest"`
	} `json:"resource"`
	Vulnerabilities []aquaVulnerability `json:"vulnerabilities"`
}

type aquaVulnerability struct {
	Name           string  `json:"name"`
	Description    string  `json:"description"`
	Type           string  `json:"type"`
	URL            string  `json:"nvd_url"`
	VendorURL      string  `json:"vendor_url"`
	Fix            string  `json:"fix_version"`
	Severity       string  `json:"aqua_severity"`
	SeverityV3     string  `json:"nvd_severity_v3"`
	SeverityVendor string  `json:"vendor_severity"`
	SeverityV2     string  `json:"nvd_severity"`
	Score          float64 `json:"nvd_score_v3"`
	Vector         string  `json:"nvd_vectors_v3"`
	WontFix        bool    `json:"will_not_fix"`
	Acknowledged   string  `json:"ack_author"`
	Comment        string  `json:"ack_comment"`
	CWEs           []struct {
		ID string `json:"Id"`
	} `json:"cwe_info"`
}

// aquaAssurance is the judgement of Aqua's own policies.
type aquaAssurance struct {
	Disallowed bool `json:"disallowed"`
	Failures   []struct {
		Policy   string   `json:"policy_name"`
		Blocking bool     `json:"blocking"`
		Controls []string `json:"controls"`
	} `json:"policy_failures"`
	Checks []struct {
		Failed  bool   `json:"failed"`
		Policy  string `json:"policy_name"`
		Control string `json:"control"`
	} `json:"checks_performed"`
}

// aquaFile is something found in a file: a secret, or malware.
type aquaFile struct {
	Filename string `json:"filename"`
	Path     string `json:"path"`
	Type     string `json:"type"`
	Malware  string `json:"malware"`
}

// aquaHead is what the report says of the image.
type aquaHead struct {
	os, version string
}

// readAqua reads the JSON of the Aqua scanner (scannercli --jsonfile): one image, or a list as its plug-in for Azure
// DevOps writes it. What Aqua's assurance policies refuse becomes a finding of its own, so that our policy decides over
// it.
//
// https://github.com/aquasecurity/postee and https://github.com/aquasecurity/reportgen read the same form.
func readAqua(in input, b *builder) error {
	b.tool("Aqua", "")
	b.about.Image = true
	r, err := in.json()
	if err != nil {
		return err
	}
	if r.Kind() != '[' {
		return aquaImage(in.json, b, func(r *jsonstream.Reader,
			image func(*jsonstream.Reader) error) error {
			return image(r)
		})
	}
	images := 0
	if err := r.Array(func(int) error {
		if images++; images > 1 {
			return r.Fail("it is about several images: write one report for each")
		}
		return nil
	}); err != nil {
		return err
	}
	return aquaImage(in.json, b, func(r *jsonstream.Reader, image func(*jsonstream.Reader) error) error {
		found := false
		err := r.Array(func(int) error {
			return r.Object(func(name string) error {
				if name != "results" {
					return nil
				}
				found = true
				return image(r)
			})
		})
		if err == nil && !found {
			return r.Fail(`it has no "results": it is cut down, or of another format`)
		}
		return err
	})
}

// aquaImage reads the document of one image twice: what it says of the image, and then what was found.
func aquaImage(open func() (*jsonstream.Reader, error), b *builder, within func(*jsonstream.Reader,
	func(*jsonstream.Reader) error) error) error {
	var head aquaHead
	seen := map[string]bool{}
	for _, pass := range []func(*jsonstream.Reader, string) error{
		func(r *jsonstream.Reader, name string) error { return head.read(r, b, name) },
		func(r *jsonstream.Reader, name string) error {
			seen[name] = true
			return head.found(r, b, name)
		},
	} {
		r, err := open()
		if err != nil {
			return err
		}
		err = within(r, func(r *jsonstream.Reader) error {
			return r.Object(func(name string) error { return pass(r, name) })
		})
		if err != nil {
			return err
		}
		if err := r.End(); err != nil {
			return err
		}
	}
	if !seen["resources"] && !seen["image_assurance_results"] && !seen["vulnerability_summary"] {
		return missing(seen, "resources")
	}
	return nil
}

func (h *aquaHead) read(r *jsonstream.Reader, b *builder, name string) (err error) {
	text := r.Kind() == '"'
	switch {
	case name == "os" && text:
		h.os, err = r.String(maxWord)
	case name == "version" && text:
		h.version, err = r.String(maxWord)
	case name == "image" && text:
		var image string
		image, err = r.String(maxWord)
		b.about.Name = line(image)
	case name == "digest" && text:
		var d string
		d, err = r.String(maxWord)
		if id := digest("sha256:" + strings.TrimPrefix(d, "sha256:")); id != "" {
			b.about.IDs = append(b.about.IDs, id)
		}
	case name == "metadata" && r.Kind() == '{':
		var m struct {
			Digests []string `json:"repo_digests"`
		}
		err = r.Decode(&m, maxElement)
		for _, d := range m.Digests {
			b.about.add(digestOf(d))
		}
	}
	return err
}

func (h *aquaHead) found(r *jsonstream.Reader, b *builder, name string) error {
	switch name {
	case "resources":
		return each(r, func(x *aquaResource) error { return h.resource(b, x) })
	case "sensitive_data":
		return each(r, func(x *aquaFile) error {
			return b.flaw(flaw{kind: core.KindSecret, rule: cmp.Or(x.Type, "sensitive data"),
				title:    "sensitive data of the type " + cmp.Or(x.Type, "unknown"),
				severity: core.SeverityHigh, path: rootless(cmp.Or(x.Path, x.Filename))})
		})
	case "malware":
		return each(r, func(x *aquaFile) error {
			return b.flaw(flaw{kind: core.KindMalware, rule: cmp.Or(x.Malware, "malware"), title: x.Malware,
				severity: core.SeverityCritical,
				path:     rootless(cmp.Or(x.Path, x.Filename))})
		})
	case "image_assurance_results":
		var a aquaAssurance
		if err := r.Decode(&a, maxElement); err != nil {
			return err
		}
		return a.add(b)
	case "partial_results":
		partial, err := r.Bool()
		if partial {
			b.gap("Aqua says that its results are partial")
		}
		return err
	case "scan_error", "error":
		if r.Kind() != '"' {
			return nil
		}
		why, err := r.String(maxWord)
		if why != "" {
			b.gap("Aqua says: %s", why)
		}
		return err
	}
	return nil
}

func (h *aquaHead) resource(b *builder, x *aquaResource) error {
	ecosystem, system := h.ecosystem(x.Resource.Format)
	for i := range x.Vulnerabilities {
		v := &x.Vulnerabilities[i]
		out := weak{ids: []string{v.Name}, title: v.Description, severity: severity(cmp.Or(v.Severity, v.SeverityV3,
			v.SeverityVendor, v.SeverityV2)),
			score: v.Score, vector: v.Vector, name: x.Resource.Name, version: x.Resource.Version, ecosystem: ecosystem, system: system,
			fixed: strings.Split(v.Fix,
				","), path: rootless(x.Resource.Path), layer: x.Resource.Layer, references: []string{v.URL, v.VendorURL}}
		if v.WontFix {
			out.fix = core.FixWontFix
		}
		for _, c := range v.CWEs {
			out.weaknesses = append(out.weaknesses, c.ID)
		}
		if v.Acknowledged != "" {
			out.suppressed = &core.Suppression{Kind: core.SuppressedReport, By: "Aqua", Reason: v.Comment}
		}
		if err := b.weak(out); err != nil {
			return err
		}
	}
	return nil
}

// ecosystem reads the format of a resource.
func (h *aquaHead) ecosystem(format string) (string, *core.Distro) {
	switch strings.ToLower(format) {
	case "apk", "deb", "dpkg", "rpm":
		if h.os == "" {
			return "", nil
		}
		system := trivySystem(h.os, h.version)
		return "", system
	case "npm", "nodejs", "yarn":
		return "npm", nil
	case "python", "pip", "pypi":
		return "PyPI", nil
	case "java", "jar", "maven":
		return "Maven", nil
	case "go", "golang":
		return "Go", nil
	case "ruby", "gem":
		return "RubyGems", nil
	case "nuget", "dotnet":
		return "NuGet", nil
	case "php", "composer":
		return "Packagist", nil
	case "rust", "cargo":
		return "crates.io", nil
	}
	return "", nil
}

// add makes a finding of everything that Aqua's policies refuse. What a policy only reports has another rule.
func (a *aquaAssurance) add(b *builder) error {
	type check struct{ policy, control string }
	blocking := map[check]bool{}
	for _, f := range a.Failures {
		for _, control := range f.Controls {
			blocking[check{f.Policy, control}] = f.Blocking
		}
	}
	for _, c := range a.Checks {
		key := check{c.Policy, c.Control}
		if _, told := blocking[key]; c.Failed && !told {
			blocking[key] = a.Disallowed
		}
	}
	refused := false
	for _, key := range slices.SortedFunc(maps.Keys(blocking), func(x, y check) int {
		return cmp.Or(strings.Compare(x.policy, y.policy), strings.Compare(x.control, y.control))
	}) {
		out := flaw{kind: core.KindMisconfiguration, rule: "reported-by/aqua/" + cmp.Or(key.control, "assurance"),
			severity: core.SeverityMedium,
			title:    fmt.Sprintf("Aqua's assurance policy %s reports it by its control %s", key.policy, key.control)}
		if blocking[key] {
			refused = true
			out.rule, out.severity = RefusedBy+"aqua/"+cmp.Or(key.control, "assurance"), core.SeverityHigh
			out.title = fmt.Sprintf("Aqua's assurance policy %s refuses it by its control %s", key.policy, key.control)
		}
		if err := b.flaw(out); err != nil {
			return err
		}
	}
	if a.Disallowed && !refused {
		return b.flaw(flaw{kind: core.KindMisconfiguration, rule: RefusedBy + "aqua/assurance",
			severity: core.SeverityHigh,
			title:    "Aqua's assurance policies refuse it"})
	}
	return nil
}
