package misconfig

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"

	"github.com/cleanbill-ci/cleanbill/core"
)

// charts says of each Helm chart, once, that its templates are no manifests before they are rendered. That is an
// examination of its own, so that a policy can accept it alone: whoever has a chart cannot do otherwise, even if what it
// renders to is examined.
//
// https://helm.sh/docs/topics/charts/#the-chart-file-structure
type charts struct{}

var _ core.Relater = charts{}

func (charts) Info() core.Info {
	return core.Info{Name: "misconfig/charts", Examines: core.ExamineCharts}
}

func (charts) Wants(p string, _ fs.FileInfo) bool {
	return path.Base(p) == "Chart.yaml" && !installed(p)
}

// Related reports whether a file is a template of a chart.
func (charts) Related(p string) bool {
	return path.Base(path.Dir(p)) == "templates" && (path.Ext(p) == ".yaml" || path.Ext(p) == ".yml")
}

func (c charts) Analyze(_ context.Context, f core.File) (core.Found, error) {
	var found core.Found
	dir := path.Join(path.Dir(f.Path), "templates")
	if f.Related == nil {
		return found, nil
	}
	entries, err := fs.ReadDir(f.Related, dir)
	if err != nil {
		return found, nil // a chart without templates of its own
	}
	templates := 0
	for i, e := range entries {
		name := path.Join(dir, e.Name())
		if i >= maxBeside || e.IsDir() || !c.Related(name) {
			continue
		}
		if text, err := readRelated(f.Related, name, maxBesideSize); err == nil && bytes.Contains(text, []byte("{{")) {
			templates++
		}
	}
	if templates > 0 {
		found.Problems = append(found.Problems, core.Problem{Path: f.Path, Why: fmt.Sprintf("templates of this chart (%d) are "+
			"not rendered, so what they make was not examined: examine the output of \"helm template\" as well, and let the "+
			"policy accept the examination %s for that reason", templates, core.ExamineCharts)})
	}
	return found, nil
}
