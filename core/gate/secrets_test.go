package gate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// Put together, so that this file holds none.
var token = "ghp_" + "x7Kq2mVn9RtLw4Zs8Yb3Gc6Hd1Jf5Pa0UeQo"

func secretsIn(r *gate.Result) map[string]core.Finding {
	found := map[string]core.Finding{}
	for _, f := range r.Evidence.Findings {
		if f.Kind == core.KindSecret {
			found[f.Locations[0].Path] = f
		}
	}
	return found
}

// Whoever may pull an image may read its lower layers and its history.
func TestSecretsAreFoundInEveryLayerAndInTheConfiguration(t *testing.T) {
	spec := images.Clean("amd64")
	spec.Config = v1.Config{Env: []string{"PATH=/bin", "GH=" + token}}
	spec.Layers = append(spec.Layers,
		images.Layer{CreatedBy: "COPY . /srv", Entries: []images.Entry{images.File("srv/deploy.sh", "export GH="+token+"\n")}},
		images.Layer{CreatedBy: "RUN rm /srv/deploy.sh", Entries: []images.Entry{images.Whiteout("srv/deploy.sh")}},
		images.Layer{CreatedBy: "RUN |1 GH=" + token + " make", Empty: true})
	r := run(t, gate.Plan{Targets: []string{layout(t, spec)}})
	if r.Verdict.Decision != core.Refused {
		t.Fatalf("%v", r.Verdict.Decision)
	}
	found := secretsIn(r)
	deleted := found["srv/deploy.sh"]
	if deleted.Origin == nil || deleted.Origin.RemovedIn == nil || deleted.Origin.CreatedBy != "COPY . /srv" {
		t.Errorf("the deleted file: %+v", deleted)
	}
	for _, where := range []string{"image configuration: ENV GH", "image configuration: history"} {
		if !strings.Contains(strings.Join(keys(found), "\n"), where) {
			t.Errorf("nothing was found in the %s: %q", where, keys(found))
		}
	}
	// Of what was found nothing is told, also where the evidence repeats the history.
	if told, err := json.Marshal(r.Evidence); err != nil || strings.Contains(string(told), token[4:]) {
		t.Errorf("the secret is in the evidence (%v)", err)
	}
}

func keys(found map[string]core.Finding) []string {
	var all []string
	for k := range found {
		all = append(all, k)
	}
	return all
}

func TestAChangeCannotSilenceTheSearchForSecrets(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"nothing":          {},
		"an ignore file":   {".gitleaksignore": "run.sh:github-pat:1\n"},
		"a configuration":  {".gitleaks.toml": "[[rules]]\nid = \"none\"\nregex = '''nothing at all'''\n"},
		"an inline ignore": {"run.sh": "T=" + token + " # gitleaks:allow\n"},
	} {
		repository := gittest.New(t)
		base := repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
		repository.Write(t, map[string]string{"run.sh": "T=" + token + "\n"})
		repository.Write(t, change)
		r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}})
		if exit != 1 || len(secretsIn(r)) != 1 || r.Verdict.Refusals[0].Rule != "secret" {
			t.Errorf("%s: exit code %d (%v)", name, exit, err)
		}
	}
	// What was merged counts.
	for name, merged := range map[string]map[string]string{
		"an ignore file":   {".gitleaksignore": "run.sh:github-pat:1\n", "run.sh": "T=" + token + "\n"},
		"an inline ignore": {"run.sh": "T=" + token + " # gitleaks:allow\n"},
	} {
		repository := gittest.New(t)
		repository.Commit(t, merged)
		repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
		r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}})
		if exit != 0 || len(secretsIn(r)) != 1 || len(r.Verdict.Ignored) != 1 {
			t.Errorf("%s, merged: exit code %d (%v)", name, exit, err)
		}
	}
}

func TestABrokenConfigurationOfTheSearchForSecretsIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": flawless, ".gitleaks.toml": "[[rules]]\nid = \"a\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{dir}, Advisories: "starter"})
	if err == nil || !core.Usage(err) || !strings.Contains(err.Error(), "neither a regex nor a path") {
		t.Errorf("%v", err)
	}
}
