package gate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	server "github.com/google/go-containerregistry/pkg/registry"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core"
	said "github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// published pushes the dock's image as it is meant to be.
func (d *dock) published() {
	d.t.Helper()
	if _, err := d.gate().Run(context.Background(), d.plan()); err != nil {
		d.t.Fatal(err)
	}
}

// public writes the public half of the dock's key.
func (d *dock) public() string {
	d.t.Helper()
	raw, err := os.ReadFile(d.key)
	d.must(err)
	block, _ := pem.Decode(raw)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	d.must(err)
	public, err := cryptoutils.MarshalPublicKeyToPEM(private.(*ecdsa.PrivateKey).Public())
	d.must(err)
	name := filepath.Join(d.t.TempDir(), "key.pub")
	write(d.t, name, string(public))
	return name
}

// beside is another dock with the same image, policy and key.
func (d *dock) beside(o ...server.Option) *dock {
	d.t.Helper()
	out := &dock{t: d.t, layout: d.layout, digest: d.digest, policy: d.policy, key: d.key, trust: d.trust,
		held: server.New(append(slices.Clone(o), server.Logger(log.New(io.Discard, "", 0)))...)}
	s := httptest.NewUnstartedServer(out)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	d.t.Cleanup(s.Close)
	out.host = strings.TrimPrefix(s.URL, "http://")
	return out
}

func (d *dock) promotion(to *dock) gate.PromotePlan {
	return gate.PromotePlan{Source: d.host + "/team/app@" + string(d.digest), Destination: to.host + "/team/app:1",
		Signers: gate.SignerFiles{Signers: []policy.Signer{{Key: d.public()}}}, Policy: d.policy}
}

func TestWhatPassedIsPromotedWithAllThatIsSaidOfIt(t *testing.T) {
	referrers := []server.Option{server.WithReferrersSupport(true)}
	for kind, tc := range map[string]struct{ from, to []server.Option }{
		"both list referrers":             {referrers, referrers},
		"only the source lists them":      {referrers, nil},
		"only the destination lists them": {nil, referrers},
	} {
		t.Run(kind, func(t *testing.T) {
			d := newDock(t, tc.from...)
			d.published()
			to := d.beside(tc.to...)
			promotion, err := d.gate().Promote(context.Background(), d.promotion(to))
			if err != nil {
				t.Fatal(err)
			}
			if promotion.Digest != d.digest || to.tagged() != d.digest || promotion.Attached == 0 {
				t.Errorf("%+v, the tag names %s", promotion, to.tagged())
			}
			to.complete()
			_, before := to.heard(d.digest)
			if _, err := d.gate().Promote(context.Background(), d.promotion(to)); err != nil {
				t.Fatal(err)
			}
			if _, again := to.heard(d.digest); again != before {
				t.Errorf("%d bundles after doing it again, %d before", again, before)
			}
		})
	}
}

func TestAPromotionThatDiesLeavesNothingUnderTheName(t *testing.T) {
	d := newDock(t)
	d.published()
	step := 3
	if testing.Short() {
		step = 31
	}
	for fails := 1; ; fails += step {
		to := d.beside()
		to.dies(fails, false)
		_, err := d.gate().Promote(context.Background(), d.promotion(to))
		if !to.died() {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if err == nil || to.tagged() != "" {
			t.Fatalf("after a failure at write %d: %v, the tag names %q", fails, err, to.tagged())
		}
		to.dies(0, false)
		if _, err := d.gate().Promote(context.Background(), d.promotion(to)); err != nil || to.tagged() != d.digest {
			t.Fatalf("after a failure at write %d and another run: %v, the tag names %q", fails, err, to.tagged())
		}
		to.complete()
	}
}

func TestNothingIsPromotedWithoutASummaryThatCounts(t *testing.T) {
	d := newDock(t, server.WithReferrersSupport(true))
	d.published()
	other := newDock(t, server.WithReferrersSupport(true))
	for name, tc := range map[string]struct {
		change func(*gate.PromotePlan)
		later  time.Duration
		says   string
	}{
		"somebody else's":   {func(p *gate.PromotePlan) { p.Signers.Signers[0].Key = other.public() }, 0, "this key did not sign it"},
		"of another policy": {func(p *gate.PromotePlan) { p.Policy = "strict" }, 0, "it is about the policy"},
		"too old":           {func(*gate.PromotePlan) {}, 8 * 24 * time.Hour, "at most 168h"},
		"of the future":     {func(*gate.PromotePlan) {}, -time.Hour, "in the future"},
	} {
		to := d.beside()
		p := d.promotion(to)
		tc.change(&p)
		g := d.gate()
		now := g.Now
		g.Now = func() time.Time { return now().Add(tc.later) }
		promotion, err := g.Promote(context.Background(), p)
		if err != nil || promotion.Decision != core.Refused || promotion.Reference != "" ||
			!strings.Contains(strings.Join(promotion.Refusals, "\n"), tc.says) {
			t.Errorf("%s: %+v, %v, want %q", name, promotion, err, tc.says)
		}
		if to.stored() > 0 {
			t.Errorf("%s: something was written", name)
		}
	}
}

// Who names nothing that could be promoted, or a registry that does not answer, is told that, and not that it is refused.
func TestAPromotionThatCannotBeDecidedIsAnError(t *testing.T) {
	d := newDock(t, server.WithReferrersSupport(true))
	d.published()
	for name, tc := range map[string]struct {
		change func(*gate.PromotePlan)
		usage  bool
		says   string
	}{
		"nobody's":       {func(p *gate.PromotePlan) { p.Signers.Signers = nil }, true, "nobody is named"},
		"no name":        {func(p *gate.PromotePlan) { p.Destination = strings.TrimSuffix(p.Destination, ":1") }, true, "names no tag"},
		"no registry's":  {func(p *gate.PromotePlan) { p.Source = "oci:" + d.layout }, true, "no image in a registry"},
		"a path":         {func(p *gate.PromotePlan) { p.Source = "./app.tar" }, true, "looks like a path"},
		"a registry":     {func(p *gate.PromotePlan) { p.Source = d.host }, true, "none of its repositories"},
		"not there":      {func(p *gate.PromotePlan) { p.Source = d.host + "/team/none:1" }, false, "has no repository"},
		"nobody answers": {func(p *gate.PromotePlan) { p.Source = "127.0.0.1:1/team/app:1" }, false, "nothing listens"},
		"nor there":      {func(p *gate.PromotePlan) { p.Destination = "127.0.0.1:1/team/app:1" }, false, "nothing listens"},
	} {
		to := d.beside()
		p := d.promotion(to)
		tc.change(&p)
		_, err := d.gate().Promote(context.Background(), p)
		if err == nil || core.Usage(err) != tc.usage || !strings.Contains(err.Error(), tc.says) || strings.Count(err.Error(), "could not") != 1 {
			t.Errorf("%s: got %v, want %q", name, err, tc.says)
		}
		if to.stored() > 0 {
			t.Errorf("%s: something was written", name)
		}
	}
}

// Judging again needs no earlier word: what is at the source comes along, and what is said now is beside it.
func TestAFreshVerdictPromotesToo(t *testing.T) {
	d := newDock(t, server.WithReferrersSupport(true))
	d.published()
	to := d.beside(server.WithReferrersSupport(true))
	plan := d.plan()
	plan.Targets = []string{d.host + "/team/app@" + string(d.digest)}
	plan.Publish.Reference, plan.Publish.Attached = to.host+"/team/app:1", true
	r, err := d.gate().Run(context.Background(), plan)
	if err != nil || r.Published == nil || to.tagged() != d.digest {
		t.Fatalf("%v, the tag names %s", err, to.tagged())
	}
	_, before := d.heard(d.digest)
	if _, after := to.heard(d.digest); after != 2*before {
		t.Errorf("%d bundles, want %d of before and as many of now", after, before)
	}
	plan.Targets = []string{"oci:" + d.layout}
	if _, err := d.gate().Run(context.Background(), plan); err == nil || !core.Usage(err) {
		t.Errorf("what is in no registry: %v", err)
	}
}

// signing is the plan of a second job.
func (d *dock) signing(evidence ...string) gate.Plan {
	plan := d.plan()
	plan.Targets = []string{d.host + "/team/app@" + string(d.digest)}
	plan.Publish.Reference, plan.Evidence = plan.Targets[0], evidence
	return plan
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheSecondJobSignsWhatItSeesItself(t *testing.T) {
	d := newDock(t, server.WithReferrersSupport(true))
	d.published()
	_, before := d.heard(d.digest)
	evidence := filepath.Join(t.TempDir(), "evidence.json")
	scan := d.plan()
	scan.Publish = nil
	scan.Outputs = []gate.Output{{Format: "json", Path: evidence}}
	if _, err := d.gate().Run(context.Background(), scan); err != nil {
		t.Fatal(err)
	}
	r, err := d.gate().Run(context.Background(), d.signing(evidence))
	if err != nil || r.Published == nil || r.Published.Digest != d.digest {
		t.Fatalf("%v, %+v", err, r)
	}
	if _, after := d.heard(d.digest); after <= before {
		t.Errorf("%d bundles, %d before", after, before)
	}
	if !slices.ContainsFunc(r.Published.Attestations, func(a gate.Attested) bool { return a.PredicateType == said.TypeVSA }) {
		t.Errorf("no summary: %+v", r.Published.Attestations)
	}
}

func TestEvidenceFromElsewhereRefusesAndPassesNothing(t *testing.T) {
	d := newDock(t, server.WithReferrersSupport(true))
	d.published()
	_, before := d.heard(d.digest)
	evidence := filepath.Join(t.TempDir(), "evidence.json")
	scan := d.plan()
	scan.Publish = nil
	scan.Outputs = []gate.Output{{Format: "json", Path: evidence}}
	if _, err := d.gate().Run(context.Background(), scan); err != nil {
		t.Fatal(err)
	}
	// Somebody else's scanner found something there.
	var document map[string]any
	d.must(json.Unmarshal([]byte(read(t, evidence)), &document))
	all := document["evidence"].(map[string]any)
	findings, _ := all["findings"].([]any)
	all["findings"] = append(findings, map[string]any{"kind": "code", "rule": "never", "title": "seen elsewhere", "severity": "high",
		"subject": d.digest, "fingerprint": strings.Repeat("f1", 16), "fix": map[string]any{}, "seenBy": []string{"other"}})
	raw, err := json.Marshal(document)
	d.must(err)
	bad := filepath.Join(t.TempDir(), "bad.json")
	write(t, bad, string(raw))
	for name, tc := range map[string]struct {
		document string
		refused  bool
		says     string
	}{
		"it refuses":      {bad, true, ""},
		"it is not there": {"none.json", false, "none.json"},
	} {
		r, err := d.gate().Run(context.Background(), d.signing(tc.document))
		if tc.refused && (err != nil || r.Verdict.Decision != core.Refused || r.Published != nil) {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
		if !tc.refused && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// What is missing here is not made up for by what somebody says that was done there.
	write(t, d.policy, strings.Replace(read(t, d.policy), "require: [packages]", "require: [packages, semgrep]", 1))
	r, err := d.gate().Run(context.Background(), d.signing(evidence))
	if err == nil && (r.Verdict.Decision == core.Passed || r.Published != nil) {
		t.Errorf("it passed: %+v", r.Verdict)
	}
	if _, after := d.heard(d.digest); after != before {
		t.Errorf("%d bundles, %d before", after, before)
	}
}
