package policy_test

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// scoped is a policy with one rule of a scope before one that warns of everything.
func scoped(action, scope string) string {
	return "version: 1\nextends: none\nrules:\n- {name: scoped, when: 'true', action: " + action + ", applies-to: {" + scope +
		"}}\n- {name: rest, when: 'true', action: warn}\n"
}

func TestARuleIsPassedOverWhereItDoesNotApply(t *testing.T) {
	at := func(paths ...string) func(*core.Evidence) {
		return func(e *core.Evidence) {
			for _, p := range paths {
				e.Findings[0].Locations = append(e.Findings[0].Locations, core.Location{Path: p})
			}
		}
	}
	branch := func(name string) func(*core.Evidence) {
		return func(e *core.Evidence) { e.Change = &core.Change{Branch: name} }
	}
	named := func(name string, kind core.SubjectKind) func(*core.Evidence) {
		return func(e *core.Evidence) { e.Subjects[0].Name, e.Subjects[0].Kind = name, kind }
	}
	none := func(*core.Evidence) {}
	for _, tt := range []struct {
		name   string
		scope  string
		change func(*core.Evidence)
		// fail and ignore say whether a rule of that action is tried.
		fail, ignore bool
	}{
		{"the branch", "branches: [main, 'release/*']", branch("release/2"), true, true},
		{"the branch as git writes it", "branches: [main]", branch("refs/heads/main"), true, true},
		{"another branch", "branches: [main, 'release/*']", branch("feature/main"), false, false},
		{"no branch is known: only what refuses applies", "branches: [main]", none, true, false},
		{"a change without a branch", "branches: [main]", branch(""), true, false},

		{"the image", "images: ['registry.example/**']", none, true, true},
		{"the image, whatever its tag", "images: [registry.example/app]", named("registry.example/app:2@sha256:00", core.KindImage), true, true},
		{"another image", "images: [registry.example/other]", none, false, false},
		{"another registry", "images: ['registry.example/**']", named("evil.example/app:1", core.KindImage), false, false},
		{"an archive, which has no registry", "images: [registry.example/other]", named("app.tar", core.KindImage), true, false},
		{"sources, which are no image", "images: [registry.example/app]", named("registry.example/app:1", core.KindSource), false, false},

		{"the path", "paths: ['test/**']", at("test/a"), true, true},
		{"another path", "paths: ['test/**']", at("src/a"), false, false},
		{"one of two paths: it refuses, and excuses nothing", "paths: ['test/**']", at("test/a", "src/a"), true, false},
		{"both paths", "paths: ['test/**', src/a]", at("test/a", "src/a"), true, true},
		{"a path too long to be compared", "paths: ['test/**']", at("src/" + strings.Repeat("a", 5000)), true, false},
		{"no path is known", "paths: ['test/**']", none, true, false},
		{"the path of its package", "paths: [lib/x]", func(e *core.Evidence) {
			e.Packages = []core.Package{{Subject: image, Name: "p", Version: "1.0", Purl: "pkg:npm/p@1.0", Locations: []core.Location{{Path: "lib/x"}}}}
		}, true, true},
		{"all of it", "branches: [main], images: ['**'], paths: ['**']", func(e *core.Evidence) { branch("main")(e); at("a")(e) }, true, true},
		{"all but the branch", "branches: [main], images: ['**'], paths: ['**']", func(e *core.Evidence) { branch("x")(e); at("a")(e) }, false, false},
		{"all but the path", "branches: [main], images: ['**'], paths: [b]", func(e *core.Evidence) { branch("main")(e); at("a")(e) }, false, false},
	} {
		for action, tried := range map[string]bool{"fail": tt.fail, "ignore": tt.ignore} {
			t.Run(tt.name+"/"+action, func(t *testing.T) {
				e := evidence()
				e.Findings = []core.Finding{flaw(all())}
				tt.change(&e)
				want := "rest"
				if tried {
					want = "scoped"
				}
				if got := decidedBy(t, parsed(t, scoped(action, tt.scope)), e); !strings.HasPrefix(got, want+" ") {
					t.Errorf("it is decided by %q, want %q", got, want)
				}
			})
		}
	}
}

// A finding is decided alike whichever others are judged with it.
func TestTheScopeOfARuleIsAskedForEachSubject(t *testing.T) {
	e := indexEvidence()
	e.Subjects[1].Name, e.Subjects[2].Name = "registry.example/a:1", "registry.example/b:1"
	a, b := flaw(all()), flaw(all())
	a.Subject, b.Subject = image, other
	e.Findings = []core.Finding{a, b, a, b}
	v := parsed(t, scoped("ignore", "images: [registry.example/b]")).Judge(&e, nil, now)
	if len(v.Ignored) != 2 || v.Ignored[0].Subject != other || len(v.Warnings) != 2 || v.Warnings[1].Subject != image {
		t.Errorf("ignored %+v, warned %+v", v.Ignored, v.Warnings)
	}
}

func TestRulesOverPackagesHaveScopesAndExaminationsAreJudged(t *testing.T) {
	e := evidence()
	e.Packages = []core.Package{{Subject: image, Name: "a", Locations: []core.Location{{Path: "vendor/a"}}},
		{Subject: image, Name: "b", Locations: []core.Location{{Path: "src/b"}}}}
	e.Examinations = append(e.Examinations, core.Examination{Name: "hook/gosec", Subject: image, Tool: "gosec", Version: "2",
		Status: core.Complete, Enforced: []string{"seccomp"}, Unenforced: []string{"landlock"}, Granted: []string{"host proxy.example"}})
	p := parsed(t, `version: 1
rules:
  - {name: vendored, for: packages, when: package.name != "", action: warn, applies-to: {paths: ['vendor/**']}}
  - name: barriers
    for: examinations
    when: examination.name.startsWith("hook/") && !("landlock" in examination.enforced)
    action: fail
    message: "{examination.tool} ran without Landlock ({examination.status})"
  - {name: many, for: evidence, when: evidence.packages > 1 && evidence.advisories.records > 0, action: warn, message: "{evidence.packages}"}
`)
	want := "barriers fail gosec ran without Landlock (complete)\nmany warn 2\nvendored warn vendored: a"
	if got := decidedBy(t, p, e); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if v := p.Judge(&e, nil, now); v.Decision != core.Refused || v.Refusals[0].Subject != image {
		t.Errorf("verdict %+v", v)
	}
}
