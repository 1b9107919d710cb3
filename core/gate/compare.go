package gate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
)

// ruleSuppressionAdded is the rule of findings about what a change wants not to count.
const ruleSuppressionAdded = "suppression-added"

// maxCompared is the largest file that is compared with the base's, in bytes; a larger one counts as different.
const maxCompared = 32 << 20

// compare says of every suppression whether the base has it, and adds a finding for each one that a change brings: an
// ignore beside the code, a setting of a tool, a policy, a waiver, a statement, a baseline. Off a change, nothing is new.
func (s *sources) compare(e *core.Evidence) error {
	if !s.changing() {
		countSuppressions(e)
		return nil
	}
	files, gaps, err := s.changedExcuses()
	if err != nil {
		return err
	}
	marks, err := s.newSuppressions(e)
	if err != nil {
		return err
	}
	e.Findings = append(append(e.Findings, s.fileFindings(e.Subjects, files)...), marks...)
	e.Examinations = append(e.Examinations, suppressionsExamined(e.Subjects[0].Digest, gaps))
	return nil
}

// countSuppressions says that what was merged counts. Files of an image are none of that: whoever made its base could
// excuse what is in it.
func countSuppressions(e *core.Evidence) {
	images := map[core.Digest]bool{}
	for _, subject := range e.Subjects {
		images[subject.Digest] = subject.Kind == core.KindImage || subject.Kind == core.KindIndex
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		for j := range f.Suppressions {
			mark := &f.Suppressions[j]
			mark.Base = mark.Base && mark.Kind == core.SuppressedConfig || mark.Kind == core.SuppressedReport || !images[f.Subject]
		}
	}
}

// compareAgain does what can be done of it for evidence of earlier runs, whose files are not here: if one of them did not
// compare with the base of the change that is judged, no suppression counts as the base's. Files that excuse something
// are looked at again, because only here it is known which ones the policy names.
func (s *sources) compareAgain(e *core.Evidence, bases []string) error {
	if !s.changing() {
		return nil
	}
	var gaps []string
	if slices.ContainsFunc(bases, func(base string) bool { return base != s.base.Commit }) {
		gaps = append(gaps, "not all of the evidence was compared with the base of the change, "+s.base.Commit)
		for i := range e.Findings {
			for j := range e.Findings[i].Suppressions {
				e.Findings[i].Suppressions[j].Base = false
			}
		}
	}
	files, unread, err := s.changedExcuses()
	if err != nil {
		return err
	}
	for _, f := range s.fileFindings(e.Subjects, files) {
		if !slices.ContainsFunc(e.Findings, func(known core.Finding) bool { return known.Fingerprint == f.Fingerprint }) {
			e.Findings = append(e.Findings, f)
		}
	}
	e.Examinations = append(e.Examinations, suppressionsExamined(e.Subjects[0].Digest, append(gaps, unread...)))
	e.Sort()
	return nil
}

// suppressionsExamined says how far it is known what the change suppresses.
func suppressionsExamined(subject core.Digest, gaps []string) core.Examination {
	x := core.Examination{Name: "suppressions", Subject: subject, Tool: "cleanbill", Status: core.Complete}
	if len(gaps) > 0 {
		x.Status, x.Why = core.Partial, gaps
		x.Remedy = "scan the change with the same base, and let all of the checkout be read"
	}
	return x
}

// changedExcuse is a file of the repository that excuses something and that a change edits.
type changedExcuse struct {
	name string
	// text says what happens to it and what it does; content is what it holds now, as a hash.
	text, content string
}

// changedExcuses lists them: those that this run asked for, and those that tools are known to read. gaps are the
// directories that could not be looked into.
func (s *sources) changedExcuses() (changed []changedExcuse, gaps []string, err error) {
	why := map[string]string{}
	for name := range s.asked {
		why[name] = "says what this gate excuses"
	}
	known := excuses()
	note := func(name string) {
		if text := excuseOf(known, name); text != "" {
			why[name] = text
		}
	}
	if gaps, err = s.everyFile(note); err != nil {
		return nil, nil, &core.Failure{Doing: "look for what the change suppresses", Err: err}
	}
	top, err := s.base.ReadDir(".") // what a change takes away is not found on the disk
	if err != nil {
		return nil, nil, s.noBase(err)
	}
	for _, entry := range top {
		note(entry.Name())
	}
	for _, name := range slices.Sorted(maps.Keys(why)) {
		state, content, err := s.stateOf(name)
		if err != nil {
			return nil, nil, err
		}
		if state != "" {
			changed = append(changed, changedExcuse{name, state + ": it " + why[name], content})
		}
	}
	return changed, gaps, nil
}

// everyFile calls note with the path of every file of the checkout. Links are not followed.
func (s *sources) everyFile(note func(string)) (gaps []string, err error) {
	count := limit.NewCounter("entries", s.limits.Entries, "entries", s.place.Root)
	err = filepath.WalkDir(s.place.Root, func(p string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(s.place.Root, p)
		switch {
		case relErr != nil:
			return relErr
		case errors.Is(err, fs.ErrNotExist): // it went away meanwhile
			return nil
		case err != nil:
			gaps = append(gaps, fmt.Sprintf("%s cannot be read: %v", filepath.ToSlash(name), localfile.Pathless(err)))
			return nil
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"): // no tool takes its settings from there
			return fs.SkipDir
		case !d.IsDir():
			note(filepath.ToSlash(name))
		}
		return count.Add(1)
	})
	return gaps, err
}

// stateOf says what a change does to a file, empty if nothing, and the hash of what is in it now.
func (s *sources) stateOf(name string) (state, content string, err error) {
	before, err := s.base.Read(name, maxCompared)
	if missing := (*revision.Missing)(nil); errors.As(err, &missing) {
		return "", "", s.noBase(err)
	}
	now, headErr := readHead(s.place.Root, name)
	if headErr == nil {
		content = fmt.Sprintf("%x", sha256.Sum256(lineEnds(now)))
	}
	lacks, lost := errors.Is(err, fs.ErrNotExist), errors.Is(headErr, fs.ErrNotExist)
	large := (*limit.Exceeded)(nil)
	switch {
	case lacks && lost:
		return "", "", nil
	case lost:
		return "is removed by this change", "", nil
	case lacks:
		return "is new in this change", content, nil
	case err != nil && headErr != nil && !errors.As(err, &large), err == nil && headErr == nil && bytes.Equal(lineEnds(before), lineEnds(now)):
		return "", "", nil // what neither can be read of is nothing to anybody
	}
	return "is different in this change", content, nil
}

// lineEnds makes the line ends of a checkout those of the commit: a checkout may have others.
func lineEnds(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

// fileFindings makes a finding of each file. Its subject is the source tree that holds it, or else the first subject.
func (s *sources) fileFindings(subjects []core.Subject, files []changedExcuse) []core.Finding {
	var out []core.Finding
	for _, file := range files {
		subject, at := subjects[0].Digest, file.name
		for _, candidate := range subjects {
			prefix, ok := s.inTree(candidate.Digest, ".")
			if !ok {
				continue
			}
			if prefix == "." {
				subject = candidate.Digest
				break
			}
			if rest, inside := strings.CutPrefix(file.name, prefix+"/"); inside {
				subject, at = candidate.Digest, rest
				break
			}
		}
		out = append(out, core.Finding{
			Fingerprint: core.FingerprintOf(core.KindSuppression, "file", file.name, file.content),
			Subject:     subject, Kind: core.KindSuppression, Rule: ruleSuppressionAdded,
			Title:    file.name + " " + file.text + "; that does not count before it is merged",
			Severity: core.SeverityLow, SeveritySource: "cleanbill",
			Locations: []core.Location{{Path: at}}, SeenBy: []string{"cleanbill"},
			Fix: core.Fix{Text: "have a reviewer look at it, or take it out of the change"},
		})
	}
	return out
}

// newSuppressions sets what the base has of the suppressions of all findings, and makes findings of what it lacks.
func (s *sources) newSuppressions(e *core.Evidence) ([]core.Finding, error) {
	cache := map[string]*compared{}
	made := map[string]bool{}
	var out []core.Finding
	for i := range e.Findings {
		f := &e.Findings[i]
		for j := range f.Suppressions {
			mark := &f.Suppressions[j]
			if mark.Base && mark.Kind == core.SuppressedConfig {
				continue // its analyzer read it from the base
			}
			if onlyInHistory(f) {
				continue // the search knows which of its commits were merged
			}
			mark.Base = false
			name, inSources := s.inTree(f.Subject, mark.Path)
			identity := ""
			if inSources && mark.Kind != core.SuppressedReport {
				c, err := s.both(cache, name)
				if err != nil {
					return nil, err
				}
				identity, mark.Base = c.has(*mark)
			}
			// Files of an image are no part of the change: what they say does not count, and is nobody's to review.
			if mark.Base || !inSources && mark.Kind != core.SuppressedReport {
				continue
			}
			finding := suppressionFinding(f, *mark, identity)
			if key := string(f.Subject) + finding.Fingerprint; !made[key] {
				made[key], out = true, append(out, finding)
			}
		}
	}
	return out, nil
}

func suppressionFinding(of *core.Finding, mark core.Suppression, identity string) core.Finding {
	where := mark.Path
	switch {
	case mark.Line > 0:
		where = fmt.Sprintf("line %d of %s", mark.Line, mark.Path)
	case where == "":
		where = "a report of " + strings.Join(of.SeenBy, ", ")
	}
	if mark.Kind == core.SuppressedReport {
		identity = of.Fingerprint // it stands nowhere else than with the finding
	}
	return core.Finding{
		Fingerprint: core.FingerprintOf(core.KindSuppression, string(mark.Kind), mark.By, mark.Path, identity),
		Subject:     of.Subject, Kind: core.KindSuppression, Rule: ruleSuppressionAdded,
		Title: fmt.Sprintf("%s in %s suppresses %s, and the base of the change does not; it does not count before it is merged",
			mark.By, where, of.Rule),
		Severity: core.SeverityLow, SeveritySource: "cleanbill",
		Locations: []core.Location{{Path: mark.Path, Line: mark.Line}}, SeenBy: []string{"cleanbill"},
		Fix: core.Fix{Text: "have a reviewer look at it, or take it out of the change"},
	}
}

// compared is a file as the change has it and as the base has it, in lines.
type compared struct {
	head, base []string
	same       bool
	// counts says, for each form of mark, how often its lines are in the base and how often in the change.
	counts map[string]*counted
}

type counted struct{ base, head map[string]int }

func (s *sources) both(cache map[string]*compared, name string) (*compared, error) {
	if c, ok := cache[name]; ok {
		return c, nil
	}
	c := &compared{counts: map[string]*counted{}}
	cache[name] = c
	before, err := s.base.Read(name, maxCompared)
	if missing := (*revision.Missing)(nil); errors.As(err, &missing) {
		return nil, s.noBase(err)
	}
	if err != nil {
		return c, nil // the base has it not, or not so that it can be compared
	}
	now, err := readHead(s.place.Root, name)
	if err != nil {
		return c, nil // what cannot be compared is not the base's
	}
	before, now = lineEnds(before), lineEnds(now)
	c.base, c.head, c.same = strings.Split(string(before), "\n"), strings.Split(string(now), "\n"), bytes.Equal(before, now)
	return c, nil
}

// readHead reads a file of the checkout without leaving it by a link.
func readHead(root, name string) ([]byte, error) {
	in, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxCompared {
		return nil, errors.New("it cannot be compared")
	}
	return in.ReadFile(filepath.FromSlash(name))
}

// has reports whether the base has a suppression too, and returns what stays the same of it when lines move. A mark that
// stands alone speaks of the code below it, so the next line belongs to it. One that the change has more often than the
// base is new, because nobody can tell which of them is the old one.
func (c *compared) has(mark core.Suppression) (identity string, inBase bool) {
	if mark.Line == 0 {
		return "", c.same
	}
	if mark.Line > len(c.head) {
		return "", false
	}
	at := mark.Line - 1
	if mark.Kind == core.SuppressedInline && !hasMark(c.head[at], mark.By) {
		// A tool's report may name the line of the flaw, and the mark may stand above it.
		if at == 0 || !hasMark(c.head[at-1], mark.By) || !aloneIn(c.head[at-1], mark.By) {
			return identityOf(c.head, at, mark.By), false
		}
		at--
	}
	identity = identityOf(c.head, at, mark.By)
	n, ok := c.counts[mark.By]
	if !ok {
		n = &counted{countOf(c.base, mark.By), countOf(c.head, mark.By)}
		c.counts[mark.By] = n
	}
	return identity, n.base[identity] > 0 && n.head[identity] <= n.base[identity]
}

func countOf(lines []string, by string) map[string]int {
	counts := make(map[string]int, len(lines))
	for i := range lines {
		counts[identityOf(lines, i, by)]++
	}
	return counts
}

// identityOf is a line without the white space around it and, if the line is a mark and nothing else, the next one.
func identityOf(lines []string, at int, by string) string {
	line := strings.TrimSpace(lines[at])
	if !aloneIn(line, by) {
		return line
	}
	for _, next := range lines[at+1:] {
		if next = strings.TrimSpace(next); next != "" {
			return line + "\n" + next
		}
	}
	return line
}

func hasMark(line, by string) bool {
	return strings.Contains(strings.ToLower(line), strings.ToLower(by))
}

// aloneIn reports whether a mark stands in a line in which no code is before it.
func aloneIn(line, by string) bool {
	before, _, found := strings.Cut(strings.ToLower(line), strings.ToLower(by))
	return found && by != "" && strings.Trim(before, "/#*-<!;%'\"{( \t") == ""
}
