package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
)

// Past says which commits are looked through.
type Past struct {
	Repository *revision.Repository
	// Dir is the directory whose files count, relative to the top of the repository; "." for all.
	Dir string
	// Head and Without name the commits that lead to Head and not to Without; an empty Without leaves none out.
	Head, Without string
	// Merged is true if what these commits say against a finding counts, because it was merged.
	Merged bool
}

// maxGaps is how many gaps of one kind are told one by one.
const maxGaps = 10

// shallowRemedy is how to get the history onto this machine.
const shallowRemedy = "fetch the whole history: fetch-depth: 0 for actions/checkout, GIT_DEPTH: 0 in GitLab, depth: 0 for " +
	"Tekton's git-clone, or git fetch --unshallow"

// History looks into what commits added to files, as gitleaks does: a secret that a commit brought is found although
// a later one took it away. It is one finding, at the place where the first commit put it. A merge brings what none of
// the merged has. The error is that of a context that ended.
//
// A file is searched whole and once for all commits that have it, and what a commit's parents had in its place is not
// new. That is the same as searching the added lines, and finds a secret of which only one line is new.
func (d *Detector) History(ctx context.Context, p Past, l limit.Limits) ([]core.Finding, core.Examination, error) {
	l = l.Filled()
	h := &historian{detector: d, past: p, limits: l, texts: map[textKey][]*match{}, places: map[string]string{},
		found: map[string]int{}, gaps: map[string]int{},
		size: limit.NewCounter("history-size", l.HistorySize, "bytes", "the history")}
	slow := &limit.Exceeded{Limit: "history-time", Max: int64(l.HistoryTime.Seconds()), Unit: "seconds",
		What: "the search of the history"}
	bounded, cancel := context.WithTimeoutCause(ctx, l.HistoryTime, slow)
	defer cancel()
	err := h.search(bounded)
	if ctx.Err() != nil {
		return nil, core.Examination{}, context.Cause(ctx)
	}
	if bounded.Err() != nil {
		err = context.Cause(bounded)
	}
	x := core.Examination{Name: core.ExamineSecrets, Tool: "secrets/history", Version: Version, Status: core.Complete}
	if err != nil {
		h.gap("error", err.Error())
	}
	if len(h.why) > 0 {
		x.Status, x.Why = core.Partial, h.told()
		if h.commits == 0 {
			x.Status = core.Failed
		}
		if h.lacking {
			x.Remedy = shallowRemedy
		}
	}
	return h.findings, x, nil
}

// historian is one search of a history.
type historian struct {
	detector *Detector
	past     Past
	limits   limit.Limits
	size     *limit.Counter
	log      *revision.History
	commits  int // that were searched

	texts  map[textKey][]*match
	places map[string]string // of paths, by which rules are told apart

	findings []core.Finding
	found    map[string]int // the fingerprint to the place in findings

	why     []string
	gaps    map[string]int // by kind
	lacking bool           // the clone has not everything
}

// textKey is a text for which the same rules and allowlists hold.
type textKey struct {
	blob          revision.Blob
	place, commit string
}

// gap notes what could not be searched. Of one kind only the first are told.
func (h *historian) gap(kind, why string) {
	if h.gaps[kind]++; h.gaps[kind] <= maxGaps {
		h.why = append(h.why, why)
	}
}

func (h *historian) told() []string {
	for _, kind := range []string{"cut", "missing", "large", "other"} {
		if n := h.gaps[kind]; n > maxGaps {
			h.why = append(h.why, fmt.Sprintf("%d more such gaps (%s)", n-maxGaps, kind))
		}
	}
	return h.why
}

// search goes through the commits. An error ends it; what concerns one file or commit is a gap.
func (h *historian) search(ctx context.Context) (err error) {
	if h.log, err = h.past.Repository.History(ctx, h.past.Head, h.past.Without, h.limits.HistoryCommits); err != nil {
		h.lacking = errors.As(err, new(*revision.Missing))
		return err
	}
	for i := range h.log.Commits {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &h.log.Commits[i]
		if c.Cut {
			h.lacking = true
			h.gap("cut", fmt.Sprintf("the repository does not have the parents of commit %s, so that nobody can tell what "+
				"it changed: it is a shallow clone", c.Name))
			continue
		}
		changes, err := h.log.Changes(c, h.past.Dir, h.limits.Entries)
		if err != nil {
			h.lost("the commit "+c.Name, err)
			continue
		}
		for _, change := range changes {
			if err := h.changed(ctx, c, change); err != nil {
				return err
			}
		}
		h.commits++
	}
	if len(h.log.Commits) == 0 {
		h.commits++ // there was nothing to search
	}
	if h.log.More {
		return &limit.Exceeded{Limit: "history-commits", Max: h.limits.HistoryCommits, Unit: "commits", What: "the history"}
	}
	return nil
}

// lost notes what could not be read.
func (h *historian) lost(what string, err error) {
	kind := "other"
	switch {
	case errors.As(err, new(*revision.Missing)):
		kind, h.lacking = "missing", true
	case errors.As(err, new(*limit.Exceeded)):
		kind = "large"
	}
	h.gap(kind, fmt.Sprintf("%s cannot be read: %v", what, err))
}

// changed looks into a file that a commit added or changed.
func (h *historian) changed(ctx context.Context, c *revision.Commit, change revision.Change) error {
	if filled(change.Path) && !keepsSecrets(change.Path) {
		return nil
	}
	path := image.EscapePath(change.Path)
	matches, err := h.matches(ctx, c, change.Blob, path)
	if err != nil || len(matches) == 0 && len(change.Before) > 0 {
		return err
	}
	known := map[string]bool{}
	if len(matches) > 0 {
		for _, b := range change.Before {
			before, err := h.matches(ctx, c, b, path)
			if err != nil {
				return err
			}
			for _, m := range before {
				known[m.known()] = true
			}
		}
	}
	if len(change.Before) == 0 && change.Blob != emptyBlob {
		for _, m := range h.detector.scanner.named(path) {
			h.add(c, m, path)
		}
	}
	for _, m := range matches {
		if !known[m.known()] {
			h.add(c, m, path)
		}
	}
	return nil
}

// emptyBlob is the name that every repository has for a file without content.
var emptyBlob = revision.Blob{0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6, 0x43, 0x4b, 0x8b, 0x29, 0xae, 0x77, 0x5a, 0xd8, 0xc2, 0xe4,
	0x8c, 0x53, 0x91}

// known is what tells a match from another in versions of one file.
func (m *match) known() string { return m.rule.id + "\x00" + strings.Join(m.identity(), "\x00") }

// matches searches a text, once for all paths for which the same holds.
func (h *historian) matches(ctx context.Context, c *revision.Commit, b revision.Blob, path string) ([]*match, error) {
	key := textKey{blob: b, place: h.place(path)}
	if h.detector.scanner.byCommit() {
		key.commit = c.Name
	}
	if known, ok := h.texts[key]; ok {
		return known, nil
	}
	h.texts[key] = nil // also of what cannot be read nothing more is said
	content, size, err := h.log.Read(b, core.SniffLength, isText, h.limits.KeptSize)
	if err != nil {
		h.lost(fmt.Sprintf("%s of commit %s", path, c.Name), err)
		return nil, nil
	}
	if err := h.size.Add(size); err != nil {
		return nil, err
	}
	matches, more, err := h.detector.read(ctx, bytes.NewReader(content), int64(len(content)), path, key.commit)
	if err != nil {
		return nil, err
	}
	if more {
		h.gap("other", fmt.Sprintf("more than %d secrets were found in a part of %s of commit %s, and not all are told",
			maxMatches, path, c.Name))
	}
	h.texts[key] = matches
	return matches, nil
}

// place says which of the expressions about paths match one. Where they are the same, a text has the same secrets.
func (h *historian) place(path string) string {
	if known, ok := h.places[path]; ok {
		return known
	}
	var b strings.Builder
	set := func(matches bool) {
		if matches {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	s := h.detector.scanner
	for _, r := range s.rules {
		if r.path != nil {
			set(r.path.MatchString(path))
		}
		for _, a := range r.allowed {
			for _, p := range a.paths {
				set(p().MatchString(path))
			}
		}
	}
	for _, a := range s.allowed {
		for _, p := range a.paths {
			set(p().MatchString(path))
		}
	}
	h.places[path] = b.String()
	return h.places[path]
}

// byCommit reports whether some allowlist is about single commits.
func (s *ruleSet) byCommit() bool {
	about := func(a *allowlist) bool { return len(a.commits) > 0 }
	return slices.ContainsFunc(s.allowed, about) ||
		slices.ContainsFunc(s.rules, func(r *rule) bool { return slices.ContainsFunc(r.allowed, about) })
}

// add makes a finding of a match, or joins it with the same one of an earlier commit.
func (h *historian) add(c *revision.Commit, m *match, path string) {
	at := *m
	at.path, at.commit = path, c.Name
	f := h.detector.finding(&at)
	f.Locations[0].Commit, f.Locations[0].Date = c.Name, c.Authored
	f.Fix.Text = "revoke it and issue another: it stays in the history for everybody who has a copy of the repository"
	for i := range f.Suppressions {
		f.Suppressions[i].Base = f.Suppressions[i].Base || h.past.Merged
	}
	if i, ok := h.found[f.Fingerprint]; ok {
		known := &h.findings[i]
		known.Suppressions = SuppressedBoth(known.Suppressions, f.Suppressions)
		return
	}
	h.found[f.Fingerprint] = len(h.findings)
	h.findings = append(h.findings, f)
}

// SuppressedBoth returns what suppresses a secret at two of its places: one that is not excused somewhere counts.
func SuppressedBoth(a, b []core.Suppression) []core.Suppression {
	var both []core.Suppression
	for _, s := range a {
		i := slices.IndexFunc(b, func(t core.Suppression) bool { return t.Kind == s.Kind && t.By == s.By })
		if i >= 0 {
			s.Base = s.Base && b[i].Base
			both = append(both, s)
		}
	}
	return both
}
