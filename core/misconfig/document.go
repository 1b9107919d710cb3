package misconfig

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/compose"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/github"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/gitlab"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/kubernetes"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/tekton"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// documents examines YAML and JSON: a file is read once, and every family looks whether it is one of its own.
type documents struct{ known func(id string) bool }

func (documents) Info() core.Info {
	return core.Info{Name: "misconfig/documents", Examines: core.ExamineMisconfigurations}
}

func (documents) Wants(p string, _ fs.FileInfo) bool {
	switch path.Ext(p) {
	case ".yaml", ".yml", ".json":
		return !installed(p)
	}
	return false
}

// Related reports whether a file may hold a NetworkPolicy beside another's namespace.
func (d documents) Related(p string) bool { return d.Wants(p, nil) }

// installed reports whether a path is in a folder that package managers fill: nothing is deployed or built from there.
func installed(p string) bool {
	return strings.HasPrefix(p, "node_modules/") || strings.Contains(p, "/node_modules/")
}

func (d documents) Analyze(ctx context.Context, f core.File) (core.Found, error) {
	text, err := whole(f)
	if err != nil || !promising(f.Path, text) {
		return core.Found{}, err
	}
	s := rule.NewSource(f.Path, text)
	c := rule.NewCollector(s)
	docs, err := yamldoc.Parse(text)
	if err != nil && certain(f.Path, text, err) {
		c.Problem(err.Error())
	}
	// Those that read documents one by one have used what is before the first that cannot be read.
	d.examine(ctx, c, s, docs, f)
	return c.Found(d.known), ctx.Err()
}

func (d documents) examine(ctx context.Context, c *rule.Collector, s *rule.Source, docs []yamldoc.Node, f core.File) {
	if gitlab.Is(f.Path, docs) {
		gitlab.Examine(ctx, c, s, docs)
		return
	}
	var objects []kubernetes.Object
	var tasks []tekton.Object
	for _, doc := range docs {
		switch {
		case github.Is(f.Path, doc):
			github.Examine(ctx, c, s, doc)
			continue
		case compose.Wants(f.Path) && doc.Get("services").IsMap():
			compose.Examine(ctx, c, doc)
			continue
		}
		for _, o := range kubernetes.Objects(doc) {
			if o.Group == "tekton.dev" {
				tasks = append(tasks, tekton.Object{Kind: o.Kind, Name: o.Name, Namespace: o.Namespace, Node: o.Node})
				continue
			}
			objects = append(objects, o)
		}
	}
	if len(tasks) > 0 {
		tekton.Examine(ctx, c, s, tasks)
	}
	if len(objects) > 0 {
		kubernetes.Examine(ctx, c, objects, kubernetes.Surroundings{NetworkPolicy: func() bool { return policyBeside(f) }})
	}
}

// promising looks for the words without which no family has an interest in a file, because most YAML and JSON is
// something else.
func promising(p string, text []byte) bool {
	has := func(word string) bool { return bytes.Contains(text, []byte(word)) }
	switch {
	case has("apiVersion") && has("kind"), disguised(text):
		return true
	case path.Ext(p) == ".json":
		return false
	case strings.HasSuffix(path.Base(p), "gitlab-ci.yml"), strings.HasSuffix(path.Base(p), "gitlab-ci.yaml"):
		return true
	case compose.Wants(p):
		return has("services")
	}
	return has("jobs:") || has("runs:") || has("script:") || has("include:")
}

// disguised reports whether words may stand in a text in other bytes than their own: in UTF-16, or with letters written
// as escapes.
func disguised(text []byte) bool {
	if bytes.HasPrefix(text, []byte{0xFF, 0xFE}) || bytes.HasPrefix(text, []byte{0xFE, 0xFF}) {
		return true
	}
	for rest := text; ; rest = rest[1:] {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 || at+1 == len(rest) {
			return false
		}
		if rest = rest[at:]; escapesLetter(rest[1:]) {
			return true
		}
	}
}

// escapesLetter reports whether what follows a backslash stands for an ASCII letter, or for nothing at the end of a line.
func escapesLetter(s []byte) bool {
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if digits == 0 {
		return s[0] == '\n' || s[0] == '\r'
	}
	if len(s) <= digits {
		return false
	}
	n, err := strconv.ParseUint(string(s[1:digits+1]), 16, 32)
	return err == nil && (n|0x20 >= 'a' && n|0x20 <= 'z')
}

// certain reports whether a file that cannot be read is surely one that a family is about: by its name, or because it
// begins as a manifest does and is no template.
func certain(p string, text []byte, err error) bool {
	name := path.Base(p)
	var tooLarge *yamldoc.TooLarge
	template := bytes.Contains(text, []byte("{{")) || bytes.Contains(text, []byte("{%"))
	manifest := (bytes.HasPrefix(text, []byte("apiVersion:")) || bytes.Contains(text, []byte("\napiVersion:"))) &&
		(bytes.HasPrefix(text, []byte("kind:")) || bytes.Contains(text, []byte("\nkind:")))
	json := path.Ext(p) == ".json" && errors.As(err, &tooLarge) && bytes.Contains(text[:min(len(text), 4096)],
		[]byte(`"apiVersion"`))
	pipeline := strings.Contains("/"+p, "/.github/workflows/") || name == ".gitlab-ci.yml" || compose.Wants(p)
	return json || pipeline || manifest && !template
}

const (
	// maxBeside is how many files of a folder are looked through for a NetworkPolicy, and maxBesideSize how long
	// each may be.
	maxBeside, maxBesideSize = 200, 1 << 20
)

// policyBeside reports whether a file of the same folder holds a NetworkPolicy.
func policyBeside(f core.File) bool {
	if f.Related == nil {
		return false
	}
	entries, err := fs.ReadDir(f.Related, path.Dir(f.Path))
	if err != nil {
		return false
	}
	for i, e := range entries {
		name := path.Join(path.Dir(f.Path), e.Name())
		if i >= maxBeside || e.IsDir() || !(documents{}).Wants(name, nil) {
			continue
		}
		if text, err := readRelated(f.Related, name, maxBesideSize); err == nil && bytes.Contains(text,
			[]byte("NetworkPolicy")) {
			return true
		}
	}
	return false
}
