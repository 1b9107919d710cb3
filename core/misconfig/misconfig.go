// Package misconfig finds what is set up wrongly: in files that images are built by, manifests, Compose files and
// pipelines of a source tree, and in what was really built. Each family of rules is a package below; this one decides
// which file belongs to which family, and holds the table of all rules.
//
// Findings are data. What a rule is worth is decided by policy, and whether an ignore comment counts as well.
package misconfig

import (
	"slices"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/compose"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/dockerfile"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/github"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/gitlab"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/imageconfig"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/kubernetes"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/tekton"
)

// Rule is what people are told of one rule.
type Rule = rule.Rule

// Family is the rules about one kind of file.
type Family struct {
	// Name and About are for the documentation.
	Name, About string
	Rules       []Rule
}

// Families returns every rule there is, in the order of the documentation.
func Families() []Family {
	return []Family{
		{"Dockerfiles", "Dockerfile, Containerfile and their variants", dockerfile.Rules()},
		{"Images", "the configuration and history of an image, and the modes of its files", imageconfig.Rules()},
		{"Kubernetes", "manifests in YAML and JSON, rendered charts among them", kubernetes.Rules()},
		{"Compose", "docker-compose.yml, compose.yaml", compose.Rules()},
		{"GitHub Actions", "workflows, and action.yml of composite and Docker actions", github.Rules()},
		{"GitLab CI", ".gitlab-ci.yml, what it includes, and templates of components", gitlab.Rules()},
		{"Tekton", "tasks, pipelines, runs and step actions", tekton.Rules()},
		{"Ignore comments", "the comments that speak against findings", []Rule{rule.BadIgnore()}},
	}
}

// Rules returns every rule there is.
func Rules() []Rule {
	var all []Rule
	for _, f := range Families() {
		all = append(all, f.Rules...)
	}
	return all
}

// SourceAnalyzers returns the analyzers of source trees. They hold no state.
func SourceAnalyzers() []core.Analyzer {
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
	}
	known := func(id string) bool { return slices.Contains(ids, id) }
	return []core.Analyzer{buildFiles{known}, documents{known}, charts{}}
}

// ImageAnalyzers returns the analyzers of images. Files in an image are not what it was built by, so the rules about
// those are not asked.
func ImageAnalyzers() []core.Analyzer { return []core.Analyzer{imageconfig.Files{}} }

// Image returns the findings about an image as a whole. Found are those of its files, which are folded where there are
// many of one kind in one folder; facts are those that reading the layers has filled in.
func Image(img *image.Image, facts core.ImageFacts, found []core.Finding, now time.Time) []core.Finding {
	return append(imageconfig.Fold(found), imageconfig.Examine(imageconfig.Config{Facts: facts, Env: img.Env,
		Now: now})...)
}
