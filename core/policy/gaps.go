package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
)

// examinationGaps returns what keeps the verdict from passing, and what would have but is accepted.
//
// Two things are asked. Every examination that the policy requires must have been made for every subject that it
// applies to, and name it; one that names none counts for all of them only as a gap. And every examination that was made, required or not, must be complete: a hook that timed out is a gap
// although nobody required the hook. Only one that was left out on request and is not required is let go.
func (j *judgement) examinationGaps() (gaps, accepted []core.Gap) {
	gaps = append(gaps, j.missing()...)
	for i := range j.evidence.Examinations {
		x := &j.evidence.Examinations[i]
		if x.Status == core.Complete {
			continue
		}
		if gap, ok := j.judgeGap(x); ok {
			accepted = append(accepted, gap)
		} else {
			gaps = append(gaps, gap)
		}
	}
	gaps = append(gaps, j.hiddenStarter()...)
	gaps = append(gaps, j.stale()...)
	gaps = append(gaps, j.foreignBases()...)
	return j.inOrder(gaps), j.inOrder(accepted)
}

// judgeGap decides whether an examination that is not complete is accepted.
func (j *judgement) judgeGap(x *core.Examination) (core.Gap, bool) {
	gap := core.Gap{
		Examination: x.Name,
		Subject:     x.Subject,
		Status:      x.Status,
		Why:         slices.Sorted(slices.Values(x.Why)),
		Remedy:      x.Remedy,
		Rule:        "complete",
	}
	if len(gap.Why) == 0 {
		gap.Why = []string{fmt.Sprintf("%s did not say why it is not complete", cmp.Or(x.Tool, "the examination"))}
	}
	required := slices.Contains(j.policy.settings.Require, x.Name)
	if required {
		gap.Rule = "require: " + x.Name
	}
	switch x.Status {
	case core.Partial, core.Skipped:
	case core.Failed:
		return gap, false
	default: // a status that we do not know is not one that we accept
		gap.Why = append(gap.Why, fmt.Sprintf("the status %q is not known", x.Status))
		gap.Status = core.Failed
		return gap, false
	}
	if rule := j.acceptedBy(x, required); rule != "" {
		gap.Rule = rule
		return gap, true
	}
	return gap, false
}

// acceptedBy returns the setting that accepts the gap, or nothing.
func (j *judgement) acceptedBy(x *core.Examination, required bool) string {
	s := j.policy.settings
	switch {
	case x.Name == core.ExamineAdvisories && x.Code == core.CodeStarterAdvisories && s.StarterOK:
		return "starter-ok"
	case j.excludesPlatforms(x) && s.ExcludedOK:
		return "excluded-platforms-ok"
	case x.Status == core.Skipped && !required:
		return "not required"
	}
	for _, a := range s.Accept {
		if a.Examination == x.Name && (a.Code == "" || a.Code == x.Code) {
			return "accept: " + a.Reason
		}
	}
	return ""
}

// excludesPlatforms reports whether x says that the user named some platforms of an index and left out the others. The
// verdict is then about the images that were judged, each by its digest, and says nothing of the index; it is not a
// hole in them. Whoever publishes the whole index sets excluded-platforms-ok to false, as the strict profile does.
func (j *judgement) excludesPlatforms(x *core.Examination) bool {
	subject := j.subjects[x.Subject]
	return x.Name == core.ExamineTarget && x.Status == core.Skipped && subject != nil && subject.Kind == core.KindIndex
}

// missing are the required examinations that nobody made, and subjects that hold nothing to examine.
func (j *judgement) missing() []core.Gap {
	if len(j.evidence.Subjects) == 0 {
		return []core.Gap{{
			Examination: core.ExamineTarget,
			Why:         []string{"the evidence has no subject: nothing was examined"},
			Remedy:      "name an image, a directory or an SBOM to judge",
			Rule:        "a subject",
		}}
	}
	made := map[core.Digest]map[string]bool{}
	for i := range j.evidence.Examinations {
		x := &j.evidence.Examinations[i]
		if x.Subject == "" && x.Status == core.Complete {
			continue // of what? Evidence is unauthenticated, and one line would stand for every subject
		}
		if made[x.Subject] == nil {
			made[x.Subject] = map[string]bool{}
		}
		made[x.Subject][x.Name] = true
	}
	var gaps []core.Gap
	for digest, s := range j.subjects {
		if s.Kind == core.KindIndex && !j.hasPlatforms(digest) {
			gaps = append(gaps, core.Gap{
				Examination: core.ExamineTarget,
				Subject:     digest,
				Why:         []string{"no platform of the index was examined"},
				Rule:        "a platform",
			})
		}
		for _, name := range j.policy.settings.Require {
			if j.applies(name, s) && !made[digest][name] && !made[""][name] {
				gaps = append(gaps, core.Gap{
					Examination: name,
					Subject:     digest,
					Why:         []string{fmt.Sprintf("there was no examination %q", name)},
					Remedy:      missingRemedy(name, slices.Sorted(maps.Keys(made[digest]))),
					Rule:        "require: " + name,
				})
			}
		}
	}
	return gaps
}

func (j *judgement) hasPlatforms(index core.Digest) bool {
	for _, s := range j.subjects {
		if s.Kind == core.KindImage && s.Parent == index {
			return true
		}
	}
	return false
}

// applies reports whether an examination can be made of a subject. Opening is of what the user named; layers and
// distributions are of images; secrets and misconfigurations of what has files; anything else is of everything that holds
// files or packages. A kind that we do not know needs everything.
func (j *judgement) applies(name string, s *core.Subject) bool {
	switch {
	case name == core.ExamineTarget:
		parent := j.subjects[s.Parent]
		return s.Kind != core.KindImage || parent == nil || parent.Kind != core.KindIndex
	case s.Kind == core.KindIndex:
		return false
	case name == core.ExamineLayers, name == core.ExamineDistro, name == ExamineBaseSignatures:
		return s.Kind != core.KindSource && s.Kind != core.KindSBOM
	case name == core.ExamineSecrets, name == core.ExamineMisconfigurations:
		return s.Kind != core.KindSBOM
	case name != core.ExaminePackages && name != core.ExamineAdvisories:
		return j.looksAt(name, s.Kind)
	}
	return true
}

// looksAt reports whether the examination of that name, which is a hook's, is of subjects of a kind: a hook over sources
// is not missing for the image beside them. One that was made of nothing is missing for everything.
func (j *judgement) looksAt(name string, kind core.SubjectKind) bool {
	made := false
	for i := range j.evidence.Examinations {
		if x := &j.evidence.Examinations[i]; x.Name == name {
			subject := j.subjects[x.Subject]
			if subject == nil || subject.Kind == kind {
				return true
			}
			made = true
		}
	}
	return !made
}

// hiddenStarter catches evidence that was matched against the starter set only, while its examination claims to be
// complete.
func (j *judgement) hiddenStarter() []core.Gap {
	if !j.evidence.Advisories.Starter || j.policy.settings.StarterOK {
		return nil
	}
	for i := range j.evidence.Examinations {
		x := &j.evidence.Examinations[i]
		if x.Name == core.ExamineAdvisories && x.Code == core.CodeStarterAdvisories && x.Status != core.Complete {
			return nil
		}
	}
	return []core.Gap{{
		Examination: core.ExamineAdvisories,
		Status:      core.Partial,
		Why:         []string{"only the embedded starter advisories were used"},
		Rule:        "starter-ok",
	}}
}

// inOrder sorts gaps and leaves out repetitions: several analyzers may report the same one.
func (j *judgement) inOrder(gaps []core.Gap) []core.Gap {
	slices.SortFunc(gaps, j.compareGaps)
	return slices.CompactFunc(gaps, func(a, b core.Gap) bool { return j.compareGaps(a, b) == 0 })
}

func (j *judgement) compareGaps(a, b core.Gap) int {
	return cmp.Or(j.bySubject(a.Subject, b.Subject), cmp.Compare(a.Examination, b.Examination), cmp.Compare(a.Status, b.Status),
		cmp.Compare(a.Rule, b.Rule), slices.Compare(a.Why, b.Why), cmp.Compare(a.Remedy, b.Remedy))
}

// missingRemedy says what to do about a required examination that nobody made, most often a name that is misspelt.
func missingRemedy(name string, made []string) string {
	if tool, ok := strings.CutPrefix(name, importPrefix); ok {
		return fmt.Sprintf("join the report of %s with --import FILE, or with: cleanbill import FILE --into EVIDENCE", tool)
	}
	again := "scan again with this version of Cleanbill, and judge the evidence of every job"
	if near := nearest.To(name, append(slices.Clone(made), requirable()...), 1); len(near) > 0 && near[0] != name {
		return fmt.Sprintf("if the policy means %q, write that; otherwise %s", near[0], again)
	}
	return again
}

// requirable are the names that are not those of hooks and other tools.
func requirable() []string {
	return []string{
		core.ExamineTarget, core.ExamineLayers, core.ExaminePackages, core.ExamineAdvisories, core.ExamineDistro,
		core.ExamineSecrets, core.ExamineMisconfigurations, ExamineBaseSignatures,
	}
}
