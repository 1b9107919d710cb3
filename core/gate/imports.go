package gate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// examineImport is the name of the examination of results that could not be read, of which the tool is not known.
const examineImport = "import"

// imported is one file of results.
type imported struct {
	file   string
	digest core.Digest
	report hook.Report
	found  int // findings of the report, once they are in the evidence
	// err says why it could not be read.
	err error
	// unanswered says why a server that was asked did not tell all, which the report has an examination about.
	unanswered error
}

// readImports reads the results of other tools, which are named as FILE or FORMAT=FILE. A file that cannot be opened is
// the user's mistake. One that cannot be read is kept, with the reason: what it might have said must not be missing in
// silence, and what else was found must be told.
func readImports(names, roots []string) ([]imported, error) {
	var out []imported
	for _, name := range names {
		one, err := readImport(name, roots)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func readImport(name string, roots []string) (imported, error) {
	format, path, named := strings.Cut(name, "=")
	if !named || !slices.Contains(hook.Formats(), format) {
		format, path = "", name
	}
	out := imported{file: path}
	f, _, err := localfile.Open(path)
	if err != nil {
		return out, &core.Failure{Doing: "open the results " + path, Err: err, Usage: true,
			Hint: "the tool that writes them may have failed: see its log"}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return out, &core.Failure{Doing: "read the results " + path, Err: localfile.Pathless(err)}
	}
	out.digest = core.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	if format == "" {
		out.report, out.err = hook.Read(f, roots...)
	} else {
		out.report, out.err = hook.ReadAs(format, f, roots...)
	}
	return out, nil
}

// rootsOf are the places at which tools are likely to have seen the sources: the working directory and the directories
// among the targets.
func rootsOf(targets []string) []string {
	var roots []string
	for _, t := range append([]string{"."}, targets...) {
		dir := strings.TrimPrefix(t, "dir:")
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		absolute, err := filepath.Abs(dir)
		if err != nil {
			continue
		}
		roots = append(roots, filepath.ToSlash(absolute))
		if real, err := filepath.EvalSymlinks(absolute); err == nil && real != absolute {
			roots = append(roots, filepath.ToSlash(real))
		}
	}
	return roots
}

// attach adds results to the evidence. Every report is about the subject that it names, or else about the only one that
// it can be about; subject, if not empty, says it for all.
func attach(e *core.Evidence, reports []imported, subject core.Digest) error {
	for i := range reports {
		r := &reports[i]
		if r.err != nil {
			e.Examinations = append(e.Examinations, core.Examination{Name: examineImport, Subject: subject,
				Tool: "cleanbill", Input: r.digest,
				Status: core.Failed, Why: []string{"the results " + filepath.Base(r.file) + " could not be read: " +
					r.err.Error()},
				Remedy: "run the tool again so that it writes a whole report in a format that is read"})
			continue
		}
		about := subject
		if about == "" {
			var err error
			if about, err = subjectOf(e, &r.report); err != nil {
				return &core.Failure{Doing: "tell what the results " + r.file + " are about", Err: err, Usage: true,
					Hint: "judge one target at a time, or add them to its evidence: cleanbill import FILE --into EVIDENCE --digest DIGEST"}
			}
		}
		r.join(e, about)
	}
	return nil
}

// join adds one report about one subject.
func (r *imported) join(e *core.Evidence, subject core.Digest) {
	merged := e.Change == nil || e.Change.Base == ""
	e.Findings = slices.Grow(e.Findings, len(r.report.Findings))
	for _, f := range r.report.Findings {
		f.Subject = subject
		if f.Package != nil {
			f.Fingerprint = core.FingerprintOf(f.Kind, advisory.Family(f.Package.Ecosystem),
				advisory.NormalName(f.Package.Ecosystem, f.Package.Name), f.Rule)
		}
		for i := range f.Suppressions {
			f.Suppressions[i].Base = merged // nothing is being changed, so nothing excuses itself
		}
		e.Findings = append(e.Findings, f)
	}
	r.found, r.report.Findings = len(r.report.Findings), nil // there may be many, and they are in the evidence now
	e.Reach = append(e.Reach, r.report.Reach...)
	for _, x := range r.report.Examinations {
		x.Subject, x.Input = subject, r.digest
		e.Examinations = append(e.Examinations, x)
	}
}

// subjectOf finds the subject of a report.
func subjectOf(e *core.Evidence, r *hook.Report) (core.Digest, error) {
	if r.About.Image {
		if d, err := imageOf(e, &r.About); d != "" || err != nil {
			return d, err
		}
	}
	var sources, all, images []core.Subject
	for _, s := range e.Subjects {
		switch s.Kind {
		case core.KindIndex:
			continue
		case core.KindSource:
			sources = append(sources, s)
		case core.KindImage:
			images = append(images, s)
		}
		all = append(all, s)
	}
	switch {
	case r.About.Image && len(images) == 1:
		return images[0].Digest, nil
	case r.About.Image && len(images) > 1:
		return "", fmt.Errorf("it does not say which of %d images", len(images))
	case !r.About.Image && len(sources) == 1:
		return sources[0].Digest, nil
	case len(all) == 1:
		return all[0].Digest, nil
	case len(r.Findings) == 0 && len(r.Reach) > 0:
		return "", nil // whether code is reached is joined by package
	}
	if parent := all[0].Parent; len(sources) == 0 && parent != "" && !r.About.Image &&
		!slices.ContainsFunc(all, func(s core.Subject) bool { return s.Parent != parent }) {
		return parent, nil // the platforms of one index are built of the same sources
	}
	return "", fmt.Errorf("it does not say which of %d subjects", len(all))
}

// imageOf finds the image that a report names: by a digest, by the digest of its index and the platform, or by its
// layers. It returns nothing if the report names none.
func imageOf(e *core.Evidence, about *hook.About) (core.Digest, error) {
	for _, s := range e.Subjects {
		if s.Kind == core.KindImage && slices.Contains(slices.Concat(about.Digests, about.IDs), s.Digest) {
			return s.Digest, nil
		}
	}
	var below []core.Digest
	for _, s := range e.Subjects {
		if s.Kind == core.KindImage && s.Parent != "" && slices.Contains(about.Digests, s.Parent) &&
			samePlatform(about.Platform, s.Platform) {
			below = append(below, s.Digest)
		}
	}
	if len(below) == 1 {
		return below[0], nil
	}
	if len(below) > 1 {
		return "", fmt.Errorf("it names an index, but not which of its %d platforms", len(below))
	}
	var alike []core.Digest
	for i := range e.Images {
		layers := e.Images[i].Layers
		if len(about.Layers) > 0 && slices.EqualFunc(layers, about.Layers, func(l core.LayerFacts,
			d core.Digest) bool {
			return l.DiffID == d
		}) {
			alike = append(alike, e.Images[i].Subject)
		}
	}
	switch {
	case len(alike) == 1:
		return alike[0], nil
	case len(alike) > 1:
		return "", errors.New("it is about layers that several images have")
	case len(about.Digests) > 0:
		return "", fmt.Errorf("it is about %s (%s), not about what is judged here", cmp.Or(about.Name, "an image"),
			join(about.Digests))
	case len(about.Layers) > 0 && len(e.Images) > 0:
		return "", fmt.Errorf("it is about %s, whose layers are not those of an image here", cmp.Or(about.Name,
			"an image"))
	}
	return "", nil
}

func samePlatform(a, b *core.Platform) bool {
	return a == nil || b == nil || a.OS == b.OS && a.Architecture == b.Architecture && (a.Variant == "" ||
		a.Variant == b.Variant)
}
