package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

var (
	index = core.Digest("sha256:" + strings.Repeat("0", 64))
	other = core.Digest("sha256:" + strings.Repeat("b", 64))
)

func standard(t testing.TB) *policy.Policy {
	t.Helper()
	return profile(t, "standard")
}

func profile(t testing.TB, name string) *policy.Policy {
	t.Helper()
	p, err := policy.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsed(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// indexEvidence is complete evidence of an index with two platforms.
func indexEvidence() core.Evidence {
	amd64, arm64 := core.Platform{OS: "linux", Architecture: "amd64"}, core.Platform{OS: "linux", Architecture: "arm64"}
	e := core.Evidence{
		Subjects: []core.Subject{
			{Name: "app:1", Kind: core.KindIndex, Digest: index},
			{Name: "app:1", Kind: core.KindImage, Digest: image, Parent: index, Platform: &amd64},
			{Name: "app:1", Kind: core.KindImage, Digest: other, Parent: index, Platform: &arm64},
		},
		Advisories: fresh(),
	}
	e.Examinations = append(e.Examinations, core.Examination{Name: core.ExamineTarget, Subject: index, Tool: "test", Status: core.Complete})
	for _, d := range []core.Digest{image, other} {
		e.Examinations = append(e.Examinations, complete(d)[1:]...) // no target: that is of the index
	}
	return e
}

func sourceEvidence() core.Evidence {
	return core.Evidence{
		Subjects: []core.Subject{{Name: ".", Kind: core.KindSource, Digest: image}},
		Examinations: []core.Examination{
			{Name: core.ExamineTarget, Subject: image, Tool: "test", Status: core.Complete},
			{Name: core.ExaminePackages, Subject: image, Tool: "test", Status: core.Complete},
			{Name: core.ExamineAdvisories, Subject: image, Tool: "test", Status: core.Complete},
			{Name: core.ExamineSecrets, Subject: image, Tool: "test", Status: core.Complete},
		},
		Advisories: fresh(),
	}
}

// set gives one examination another status.
func set(name string, subject core.Digest, status core.Completeness, code string) func(*core.Evidence) {
	return func(e *core.Evidence) {
		for i := range e.Examinations {
			x := &e.Examinations[i]
			if x.Name == name && x.Subject == subject {
				x.Status, x.Code, x.Why = status, code, []string{"because"}
			}
		}
	}
}

func drop(name string, subject core.Digest) func(*core.Evidence) {
	return func(e *core.Evidence) {
		e.Examinations = slices.DeleteFunc(e.Examinations, func(x core.Examination) bool { return x.Name == name && x.Subject == subject })
	}
}

func add(x core.Examination) func(*core.Evidence) {
	return func(e *core.Evidence) { e.Examinations = append(e.Examinations, x) }
}

func TestWhatWasNotExaminedKeepsFromPassing(t *testing.T) {
	with := func(e core.Evidence, changes ...func(*core.Evidence)) core.Evidence {
		for _, change := range changes {
			change(&e)
		}
		return e
	}
	hook := core.Examination{Name: "hook/gosec", Subject: image, Tool: "gosec", Why: []string{"it timed out"}}
	status := func(x core.Examination, s core.Completeness) core.Examination { x.Status = s; return x }
	tests := map[string]struct {
		evidence core.Evidence
		want     core.Decision
		gaps     []string // examination, status, rule
		accepted []string
	}{
		"complete":        {evidence: evidence(), want: core.Passed},
		"complete index":  {evidence: indexEvidence(), want: core.Passed},
		"complete source": {evidence: sourceEvidence(), want: core.Passed},
		"nothing":         {gaps: []string{"target  a subject"}},
		"no examinations at all": {
			evidence: with(evidence(), func(e *core.Evidence) { e.Examinations = nil }),
			gaps: []string{"advisories  require: advisories", "distro  require: distro", "layers  require: layers",
				"packages  require: packages", "secrets  require: secrets", "target  require: target"},
		},
		"an image that nobody searched for secrets, beside sources that were": {
			evidence: with(sourceEvidence(), func(e *core.Evidence) {
				e.Subjects = append(e.Subjects, core.Subject{Name: "app:1", Kind: core.KindImage, Digest: other})
				e.Examinations = append(e.Examinations, complete(other)...)
				drop(core.ExamineSecrets, other)(e)
			}),
			gaps: []string{"secrets  require: secrets"},
		},
		"a bill of materials has no secrets": {
			evidence: with(sourceEvidence(), func(e *core.Evidence) { e.Subjects[0].Kind = core.KindSBOM; drop(core.ExamineSecrets, image)(e) }),
			want:     core.Passed,
		},
		"no target examination":   {evidence: with(evidence(), drop(core.ExamineTarget, image)), gaps: []string{"target  require: target"}},
		"no layers examination":   {evidence: with(evidence(), drop(core.ExamineLayers, image)), gaps: []string{"layers  require: layers"}},
		"no packages examination": {evidence: with(evidence(), drop(core.ExaminePackages, image)), gaps: []string{"packages  require: packages"}},
		"no distro examination":   {evidence: with(evidence(), drop(core.ExamineDistro, image)), gaps: []string{"distro  require: distro"}},
		"an examination of no subject": {
			evidence: with(evidence(), drop(core.ExamineLayers, image),
				add(core.Examination{Name: core.ExamineLayers, Tool: "test", Status: core.Complete})),
			gaps: []string{"layers  require: layers"},
		},
		"an examination of no subject that failed": {
			evidence: with(evidence(), drop(core.ExamineLayers, image),
				add(core.Examination{Name: core.ExamineLayers, Tool: "test", Status: core.Failed, Why: []string{"because"}})),
			gaps: []string{"layers failed require: layers"},
		},
		"no advisories": {
			evidence: with(evidence(), drop(core.ExamineAdvisories, image)),
			gaps:     []string{"advisories  require: advisories"},
		},
		"one platform lacks an examination": {
			evidence: with(indexEvidence(), drop(core.ExaminePackages, other)),
			gaps:     []string{"packages  require: packages"},
		},
		"the index lacks its examination": {
			evidence: with(indexEvidence(), drop(core.ExamineTarget, index)),
			gaps:     []string{"target  require: target"},
		},
		"an index without platforms": {
			evidence: with(indexEvidence(), func(e *core.Evidence) { e.Subjects = e.Subjects[:1] }),
			gaps:     []string{"target  a platform"},
		},
		"an image that says it is its own parent": {
			evidence: with(evidence(), drop(core.ExamineTarget, image), func(e *core.Evidence) { e.Subjects[0].Parent = image }),
			gaps:     []string{"target  require: target"},
		},
		"partial": {evidence: with(evidence(), set(core.ExaminePackages, image, core.Partial, "")), gaps: []string{"packages partial require: packages"}},
		"failed":  {evidence: with(evidence(), set(core.ExamineLayers, image, core.Failed, "")), gaps: []string{"layers failed require: layers"}},
		"skipped although required": {
			evidence: with(evidence(), set(core.ExamineDistro, image, core.Skipped, "")),
			gaps:     []string{"distro skipped require: distro"},
		},
		"no status": {
			evidence: with(evidence(), set(core.ExamineDistro, image, "", "")),
			gaps:     []string{"distro failed require: distro"},
		},
		"a status from the future": {
			evidence: with(evidence(), set(core.ExamineDistro, image, "mostly", "")),
			gaps:     []string{"distro failed require: distro"},
		},
		"one of two examinations of a name": {
			evidence: with(evidence(), add(core.Examination{Name: core.ExaminePackages, Subject: image, Tool: "x", Status: core.Partial, Why: []string{"y"}})),
			gaps:     []string{"packages partial require: packages"},
		},
		"an examination of everything": {
			evidence: with(evidence(), add(core.Examination{Name: core.ExaminePackages, Tool: "x", Status: core.Failed})),
			gaps:     []string{"packages failed require: packages"},
		},
		"a hook that nobody requires timed out": {evidence: with(evidence(), add(status(hook, core.Failed))), gaps: []string{"hook/gosec failed complete"}},
		"a hook that nobody requires saw a part": {
			evidence: with(evidence(), add(status(hook, core.Partial))),
			gaps:     []string{"hook/gosec partial complete"},
		},
		"a hook that nobody requires was left out": {
			evidence: with(evidence(), add(status(hook, core.Skipped))), want: core.Passed,
			accepted: []string{"hook/gosec skipped not required"},
		},
		"the same gap from two analyzers": {
			evidence: with(evidence(), add(status(hook, core.Failed)), add(status(hook, core.Failed))),
			gaps:     []string{"hook/gosec failed complete"},
		},
		"starter advisories": {
			evidence: with(evidence(), set(core.ExamineAdvisories, image, core.Partial, core.CodeStarterAdvisories)),
			gaps:     []string{"advisories partial require: advisories"},
		},
		"starter advisories that claim to be complete": {
			evidence: with(evidence(), func(e *core.Evidence) { e.Advisories.Starter = true }),
			gaps:     []string{"advisories partial starter-ok"},
		},
		"starter advisories behind another gap": {
			evidence: with(evidence(), func(e *core.Evidence) { e.Advisories.Starter = true }, set(core.ExamineAdvisories, image, core.Partial, "else")),
			gaps:     []string{"advisories partial require: advisories", "advisories partial starter-ok"},
		},
		"platforms that the user left out": {
			evidence: with(indexEvidence(), set(core.ExamineTarget, index, core.Skipped, "")), want: core.Passed,
			accepted: []string{"target skipped excluded-platforms-ok"},
		},
		"platforms that could not be opened": {
			evidence: with(indexEvidence(), set(core.ExamineTarget, index, core.Partial, "")),
			gaps:     []string{"target partial require: target"},
		},
		"an image that was left out is no platform of an index": {
			evidence: with(evidence(), set(core.ExamineTarget, image, core.Skipped, "")),
			gaps:     []string{"target skipped require: target"},
		},
		"an unknown kind of subject needs everything": {
			evidence: with(sourceEvidence(), func(e *core.Evidence) { e.Subjects[0].Kind = "planet" }),
			gaps:     []string{"distro  require: distro", "layers  require: layers"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := standard(t).Judge(&tt.evidence, nil, now)
			if v.Decision != tt.want {
				t.Errorf("decision %v, want %v", v.Decision, tt.want)
			}
			if diff := cmp.Diff(tt.gaps, namesOf(t, v.Gaps)); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.accepted, namesOf(t, v.Accepted)); diff != "" {
				t.Errorf("accepted (-want +got):\n%s", diff)
			}
		})
	}
}

func namesOf(t *testing.T, gaps []core.Gap) []string {
	var names []string
	for _, g := range gaps {
		if len(g.Why) == 0 {
			t.Errorf("the gap %+v does not say why", g)
		}
		names = append(names, g.Examination+" "+string(g.Status)+" "+g.Rule)
	}
	return names
}

func TestProfilesDifferInWhatTheyAccept(t *testing.T) {
	excluded := indexEvidence()
	set(core.ExamineTarget, index, core.Skipped, "")(&excluded)
	starter := evidence()
	set(core.ExamineAdvisories, image, core.Partial, core.CodeStarterAdvisories)(&starter)
	for name, want := range map[string]core.Decision{"relaxed": core.Passed, "standard": core.Passed, "strict": core.Undecided} {
		if v := profile(t, name).Judge(&excluded, nil, now); v.Decision != want {
			t.Errorf("%s with excluded platforms: %v, want %v", name, v.Decision, want)
		}
		if v := profile(t, name).Judge(&starter, nil, now); v.Decision != core.Undecided {
			t.Errorf("%s with starter advisories: %v", name, v.Decision)
		}
		for _, x := range complete(image) {
			e := evidence()
			drop(x.Name, image)(&e)
			if v := profile(t, name).Judge(&e, nil, now); v.Decision != core.Undecided {
				t.Errorf("%s without %s: %v", name, x.Name, v.Decision)
			}
		}
	}
}

func TestAPolicyAcceptsWhatItSays(t *testing.T) {
	starter := evidence()
	set(core.ExamineAdvisories, image, core.Partial, core.CodeStarterAdvisories)(&starter)
	noDistro := evidence()
	set(core.ExamineDistro, image, core.Partial, "unknown-distro")(&noDistro)
	failed := evidence()
	set(core.ExamineDistro, image, core.Failed, "unknown-distro")(&failed)
	tests := map[string]struct {
		policy   string
		evidence core.Evidence
		want     core.Decision
	}{
		"starter-ok":                      {"version: 1\nstarter-ok: true", starter, core.Passed},
		"starter-ok is not for others":    {"version: 1\nstarter-ok: true", noDistro, core.Undecided},
		"a code":                          {"version: 1\naccept: [{examination: distro, code: unknown-distro, reason: scratch}]", noDistro, core.Passed},
		"another code":                    {"version: 1\naccept: [{examination: distro, code: else, reason: scratch}]", noDistro, core.Undecided},
		"another examination":             {"version: 1\naccept: [{examination: layers, reason: scratch}]", noDistro, core.Undecided},
		"any code":                        {"version: 1\naccept: [{examination: distro, reason: scratch}]", noDistro, core.Passed},
		"never what failed altogether":    {"version: 1\naccept: [{examination: distro, reason: scratch}]", failed, core.Undecided},
		"a requirement cannot be dropped": {"version: 1\nrequire: [layers]", noDistro, core.Undecided},
		"a requirement can be added":      {"version: 1\nrequire: [hook/gosec]", evidence(), core.Undecided},
		"strict with excluded-platforms-ok": {"version: 1\nextends: strict\nexcluded-platforms-ok: true", func() core.Evidence {
			e := indexEvidence()
			set(core.ExamineTarget, index, core.Skipped, "")(&e)
			return e
		}(), core.Passed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if v := parsed(t, tt.policy).Judge(&tt.evidence, nil, now); v.Decision != tt.want {
				t.Errorf("decision %v, want %v: %+v", v.Decision, tt.want, v.Gaps)
			}
		})
	}
}

func TestARefusalWinsOverAGap(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(critical)}
	e.Examinations = nil
	v := standard(t).Judge(&e, nil, now)
	if v.Decision != core.Refused || len(v.Gaps) == 0 || v.Decision.ExitCode() != core.ExitRefused {
		t.Errorf("decision %v with %d gaps", v.Decision, len(v.Gaps))
	}
}

func TestGapsCarryReasonAndRemedy(t *testing.T) {
	e := evidence()
	e.Examinations[3].Status = core.Partial
	e.Examinations[3].Why = []string{"b", "a"}
	e.Examinations[3].Remedy = "fetch them"
	want := []core.Gap{{Examination: core.ExamineAdvisories, Subject: image, Status: core.Partial, Why: []string{"a", "b"},
		Remedy: "fetch them", Rule: "require: advisories"}}
	if diff := cmp.Diff(want, standard(t).Judge(&e, nil, now).Gaps); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Equal(e.Examinations[3].Why, []string{"b", "a"}) {
		t.Error("judging changed the evidence")
	}
}

// Evidence may be hostile: what it names need not exist, and may be there twice.
func TestFindingsOfUnknownSubjectsAreJudged(t *testing.T) {
	e := evidence()
	f := flaw(critical)
	f.Subject = "sha256:nowhere"
	e.Findings = []core.Finding{f}
	if v := standard(t).Judge(&e, nil, now); v.Decision != core.Refused {
		t.Errorf("decision %v", v.Decision)
	}
}

func TestCounts(t *testing.T) {
	e := evidence()
	e.Packages = make([]core.Package, 3)
	for _, change := range []func(*core.Finding){critical, high, high, medium, all(), none, unknown, all(critical, noFix)} {
		e.Findings = append(e.Findings, flaw(change))
	}
	e.Findings = append(e.Findings, flaw(func(f *core.Finding) { f.Severity = 99 }))
	want := core.Counts{Packages: 3, Findings: 9, Critical: 2, High: 2, Medium: 1, Low: 1, None: 1, Unknown: 2, Fixable: 8}
	if diff := cmp.Diff(want, standard(t).Judge(&e, nil, now).Counts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAHookOverSourcesIsNotMissingForTheImageBesideThem(t *testing.T) {
	p := parsed(t, "version: 1\nextends: standard\nrequire: [target, packages, advisories, gosec]\n")
	both := func(hooks ...core.Examination) *core.Evidence {
		e := sourceEvidence()
		e.Subjects = append(e.Subjects, core.Subject{Name: "app:1", Kind: core.KindImage, Digest: other})
		e.Examinations = append(append(e.Examinations, complete(other)...), hooks...)
		return &e
	}
	gosec := core.Examination{Name: "gosec", Subject: image, Tool: "gosec", Status: core.Complete}
	if v := p.Judge(both(gosec), nil, now); v.Decision != core.Passed {
		t.Errorf("%+v", v.Gaps)
	}
	if v := p.Judge(both(), nil, now); v.Decision == core.Passed || len(v.Gaps) != 2 {
		t.Errorf("a hook that nobody ran is no gap: %+v", v.Gaps)
	}
	gosec.Status, gosec.Why = core.Skipped, []string{"gosec is not installed"}
	if v := p.Judge(both(gosec), nil, now); v.Decision == core.Passed {
		t.Error("a required hook that was left out passed")
	}
	second := both(core.Examination{Name: "gosec", Subject: image, Tool: "gosec", Status: core.Complete})
	second.Subjects = append(second.Subjects, core.Subject{Name: "lib", Kind: core.KindSource, Digest: index})
	v := p.Judge(second, nil, now)
	if !slices.ContainsFunc(v.Gaps, func(g core.Gap) bool { return g.Examination == "gosec" && g.Subject == index }) {
		t.Errorf("the hook did not see the second source tree, and that is no gap: %+v", v.Gaps)
	}
}
