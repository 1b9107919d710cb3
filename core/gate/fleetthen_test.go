package gate_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Whoever attested no list of vulnerabilities may have attested the evidence.
func TestTheEvidenceOfAReleaseSaysWhatWasKnown(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	d := p.release("shop", "1", "", key, exposed)
	e := core.Evidence{
		Subjects: []core.Subject{{Name: "shop:1", Kind: core.KindImage, Digest: d, Platform: &core.Platform{OS: "linux", Architecture: "amd64"}}},
		Findings: []core.Finding{{Fingerprint: core.FingerprintOf(core.KindVulnerability, "x"), Subject: d, Kind: core.KindVulnerability, Rule: "CVE-2023-45288", Title: "x",
			Severity: core.SeverityHigh, Package: &core.PackageRef{Name: "golang.org/x/net", Version: "v0.16.0", Purl: exposed}}},
	}
	var raw bytes.Buffer
	if err := report.WriteJSON(&raw, report.NewDocument(report.Tool{Name: "cleanbill", Version: "1"}, e, nil)); err != nil {
		t.Fatal(err)
	}
	p.attach("shop", d, key.Bundle(t, signaturetest.Statement(t, d, report.PredicateType, json.RawMessage(raw.Bytes()))))
	a := audit(t, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)})
	since := map[gate.Since]int{}
	for _, f := range a.Images[0].Vulnerabilities {
		since[f.Since]++
		if (f.ID == "CVE-2023-45288") != (f.Since == gate.SinceBefore) {
			t.Errorf("%s is %s", f.ID, f.Since)
		}
	}
	if since[gate.SinceBefore] != 1 || since[gate.SinceRelease] == 0 || len(a.Gaps) > 0 {
		t.Errorf("got %v, gaps %s", since, gaps(a.Gaps))
	}
}

// A bill of materials that is too large for a statement is kept beside it, and the statement names it.
func TestAnSBOMThatAStatementNamesCounts(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	const spdx = "application/spdx+json"
	apart := func(tag string, named func(content []byte, manifest core.Digest) any) {
		d := p.push("shop:"+tag, imageOf(t, tag, ""))
		content := []byte(`{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"x","dataLicense":"CC0-1.0","documentNamespace":"https://x.example/y",
"creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: x"]},"packages":[{"name":"left-pad","SPDXID":"SPDXRef-1","versionInfo":"1.3.0",
"downloadLocation":"NOASSERTION","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/left-pad@1.3.0"}]}]}`)
		config := []byte("{}")
		r := p.repository("shop")
		manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": spdx,
			"config": descriptor("application/vnd.oci.empty.v1+json", config), "layers": []any{descriptor(spdx, content)},
			"subject": map[string]any{"mediaType": types.OCIManifestSchema1, "digest": d, "size": 1}})
		if err != nil {
			t.Fatal(err)
		}
		for _, blob := range [][]byte{config, content} {
			if err := r.Upload(t.Context(), blob); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Put(t.Context(), string(verify.DigestOf(manifest)), manifest, string(types.OCIManifestSchema1)); err != nil {
			t.Fatal(err)
		}
		p.attach("shop", d, key.Bundle(t, signaturetest.Statement(t, d, "https://in-toto.io/attestation/reference/v0.1",
			map[string]any{"attester": map[string]any{"id": "x"}, "references": []any{named(content, verify.DigestOf(manifest))}})))
	}
	reference := func(content, manifest core.Digest) any {
		return map[string]any{"downloadLocation": p.host + "/shop@" + string(manifest), "mediaType": spdx,
			"digest": map[string]any{"sha256": strings.TrimPrefix(string(content), "sha256:")}}
	}
	apart("named", func(content []byte, manifest core.Digest) any { return reference(verify.DigestOf(content), manifest) })
	apart("other", func(_ []byte, manifest core.Digest) any { return reference(verify.DigestOf([]byte("x")), manifest) })
	f := find(t, harmless, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key)})
	if len(f.Found) != 1 || f.Found[0].Tags[0] != "named" || f.Found[0].SBOMs[0].Type != "https://spdx.dev/Document" {
		t.Errorf("found %+v", f.Found)
	}
	if f.Complete || !strings.Contains(gaps(f.Gaps), "shop:other") || !strings.Contains(gaps(f.Gaps), "does not hold it") {
		t.Errorf("gaps %s", gaps(f.Gaps))
	}
}

func TestWhatIsTooMuchIsAGap(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	d := p.release("many", "1", "", key, harmless)
	for i := range 260 {
		p.attach("many", d, []byte(strings.Repeat(" ", i)+"{}"))
	}
	huge := p.push("huge:1", imageOf(t, "huge", ""))
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": signaturetest.BundleType,
		"config":  descriptor("application/vnd.oci.empty.v1+json", []byte("{}")),
		"layers":  []any{map[string]any{"mediaType": signaturetest.BundleType, "digest": d, "size": int64(1) << 40}},
		"subject": map[string]any{"mediaType": types.OCIManifestSchema1, "digest": huge, "size": 1}})
	if err != nil {
		t.Fatal(err)
	}
	r := p.repository("huge")
	if err := r.Upload(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	p.blocks(func(w http.ResponseWriter, q *http.Request) bool {
		switch {
		case strings.Contains(q.URL.Path, "huge/referrers/"):
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			_ = json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "manifests": []any{map[string]any{"artifactType": signaturetest.BundleType,
				"mediaType": types.OCIManifestSchema1, "digest": verify.DigestOf(manifest), "size": len(manifest)}}})
		case strings.HasSuffix(q.URL.Path, string(verify.DigestOf(manifest))):
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			_, _ = w.Write(manifest)
		default:
			return false
		}
		return true
	})
	f := find(t, harmless, gate.FleetPlan{Names: []string{p.host + "/many", p.host + "/huge"}, Signers: keyFile(t, key)})
	for _, want := range []string{"many:1: what is attested to it could not be read: more than 256", "huge:1: what is attested to it could not be read: sha256:", "it claims"} {
		if !strings.Contains(gaps(f.Gaps), want) {
			t.Errorf("gaps do not say %q:\n%s", want, gaps(f.Gaps))
		}
	}
}

func TestARegistryThatFailsAgainAndAgainIsNotAskedAnyMore(t *testing.T) {
	p, key := newPort(t, registry.WithReferrersSupport(true)), signaturetest.NewKey(t)
	for i := range 40 {
		p.push("shop:"+string(rune('a'+i%26))+string(rune('a'+i/26)), imageOf(t, string(rune('a'+i)), ""))
	}
	p.blocks(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	f := find(t, harmless, gate.FleetPlan{Names: []string{p.host + "/shop"}, Signers: keyFile(t, key), Parallel: 1})
	if asked := p.gets("/referrers/"); len(f.Gaps) != 40 || f.Complete || asked != 12 || !strings.Contains(gaps(f.Gaps), "failed 12 times in a row") {
		t.Errorf("asked %d times, %d gaps, such as %s", asked, len(f.Gaps), gaps(f.Gaps[:1]))
	}
}

// FuzzReadNames reads lists of what is released.
func FuzzReadNames(f *testing.F) {
	f.Add("# a list\n\nregistry.example/app\n")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := gate.ReadNames(strings.NewReader(text))
		for _, name := range names {
			if err == nil && (strings.TrimSpace(name) == "" || strings.HasPrefix(name, "#")) {
				t.Errorf("%q is a name", name)
			}
		}
	})
}
