package kubernetes

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/pod-security-admission/policy"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/ruletest"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

var family = ruletest.Family(examine)

func examine(t testing.TB, text string) core.Found {
	t.Helper()
	docs, err := yamldoc.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	s := rule.NewSource("a.yaml", []byte(text))
	c := rule.NewCollector(s)
	var objects []Object
	for _, d := range docs {
		objects = append(objects, Objects(d)...)
	}
	Examine(context.Background(), c, objects, Surroundings{})
	return c.Found(func(string) bool { return true })
}

// pod is a Pod whose spec and only container have more fields, in flow style.
func pod(spec, container string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {" + join(spec,
		"containers: [{"+join("name: c, image: 'r.example/a:1'", container)+"}]") + "}\n"
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

// security is a container's securityContext.
func security(fields string) string { return pod("", "securityContext: {"+fields+"}") }

const good = `apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: n}
spec:
  template:
    metadata: {labels: {a: b}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: c
          image: r.example/a:1
          livenessProbe: {httpGet: {path: /, port: 80}}
          resources: {limits: {memory: 1Gi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
`

func TestAWellMadeWorkloadHasNoFinding(t *testing.T) {
	if got := examine(t, good); len(got.Findings) != 0 || len(got.Problems) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestEveryStandardOfTheLibraryIsARule(t *testing.T) {
	for _, c := range policy.DefaultChecks() {
		if !slices.ContainsFunc(standards(), func(s standard) bool { return s.check == c.ID }) {
			t.Errorf("%s of the Pod Security Standards has no rule", c.ID)
		}
	}
	if len(evaluators()) != len(standards()) {
		t.Errorf("%d of %d rules have a check in the library", len(evaluators()), len(standards()))
	}
}

func TestEveryKindOfWorkloadIsExamined(t *testing.T) {
	spec := "{containers: [{name: c, image: 'a:1', securityContext: {privileged: true}}]}"
	for head, way := range map[string]string{
		"apiVersion: v1\nkind: Pod\n":                   "spec: %",
		"apiVersion: v1\nkind: PodTemplate\n":           "template: {spec: %}",
		"apiVersion: v1\nkind: ReplicationController\n": "spec: {template: {spec: %}}",
		"apiVersion: apps/v1\nkind: Deployment\n":       "spec: {template: {spec: %}}",
		"apiVersion: apps/v1\nkind: StatefulSet\n":      "spec: {template: {spec: %}}",
		"apiVersion: apps/v1\nkind: DaemonSet\n":        "spec: {template: {spec: %}}",
		"apiVersion: apps/v1\nkind: ReplicaSet\n":       "spec: {template: {spec: %}}",
		"apiVersion: batch/v1\nkind: Job\n":             "spec: {template: {spec: %}}",
		"apiVersion: batch/v1\nkind: CronJob\n": "spec: {jobTemplate: " +
			"{spec: {template: {spec: %}}}}",
		"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n": "spec: {template: {spec: %}}",
		"apiVersion: v1\nkind: List\nitems:\n- kind: List\n  apiVersion: v1\n  items:\n  - ": "{apiVersion: v1, kind: " +
			"Pod, spec: %}",
	} {
		family.Flags(t, "kubernetes-privileged", head+strings.ReplaceAll(way, "%", spec)+"\n")
	}
	family.Flags(t, "kubernetes-privileged",
		`{"apiVersion": "v1",`+"\n\t"+`"kind": "Pod", "spec": {"containers": [{"name": "c", "image": "a:1", "securityContext": {"privileged": true}}]}}`)
}

func TestEachContainerIsAFindingOfItsOwn(t *testing.T) {
	text := "apiVersion: v1\nkind: Pod\nspec:\n  initContainers:\n  - name: a\n    image: x:1\n    securityContext:\n " +
		"     privileged: true\n" +
		"  containers:\n  - name: b\n    image: x:1\n  - name: c\n    image: x:1\n    securityContext: {privileged: true}\n"
	got := family.Found(t, "kubernetes-privileged", text)
	if len(got) != 2 || got[0].Locations[0].Line != 8 || got[1].Locations[0].Line != 14 ||
		got[0].Fingerprint == got[1].Fingerprint {
		t.Errorf("%+v", got)
	}
	moved := family.Found(t, "kubernetes-privileged", "# moved\n---\n"+text)
	if len(moved) != 2 || moved[0].Fingerprint != got[0].Fingerprint {
		t.Error("a fingerprint depends on lines")
	}
}

func TestAPatchIsNotBlamedForWhatItDoesNotSay(t *testing.T) {
	patch := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: " +
		"[{name: c, env: []}]}}}\n"
	if got := examine(t, patch); len(got.Findings) != 0 {
		t.Errorf("%+v", got.Findings)
	}
	family.Flags(t, "kubernetes-privileged", "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: "+
		"[{name: c, securityContext: {privileged: true}}]}}}\n")
}

func TestWhatKubernetesRefusesIsAProblem(t *testing.T) {
	got := examine(t, "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: x, securityContext: "+
		"{privileged: maybe}}]}\n")
	if len(got.Problems) != 1 {
		t.Errorf("%+v", got.Problems)
	}
	if got := examine(t, "a: b\n---\n- c\n---\nkind: Pod\n"); len(got.Problems)+len(got.Findings) != 0 {
		t.Errorf("what is no manifest is examined: %+v", got)
	}
}

func TestIgnoreCommentsSpeakOfContainersAndFields(t *testing.T) {
	for _, text := range []string{
		"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  # cleanbill:ignore kubernetes-privileged it loads a module\n " +
			" - name: b\n    image: x:1\n    securityContext:\n      privileged: true\n",
		"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: b\n    image: x:1\n    securityContext:\n      " +
			"privileged: true # cleanbill:ignore kubernetes-privileged it loads a module\n",
	} {
		if got := family.Found(t, "kubernetes-privileged", text); len(got) != 1 || len(got[0].Suppressions) != 1 {
			t.Errorf("%+v", got)
		}
	}
}

func FuzzExamine(f *testing.F) {
	for _, seed := range []string{
		good, pod("hostNetwork: true, volumes: [{name: v, hostPath: {path: /var/run/docker.sock}}]",
			"env: [{name: A, value: b}]"),
		"apiVersion: v1\nkind: List\nitems: &a [{apiVersion: v1, kind: List, items: *a}]\n",
		"kind: Secret\napiVersion: v1\ndata: {a: YQ==}\n",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nrules: [{verbs: ['*'], resources: '*'}]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, err := yamldoc.Parse(text)
		if err != nil {
			return
		}
		c := rule.NewCollector(rule.NewSource("a.yaml", text))
		for _, d := range docs {
			Examine(context.Background(), c, Objects(d), Surroundings{})
		}
		for _, one := range c.Found(func(string) bool { return true }).Findings {
			if len(one.Locations) != 1 || one.Locations[0].Line < 1 || one.Fingerprint == "" {
				t.Fatalf("%q: %+v has no place", text, one)
			}
		}
	})
}

func BenchmarkExamine(b *testing.B) {
	text := strings.Repeat(good+"---\n", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		examine(b, text)
	}
}
