package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// ImportPlan is what bringing results made elsewhere into evidence needs to know.
type ImportPlan struct {
	// Files are results of other tools, as FILE or FORMAT=FILE.
	Files []string
	// Sonar is what a SonarQube server is asked, besides.
	Sonar Sonar
	// Into is the document of evidence that they are added to. If it is empty, one of its own is made about Digest.
	Into string
	// Digest is the subject that the results are about. It may be empty where the results or the evidence say it.
	Digest core.Digest
	// Name is what people call a subject that is not in a document yet.
	Name string
	// Roots are where the tools saw the sources, besides the working directory.
	Roots   []string
	Outputs []Output
}

// Imported is what one file of results brought.
type Imported struct {
	File     string
	Format   string
	Tool     string
	Version  string
	Findings int
	// Err says why it could not be read. The evidence then has an examination that failed.
	Err error
	// Unanswered says why a server did not tell all.
	Unanswered error
}

// Import brings results that were made elsewhere into a document of evidence, for judge to merge and judge. A verdict
// that the document had is left out: it was of less.
func (g *Gate) Import(ctx context.Context, p ImportPlan) (*Result, []Imported, error) {
	if err := p.check(); err != nil {
		return nil, nil, err
	}
	if err := CheckOutputs(p.Outputs); err != nil {
		return nil, nil, err
	}
	asked, err := g.asking(p.Sonar)
	if err != nil {
		return nil, nil, err
	}
	reports, err := readImports(p.Files, append(rootsOf(nil), p.Roots...))
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, interrupted(ctx, ctx, err)
	}
	if reports, err = asked.add(ctx, reports); err != nil {
		return nil, nil, interrupted(ctx, ctx, err)
	}
	r := &Result{Started: g.Now()}
	if r.Created, err = creationTime(g.Getenv, r.Started); err != nil {
		return nil, nil, err
	}
	if r.Evidence, err = p.evidence(reports); err != nil {
		return nil, nil, err
	}
	if err := attach(&r.Evidence, reports, p.Digest); err != nil {
		return nil, nil, err
	}
	noteSuppressions(&r.Evidence)
	r.Evidence.Findings = unify(r.Evidence.Findings)
	vuln.JoinReach(&r.Evidence)
	r.Evidence.Sort()
	r.Elapsed = g.Now().Sub(r.Started)
	return r, summary(reports), g.writeDocument(r, g.EvidenceDocument(r), p.Outputs)
}

func (p *ImportPlan) check() error {
	switch {
	case len(p.Files) == 0 && !p.Sonar.asks():
		return &core.Failure{Doing: "import", Usage: true, Err: errors.New("no results were named"),
			Hint: "for example: cleanbill import gosec.sarif --into evidence.json"}
	case p.Into == "" && p.Digest == "":
		return &core.Failure{Doing: "import", Usage: true, Err: errors.New("nothing says what the results are about"),
			Hint: "add them to evidence with --into FILE, or name the digest of the image or the sources with --digest sha256:…"}
	}
	return nil
}

// evidence is the document that results are added to, or one that has nothing but their subject.
func (p *ImportPlan) evidence(reports []imported) (core.Evidence, error) {
	if p.Into == "" {
		kind := core.KindSource
		if slices.ContainsFunc(reports, func(r imported) bool { return r.report.About.Image }) {
			kind = core.KindImage
		}
		name := p.Name
		if name == "" {
			name = string(p.Digest)
		}
		return core.Evidence{Subjects: []core.Subject{{Name: name, Kind: kind, Digest: p.Digest}}}, nil
	}
	document, err := readDocument(p.Into)
	if err != nil {
		return core.Evidence{}, err
	}
	e := document.Evidence
	if p.Digest != "" && !slices.ContainsFunc(e.Subjects, func(s core.Subject) bool { return s.Digest == p.Digest }) {
		return core.Evidence{}, &core.Failure{Doing: "import into " + p.Into, Usage: true,
			Err: fmt.Errorf("it is about %s, not about %s", describe(e), p.Digest)}
	}
	if len(e.Subjects) == 0 {
		return core.Evidence{}, &core.Failure{Doing: "import into " + p.Into, Usage: true,
			Err: errors.New("it has no subject")}
	}
	return e, nil
}

func summary(reports []imported) []Imported {
	out := make([]Imported, len(reports))
	for i, r := range reports {
		out[i] = Imported{File: r.file, Format: r.report.Format, Tool: r.report.Tool, Version: r.report.Version,
			Findings: r.found, Err: r.err, Unanswered: r.unanswered}
	}
	return out
}

// noteSuppressions makes findings of what reports say to be suppressed, where the evidence is about a change. The sources
// are not here: whether the base has a mark in them is not known, so such a mark does not count, and is no finding.
func noteSuppressions(e *core.Evidence) {
	if e.Change == nil || e.Change.Base == "" {
		return
	}
	known := map[string]bool{}
	for i := range e.Findings {
		known[string(e.Findings[i].Subject)+e.Findings[i].Fingerprint] = true
	}
	for i, n := 0, len(e.Findings); i < n; i++ {
		for _, mark := range e.Findings[i].Suppressions {
			if mark.Base || mark.Kind != core.SuppressedReport {
				continue
			}
			f := suppressionFinding(&e.Findings[i], mark, "")
			if key := string(f.Subject) + f.Fingerprint; !known[key] {
				known[key] = true
				e.Findings = append(e.Findings, f)
			}
		}
	}
}
