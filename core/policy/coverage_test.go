package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// coverageFile is made from the tables below and from the built-in policies.
const coverageFile = "../../docs/coverage.md"

// topic is one topic of container security.
type topic struct {
	name string
	// nist are sections of NIST SP 800-190, of which chapter 3 has the risks and chapter 4, by the same numbers, what to do.
	nist []string
	// examinations and commands are what looks.
	examinations []string
	commands     []string
	// keys of a policy file, and rules that can be written; each is tried by the test.
	keys  []string
	rules []example
	// cannot says what no gate in a pipeline can see or do.
	cannot string
}

// example is a rule that a policy can have: what it is over, and its condition.
type example struct{ over, when string }

// room is a source of findings. Whoever adds one adds a line to rooms; what it prints, and which built-in rules belong to
// which topic, follows.
type room struct {
	kind core.FindingKind
	// finds says what it finds.
	finds string
	// topics are those that all of it belongs to.
	topics []string
	// rules are its own ids, if they can be counted. A room with many makes the list from its table of rules.
	rules []ruleID
}

// ruleID is the id of a rule, and topics that it belongs to besides those of its room.
type ruleID struct {
	id     string
	topics []string
}

// rooms are made once: topics are asked of them thousands of times.
var rooms = sync.OnceValue(func() []room {
	return []room{
		{core.KindVulnerability, "packages of distributions and languages, in every layer and in sources, that an advisory names",
			[]string{"Code", "Images"}, nil},
		{core.KindMalware, "packages that were published to do harm, by OSV's list", []string{"Images", "Supply chain"}, nil},
		{core.KindEndOfLife, "distributions without security updates", []string{"Images"}, nil},
		{core.KindCode, "flaws of code, by analysers that run as hooks or whose reports are imported, and by SonarQube", []string{"Code"}, nil},
		{core.KindSecret, "keys and passwords in sources, their history, layers and configurations of images, by the rules of gitleaks",
			[]string{"Secrets", "Code", "Images"}, nil},
		{core.KindSuppression, "what a change wants not to be reported, in the code and in files that tools read",
			[]string{"Audit"}, []ruleID{{id: "suppression-added"}}},
		{core.KindMisconfiguration, "base images that the policy lists", []string{"Registries", "Supply chain"},
			[]ruleID{{id: policy.RuleBaseUnsigned}, {id: policy.RuleBaseUnpinned}}},
		{core.KindMisconfiguration, "misconfigurations, each with its reason and its fix in [the list](misconfigurations.md)", nil, misconfigurations()},
	}
})

// misconfigurations maps every rule of the room to topics, by words of its id.
func misconfigurations() []ruleID {
	words := []struct {
		pattern string
		topics  []string
	}{
		{`^(dockerfile|image)-`, []string{"Images"}},
		{`^(kubernetes|compose)-`, []string{"Orchestration"}},
		{`^(github|gitlab|tekton)-`, []string{"Supply chain"}},
		{`^kubernetes-(privileged|host-|capab|app|selin|proc|secc|sysc|windows|run-as|drop|resource|missing-probes|writable-root)`,
			[]string{"Runtime settings"}},
		{`^compose-(privileged|host-n|capab|unconf|missing-user)|healthcheck`, []string{"Runtime settings"}},
		{`secret|password|copy-context`, []string{"Secrets"}},
		{`host-path|storage|volume-types|writable-secret-mount|writable-root`, []string{"Storage"}},
		{`admin-port|host-port|network|ingress-tls|host-namespaces`, []string{"Network"}},
		{`root-user|run-as|sudo|setuid|privilege|capabilities|rbac|cluster-admin|anonymous|permissions|engine-socket|` +
			`service-account|missing-user|world-writable|insecure`, []string{"Least privilege"}},
		{`latest|unpinned|add-url|pipe-shell|unverified|remote-include|package-manager`, []string{"Supply chain"}},
		{`unpinned-base|latest-base|latest-image|unpinned-image`, []string{"Registries"}},
		{`^ignore-comment$`, []string{"Audit"}},
	}
	var all []ruleID
	for _, rule := range misconfig.Rules() {
		all = append(all, ruleID{id: rule.ID})
	}
	for _, w := range words {
		pattern := regexp.MustCompile(w.pattern)
		for i := range all {
			if pattern.MatchString(all[i].id) {
				all[i].topics = append(all[i].topics, w.topics...)
			}
		}
	}
	return all
}

func TestEveryRuleHasATopic(t *testing.T) {
	known := map[string]bool{}
	for _, topic := range topics() {
		known[topic.name] = true
	}
	for _, room := range rooms() {
		for _, topic := range room.topics {
			if !known[topic] {
				t.Errorf("%s: there is no topic %q", room.finds, topic)
			}
		}
		for _, rule := range room.rules {
			if len(rule.topics)+len(room.topics) == 0 {
				t.Errorf("%s has no topic", rule.id)
			}
			for _, topic := range rule.topics {
				if !known[topic] {
					t.Errorf("%s: there is no topic %q", rule.id, topic)
				}
			}
		}
	}
}

// about reports whether all or some of what the room finds belongs to a topic, and which of its rules do.
func (r room) about(topic string) (bool, []string) {
	whole := slices.Contains(r.topics, topic)
	var ids []string
	for _, rule := range r.rules {
		if whole || slices.Contains(rule.topics, topic) {
			ids = append(ids, rule.id)
		}
	}
	return whole || len(ids) > 0, ids
}

func (r room) ids() []string {
	var ids []string
	for _, rule := range r.rules {
		ids = append(ids, rule.id)
	}
	return ids
}

func topics() []topic {
	return []topic{
		{
			name: "Code", nist: []string{"3.4.4"},
			examinations: []string{core.ExaminePackages, core.ExamineAdvisories},
			commands:     []string{"gate", "hooks list", "hook run", "import", "baseline write"},
			keys:         []string{"hooks", "baseline"},
			rules:        []example{{"findings", `finding.kind == "vulnerability" && package.scope != "development"`}},
			cannot:       "flaws that no tool knows, and how the program behaves while it runs: that needs review, tests and monitoring.",
		},
		{
			name: "Images", nist: []string{"3.1.1", "3.1.2", "3.1.3", "3.2.2"},
			examinations: []string{core.ExamineTarget, core.ExamineLayers, core.ExaminePackages, core.ExamineAdvisories, core.ExamineDistro},
			commands:     []string{"gate", "scan", "sbom", "advisories query"},
			rules: []example{{"images", `now - image.created > duration("2160h")`}, {"packages", `package.licenses.exists(l, l.startsWith("AGPL"))`},
				{"images", `image.size > 1000000000`}},
			cannot: "what is found out after the build: judge again what runs, by its bill of materials, as advisories change.",
		},
		{
			name: "Registries", nist: []string{"3.2.1", "3.2.2", "3.2.3"},
			examinations: []string{core.ExamineTarget, policy.ExamineBaseSignatures}, commands: []string{"gate", "advisories mirror"},
			keys:   []string{"bases", "advisories"},
			rules:  []example{{"subjects", `!subject.name.startsWith("registry.example/")`}, {"images", `image.base.name != "" && registryOf(image.base.name) != "registry.example"`}},
			cannot: "who may push to a registry and pull from it, and what is deleted there: that is the registry's to enforce.",
		},
		{
			name: "Runtime settings", nist: []string{"3.1.2", "3.4.3"},
			examinations: []string{core.ExamineTarget, core.ExamineMisconfigurations}, commands: []string{"gate", "scan"},
			rules:  []example{{"images", `!image.healthcheck`}, {"images", `image.entrypoint.size() == 0 && image.cmd.size() == 0`}},
			cannot: "how the container is started: flags, profiles and limits are the platform's, and admission control sees them last.",
		},
		{
			name: "Orchestration", nist: []string{"3.3.1", "3.3.2", "3.3.4", "3.3.5"},
			examinations: []string{core.ExamineMisconfigurations}, commands: []string{"gate", "judge"},
			cannot: "the cluster: accounts, nodes, admission and what runs beside what. Require there that an image was judged.",
		},
		{
			name: "Storage", nist: []string{"3.5.5"}, rules: []example{{"images", `image.volumes.size() > 0`}}, commands: []string{"gate"},
			cannot: "what is mounted, whether it is encrypted, and who reads it.",
		},
		{
			name: "Network", nist: []string{"3.3.3", "3.4.2"}, rules: []example{{"images", `image.ports.exists(p, p in ["22/tcp", "23/tcp"])`}},
			commands: []string{"gate"},
			cannot:   "what a container may reach and who may reach it: network policies and firewalls.",
		},
		{
			name: "Secrets", nist: []string{"3.1.4"}, examinations: []string{core.ExamineSecrets}, commands: []string{"gate", "scan"},
			rules:  []example{{"images", `image.env.exists(e, e.matches("(?i)password|secret|token"))`}},
			cannot: "secrets that are given to a container when it starts, and whether a leaked one was used: change it.",
		},
		{
			name: "Least privilege", nist: []string{"3.1.2", "3.4.3", "3.5.4"}, rules: []example{{"images", `image.user in ["", "root", "0"]`}},
			commands: []string{"gate"},
			cannot:   "capabilities, privileged mode and the host's accounts, which are given when a container starts.",
		},
		{
			name: "Audit", nist: []string{"4.2.3", "6.4"}, commands: []string{"gate", "judge", "explain", "replay", "policy show", "policy test", "policy preview"},
			keys:   []string{"waivers", "inline-ignores", "locked", "rego"},
			cannot: "what happened before and after the pipeline: keep verdicts and logs where nobody who builds can change them.",
		},
		{
			name: "Incident response", nist: []string{"3.4.5", "6.4"}, commands: []string{"sbom", "judge", "advisories query", "advisories update"},
			cannot: "stopping or isolating what runs. Bills of materials and evidence of earlier builds say what is affected.",
		},
		{
			name: "Supply chain", nist: []string{"3.1.3", "3.1.5"},
			examinations: []string{policy.ExamineBaseSignatures, core.ExamineAdvisories}, commands: []string{"gate", "advisories verify", "policy push"},
			keys:   []string{"bases", "advisories", "vex", "extends-signed-by"},
			rules:  []example{{"images", `image.base.digest == ""`}, {"packages", `package.vendored`}},
			cannot: "who controls the sources, the builder and the pipeline itself: whoever can edit the pipeline can drop the gate, so require it from outside.",
		},
	}
}

// builtinRule is a rule of a built-in policy, and what it does there.
type builtinRule struct {
	Name, When, Action string
}

func builtinRules(t *testing.T, profile string) []builtinRule {
	t.Helper()
	source, err := policy.BuiltinSource(profile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Rules []builtinRule }
	if err := yaml.Unmarshal(source, &file); err != nil {
		t.Fatal(err)
	}
	return file.Rules
}

var kindIn = regexp.MustCompile(`finding\.kind == "([a-z-]+)"`)

// about returns the kinds that a rule speaks of; none means every finding.
func (r builtinRule) about() []core.FindingKind {
	var kinds []core.FindingKind
	for _, m := range kindIn.FindAllStringSubmatch(r.When, -1) {
		kinds = append(kinds, core.FindingKind(m[1]))
	}
	return kinds
}

func TestCoverageIsWrittenFromTheRules(t *testing.T) {
	want := coverage(t)
	if *update {
		if err := os.WriteFile(coverageFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(coverageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/coverage.md is stale (-want +got); run go test ./core/policy -run Coverage -update:\n%s", diff)
	}
}

func coverage(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# What the gate covers\n\n<!-- Made by go test ./core/policy -run Coverage -update; do not edit. -->\n\n")
	b.WriteString("This page maps the topics of container security to what looks at them here, and says what a gate in a pipeline\n" +
		"cannot cover. Numbers are sections of [NIST SP 800-190](https://doi.org/10.6028/NIST.SP.800-190), of which chapter 3 has\n" +
		"the risks, chapter 4, by the same numbers, what to do about them, and chapter 6 the life cycle.\n\n")
	b.WriteString("## What is found\n\n| kind | what |\n|---|---|\n")
	for _, r := range rooms() {
		fmt.Fprintf(&b, "| %s | %s |\n", r.kind, r.finds)
	}
	b.WriteString("\n## What the built-in policies do with it\n\n| rule | about | relaxed | standard | strict |\n|---|---|---|---|---|\n")
	for _, line := range ruleTable(t) {
		b.WriteString(line)
	}
	b.WriteString("\nEvery policy can have rules of its own, in CEL or Rego. Those below are examples.\n")
	for _, topic := range topics() {
		topic.write(t, &b)
	}
	return b.Bytes()
}

func ruleTable(t *testing.T) []string {
	t.Helper()
	actions := map[string]map[string]string{}
	about := map[string][]core.FindingKind{}
	var order []string
	for _, profile := range []string{"standard", "strict", "relaxed"} {
		for _, r := range builtinRules(t, profile) {
			if actions[r.Name] == nil {
				actions[r.Name], about[r.Name] = map[string]string{}, r.about()
				order = append(order, r.Name)
			}
			actions[r.Name][profile] = r.Action
		}
	}
	var lines []string
	for _, name := range order {
		kinds := "every finding"
		if len(about[name]) > 0 {
			kinds = strings.Join(words(about[name]), ", ")
		}
		for _, k := range about[name] {
			if !slices.ContainsFunc(rooms(), func(r room) bool { return r.kind == k }) {
				kinds += " (of evidence of other tools)"
				break
			}
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", name, kinds, actions[name]["relaxed"], actions[name]["standard"], actions[name]["strict"]))
	}
	return lines
}

func (topic topic) write(t *testing.T, b *bytes.Buffer) {
	t.Helper()
	fmt.Fprintf(b, "\n## %s\n\nNIST SP 800-190: %s\n\n", topic.name, strings.Join(topic.nist, ", "))
	for _, room := range rooms() {
		if of, ids := room.about(topic.name); of {
			text := "Found: " + room.finds
			if len(ids) > 0 {
				text += " (" + quoted(ids) + ")"
			}
			item(b, text)
		}
	}
	if rules := topic.builtin(t); len(rules) > 0 {
		item(b, "Built-in rules: "+quoted(rules))
	}
	if len(topic.examinations) > 0 {
		item(b, "Examinations: "+quoted(topic.examinations))
	}
	if len(topic.commands) > 0 {
		item(b, "Commands: "+quotedAll("cleanbill ", topic.commands))
	}
	if len(topic.keys) > 0 {
		item(b, "Keys of a policy: "+quoted(topic.keys))
	}
	for _, e := range topic.rules {
		item(b, fmt.Sprintf("A policy can ask, for %s: `%s`", e.over, e.when))
	}
	item(b, "A gate cannot cover: "+topic.cannot)
}

// item writes a point of a list in lines of at most 120 characters.
func item(b *bytes.Buffer, text string) {
	line := "-"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 120 {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// builtin are the rules of standard about the topic: those about what a room of it finds.
func (topic topic) builtin(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, r := range builtinRules(t, policy.Default) {
		if slices.ContainsFunc(rooms(), func(room room) bool {
			of, ids := room.about(topic.name)
			return of && r.speaksOf(room, ids)
		}) {
			names = append(names, r.Name)
		}
	}
	return names
}

// speaksOf reports whether a rule is about some of what a room finds: its kind and, if the rule names ids, one of these.
func (r builtinRule) speaksOf(in room, ids []string) bool {
	named := func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(r.When, strconv.Quote(id)) })
	}
	of := slices.ContainsFunc(rooms(), func(other room) bool { return named(other.ids()) })
	return slices.Contains(r.about(), in.kind) && (!of || named(ids))
}

func words[T ~string](list []T) []string {
	var out []string
	for _, k := range list {
		if s := string(k); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func quoted(list []string) string { return quotedAll("", list) }

func quotedAll(prefix string, list []string) string {
	return "`" + prefix + strings.Join(list, "`, `"+prefix) + "`"
}

func TestCoverageNamesOnlyWhatThereIs(t *testing.T) {
	var names []string
	commands := commandWords(t)
	for _, topic := range topics() {
		names = append(names, topic.name)
		for _, command := range topic.commands {
			for _, word := range strings.Fields(command) {
				if !commands[word] {
					t.Errorf("%s: there is no command %q", topic.name, command)
				}
			}
		}
		for _, key := range topic.keys {
			_, err := policy.Parse("p.yaml", []byte("version: 1\n"+key+": {}\n"))
			if err != nil && strings.Contains(err.Error(), "unknown key") && strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
				t.Errorf("%s: there is no key %q", topic.name, key)
			}
		}
		for _, e := range topic.rules {
			text := fmt.Sprintf("version: 1\nrules:\n- name: example\n  for: %s\n  action: fail\n  when: |\n    %s\n", e.over, e.when)
			if _, err := policy.Parse("p.yaml", []byte(text)); err != nil {
				t.Errorf("%s: %v", topic.name, err)
			}
		}
		if topic.cannot == "" || len(topic.nist) == 0 {
			t.Errorf("%s says nothing of what it cannot cover, or of NIST", topic.name)
		}
	}
	for _, room := range rooms() {
		all := slices.Clone(room.topics)
		for _, rule := range room.rules {
			all = append(all, rule.topics...)
		}
		for _, topic := range all {
			if !slices.Contains(names, topic) {
				t.Errorf("there is no topic %q, of which %q is", topic, room.finds)
			}
		}
	}
	for _, profile := range policy.Profiles() {
		for _, r := range builtinRules(t, profile) {
			for _, k := range r.about() {
				if !slices.Contains(core.FindingKinds(), k) {
					t.Errorf("%s: rule %s is about %q, which is no kind of finding", profile, r.Name, k)
				}
			}
		}
	}
}

var useOf = regexp.MustCompile("Use: +\"([a-z-]+)")

// commandWords are the names of all commands, as their sources have them: nothing but main imports them.
func commandWords(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../cli/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range useOf.FindAllSubmatch(source, -1) {
			found[string(m[1])] = true
		}
	}
	return found
}
