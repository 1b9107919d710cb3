package walk

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/cleanbill-ci/cleanbill/core"
)

// tool is who makes the examinations that concern no single analyzer.
const tool = "cleanbill"

const (
	// maxWhys is how many gaps of one analyzer are told one by one.
	maxWhys = 20
	// maxWhy is the longest message of an analyzer that is told, in bytes.
	maxWhy = 400
)

// evidence is all that is known of one image.
func (s *stack) evidence() core.Evidence {
	var e core.Evidence
	facts := s.image.Facts
	facts.Layers = slices.Clone(facts.Layers)
	for i, l := range s.layers {
		if l.contents != nil {
			facts.Layers[i].Uncompressed = l.contents.Uncompressed
			facts.Files += l.contents.Files
		}
	}
	gaps := newGaps(s.run.analyzers)
	for _, f := range s.files() {
		e.Packages = append(e.Packages, s.packages(f)...)
		e.Findings = append(e.Findings, s.findings(f)...)
		for _, v := range f {
			gaps.add(v.result, fmt.Sprintf(" in layer %d of %d", v.layer+1, len(s.layers)))
		}
		// Files come by analyzer and path, so that etc/os-release is before usr/lib/os-release.
		if last := f[len(f)-1]; last.end < 0 && last.found.Distro != nil && facts.Distro == nil {
			facts.Distro = last.found.Distro
		}
	}
	for _, one := range s.unanswered() {
		gaps.add(one, "")
	}
	e.Images = []core.ImageFacts{facts}
	layers, unread := s.examineLayers()
	e.Examinations = append(gaps.examinations(s.image.Subject.Digest, unread), layers)
	return e
}

// examineLayers says whether every byte of every layer was read and verified, and names the layers that were not.
func (s *stack) examineLayers() (core.Examination, []string) {
	x := core.Examination{
		Name: core.ExamineLayers, Subject: s.image.Subject.Digest, Tool: tool, Status: core.Complete,
		Enforced: []string{"blob digests", "diff-ids", "limits"},
	}
	var unread []string
	for i, l := range s.layers {
		if l.contents == nil {
			x.Why = append(x.Why, fmt.Sprintf("%s: %s", s.layerName(i), printable(l.err)))
			unread = append(unread, fmt.Sprintf("layer %d of %d (%s) was not examined", i+1, len(s.layers), l.Digest.Short()))
		}
	}
	switch {
	case len(unread) > 0:
		x.Status = core.Failed
	case len(s.gaps) > 0:
		x.Status = core.Partial
	}
	x.Why = bounded(append(x.Why, s.gaps...))
	return x, unread
}

// gaps collects what analyzers could not make sense of.
type gaps struct {
	analyzers []analyzer
	why       [][]string // by analyzer
}

func newGaps(analyzers []analyzer) *gaps {
	return &gaps{analyzers: analyzers, why: make([][]string, len(analyzers))}
}

// add records the error and problems of one result; where says which copy of the file it was.
func (g *gaps) add(r result, where string) {
	name := g.analyzers[r.analyzer].info.Name
	if r.err != nil {
		g.why[r.analyzer] = append(g.why[r.analyzer], fmt.Sprintf("%s: %s%s: %s", name, shown(r.as), where, printable(r.err)))
	}
	for _, p := range r.found.Problems {
		at := p.Path
		if at == "" {
			at = r.as
		}
		g.why[r.analyzer] = append(g.why[r.analyzer], fmt.Sprintf("%s: %s%s: %s", name, shown(at), where, clean(p.Why)))
	}
}

// examinations gives one for each analyzer that has gaps, and a complete one for each name that has none.
func (g *gaps) examinations(subject core.Digest, unread []string) []core.Examination {
	var all []core.Examination
	incomplete := make(map[string]bool)
	for i, a := range g.analyzers {
		if len(g.why[i]) == 0 {
			continue
		}
		incomplete[a.info.Examines] = true
		all = append(all, core.Examination{
			Name: a.info.Examines, Subject: subject, Tool: a.info.Name, Version: a.info.Version,
			Status: core.Partial, Why: bounded(g.why[i]),
		})
	}
	for _, a := range g.analyzers {
		if incomplete[a.info.Examines] && len(unread) == 0 {
			continue
		}
		x := core.Examination{Name: a.info.Examines, Subject: subject, Tool: tool, Status: core.Complete}
		if len(unread) > 0 {
			x.Status, x.Why = core.Partial, bounded(unread)
		}
		if !slices.ContainsFunc(all, func(o core.Examination) bool { return o.Name == x.Name && o.Tool == tool }) {
			all = append(all, x)
		}
	}
	return all
}

// bounded sorts the gaps and cuts the list.
func bounded(why []string) []string {
	why = slices.Clone(why)
	slices.Sort(why)
	if more := len(why) - maxWhys; more > 0 {
		why = append(why[:maxWhys:maxWhys], fmt.Sprintf("… and %d more", more))
	}
	return why
}

// shown quotes a path only if it has to be.
func shown(p string) string {
	if quoted := strconv.Quote(p); len(quoted) != len(p)+2 || strings.Contains(p, " ") {
		return quoted
	}
	return p
}

func printable(err error) string {
	if err == nil {
		return "it was not read"
	}
	return clean(err.Error())
}

// clean makes one short printable line of what a parser of hostile input says.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxWhy {
		s = strings.ToValidUTF8(s[:maxWhy], "") + "…"
	}
	return strings.TrimSpace(s)
}

func sectionOf(k *kept) *io.SectionReader { return io.NewSectionReader(k, 0, k.info.Size()) }
