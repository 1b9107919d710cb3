package policy

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

// Bounds on waivers.
const (
	maxWaivers     = 2000
	maxWaiverFiles = 50
)

// untilFixed is what "until" says of a waiver that holds only as long as there is no fix.
const untilFixed = "fixed"

// waiver says that certain findings are known, that somebody answers for them, and until when.
type waiver struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	Owner  string `json:"owner"`
	// Expires is the last day on which it excuses, in UTC, yyyy-mm-dd.
	Expires    string      `json:"expires"`
	Match      waiverMatch `json:"match"`
	UntilFixed bool        `json:"untilFixed,omitempty"`
}

// waiverMatch says which findings a waiver is about: all of what it asks has to hold, and of each list one is enough.
type waiverMatch struct {
	IDs          []string           `json:"ids,omitempty"`
	Fingerprints []string           `json:"fingerprints,omitempty"`
	Packages     []string           `json:"packages,omitempty"`
	Paths        []string           `json:"paths,omitempty"`
	Images       []string           `json:"images,omitempty"`
	Kinds        []core.FindingKind `json:"kinds,omitempty"`

	packages      []packagePattern
	paths, images []*glob
}

// narrow reports whether it singles anything out. An image or a kind alone would excuse all that is ever found there.
func (m waiverMatch) narrow() bool {
	return len(m.IDs)+len(m.Fingerprints)+len(m.Packages)+len(m.Paths) > 0
}

// waiverText is one waiver as it was written.
type waiverText struct {
	node *yaml.Node
	waiver
}

func (r *reader) waivers(n *yaml.Node) []waiverText {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list of waivers, not %s", strictyaml.Kind(n))
		return nil
	}
	if len(n.Content) > maxWaivers {
		r.Reject(n, "there are %d waivers; a policy can have %d", len(n.Content), maxWaivers)
		return nil
	}
	var all []waiverText
	for _, item := range n.Content {
		all = append(all, r.waiver(item))
	}
	return all
}

func (r *reader) waiver(item *yaml.Node) waiverText {
	w := waiverText{node: item}
	seen := r.Keys(item, map[string]func(*yaml.Node){
		"id":      func(n *yaml.Node) { w.ID = r.word(n) },
		"reason":  func(n *yaml.Node) { w.Reason = r.Text(n) },
		"owner":   func(n *yaml.Node) { w.Owner = r.Text(n) },
		"expires": func(n *yaml.Node) { w.Expires = r.day(n) },
		"match":   func(n *yaml.Node) { w.Match = r.waiverMatch(n) },
		"until":   func(n *yaml.Node) { w.UntilFixed = r.Choice(n, untilFixed) == untilFixed },
	})
	for _, key := range []string{"id", "reason", "owner", "expires", "match"} {
		if item.Kind == yaml.MappingNode && !seen[key] {
			r.Reject(item, "the key %q of this waiver is missing: what is waived needs a reason, an owner and an end", key)
		}
	}
	return w
}

func (r *reader) waiverMatch(n *yaml.Node) waiverMatch {
	var m waiverMatch
	before := len(r.Problems)
	r.Keys(n, map[string]func(*yaml.Node){
		"ids":          func(n *yaml.Node) { m.IDs = r.someTexts(n) },
		"fingerprints": func(n *yaml.Node) { m.Fingerprints = r.fingerprints(n) },
		"packages":     func(n *yaml.Node) { m.Packages, m.packages = r.packagePatterns(n) },
		"paths":        func(n *yaml.Node) { m.Paths, m.paths = r.pathPatterns(n) },
		"images":       func(n *yaml.Node) { m.Images, m.images = r.globs(n) },
		"kinds":        func(n *yaml.Node) { m.Kinds = r.kinds(n) },
	})
	switch {
	case len(r.Problems) > before || m.narrow():
	case len(m.Images)+len(m.Kinds) > 0:
		r.Reject(n, "images and kinds alone would excuse whatever is found there: add ids, fingerprints, packages or paths")
	default:
		r.Reject(n, "this matches nothing: name ids, fingerprints, packages or paths, and if you like images and kinds")
	}
	return m
}

// someTexts is a list that is not empty: an empty one would ask nothing, and so match everything.
func (r *reader) someTexts(n *yaml.Node) []string {
	list := r.texts(n)
	if n.Kind == yaml.SequenceNode && len(list) == 0 {
		r.Reject(n, "this list must not be empty")
	}
	return list
}

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]+$`)

func (r *reader) fingerprints(n *yaml.Node) []string {
	list := r.someTexts(n)
	for i, f := range list {
		if f != "" && (len(f) != 32 || !fingerprintForm.MatchString(f)) {
			r.Reject(n.Content[i], "%q is not a fingerprint: reports give them, in 32 hex digits", f)
		}
	}
	return list
}

func (r *reader) packagePatterns(n *yaml.Node) ([]string, []packagePattern) {
	list := r.someTexts(n)
	var patterns []packagePattern
	for i, text := range list {
		if text == "" {
			continue // that was reported
		}
		p, err := parsePackagePattern(text)
		if err != nil {
			r.Reject(n.Content[i], "%v", err)
		}
		patterns = append(patterns, p)
	}
	return list, patterns
}

func (r *reader) pathPatterns(n *yaml.Node) ([]string, []*glob) {
	list, globs := r.globs(n)
	for i, p := range list {
		if p != "" && (path.IsAbs(p) || p != path.Clean(p)) {
			r.Reject(n.Content[i], "%q matches no path: paths are relative to the root, as app/go.mod is", p)
		}
	}
	return list, globs
}

func (r *reader) kinds(n *yaml.Node) []core.FindingKind {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.Reject(n, "this must be a list of kinds that is not empty")
		return nil
	}
	names := make([]string, 0, len(core.FindingKinds()))
	for _, kind := range core.FindingKinds() {
		names = append(names, string(kind))
	}
	var kinds []core.FindingKind
	for _, item := range n.Content {
		kinds = append(kinds, core.FindingKind(r.Choice(item, names...)))
	}
	return kinds
}

// day reads a date, which YAML takes for one unless it is quoted.
func (r *reader) day(n *yaml.Node) string {
	if _, err := time.Parse(time.DateOnly, n.Value); n.Kind != yaml.ScalarNode || err != nil {
		r.Reject(n, "this must be a day, such as 2026-12-31")
		return ""
	}
	return n.Value
}

func (r *reader) waiverNames(n *yaml.Node) []File {
	files := r.namedFiles(n)
	if n.Kind == yaml.SequenceNode && (len(files) == 0 || len(files) > maxWaiverFiles) {
		r.Reject(n, "there are %d files; a policy can name 1 to %d", len(files), maxWaiverFiles)
		return nil
	}
	return files
}

// waiverFiles reads the waivers of other files, which have the same form.
func (r *reader) waiverFiles(f *file, resolver Resolver) error {
	if f.waiverFiles == nil {
		return nil
	}
	for i, named := range f.waiversIn {
		node := f.waiverFiles.Content[i]
		if resolver == nil {
			r.Reject(node, "files of waivers cannot be read here: write the waivers into the policy")
			return nil
		}
		data, err := resolver.File(named, maxFile)
		if err != nil {
			r.Reject(node, "the waivers cannot be read: %v", err)
			continue
		}
		more, err := readWaiverFile(path.Join(named.From, named.Name), data)
		if err != nil {
			return err
		}
		for _, w := range more {
			w.node = node // where the policy says so is where a repeated id is reported
			f.waivers = append(f.waivers, w)
		}
	}
	return nil
}

func readWaiverFile(name string, data []byte) ([]waiverText, error) {
	r := newReader(Source{Name: name, Data: data})
	if len(data) > maxFile {
		r.Add(1, 1, fmt.Sprintf("the file is larger than %d bytes", maxFile))
		return nil, r.failure()
	}
	root, err := r.document(data)
	if err != nil {
		return nil, err
	}
	var all []waiverText
	seen := r.Keys(root, map[string]func(*yaml.Node){
		"version": r.version,
		"waivers": func(n *yaml.Node) { all = r.waivers(n) },
	})
	for _, key := range []string{"version", "waivers"} {
		if !seen[key] {
			r.Reject(root, "the key %q is missing: a file of waivers has a version, which is 1, and waivers", key)
		}
	}
	return all, r.failure()
}

// joinWaivers returns the waivers of a policy with those of the one that it extends, in the order of their ids, which
// are unique: a verdict names the waiver that excused.
func (r *reader) joinWaivers(f *file, base []waiver) []waiver {
	used := map[string]string{}
	for _, w := range base {
		used[w.ID] = "by the policy that this one extends"
	}
	all := slices.Clone(base)
	for _, text := range f.waivers {
		if where, ok := used[text.ID]; ok && text.ID != "" {
			r.Reject(text.node, "the waiver id %q is already used %s", text.ID, where)
		}
		used[text.ID] = "by another waiver"
		all = append(all, text.waiver)
	}
	if len(all) > maxWaivers {
		r.Add(1, 1, fmt.Sprintf("there are %d waivers; a policy can have %d", len(all), maxWaivers))
	}
	slices.SortFunc(all, func(a, b waiver) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
