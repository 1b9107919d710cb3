package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// waivers are those of a policy, compiled and indexed, in the order of their ids.
type waivers struct {
	all []compiledWaiver
	// byID and byFingerprint are the numbers of the waivers that name one; elsewhere are those that name neither.
	byID          map[string][]int
	byFingerprint map[string][]int
	elsewhere     []int
}

type compiledWaiver struct {
	*waiver
	packages []packagePattern
	paths    []*glob
	images   []*glob
	says     string // of what it excuses
}

// packagePattern is for package URLs or, without one, for names.
type packagePattern struct {
	url  *purlPattern
	name []*glob // one
}

func parsePackagePattern(s string) (p packagePattern, err error) {
	if strings.HasPrefix(s, "pkg:") {
		p.url, err = parsePurlPattern(s)
	} else {
		var name *glob
		name, err = parseGlob(s)
		p.name = []*glob{name}
	}
	return p, err
}

func newWaivers(list []waiver) *waivers {
	w := &waivers{byID: map[string][]int{}, byFingerprint: map[string][]int{}}
	for i := range list {
		m := &list[i].Match
		c := compiledWaiver{waiver: &list[i], paths: m.paths, images: m.images, packages: m.packages}
		c.says = cutTo(fmt.Sprintf(" (waived until %s by %s: %s)", c.Expires, c.Owner, c.Reason), maxMessage/2)
		w.all = append(w.all, c)
		switch {
		case len(c.Match.Fingerprints) > 0:
			add(w.byFingerprint, c.Match.Fingerprints, i)
		case len(c.Match.IDs) > 0:
			add(w.byID, c.Match.IDs, i)
		default:
			w.elsewhere = append(w.elsewhere, i)
		}
	}
	return w
}

func add(index map[string][]int, keys []string, i int) {
	for _, key := range keys {
		key = strings.ToUpper(key)
		if !slices.Contains(index[key], i) {
			index[key] = append(index[key], i)
		}
	}
}

// waiving is what became of the waivers in one judgement.
type waiving struct {
	*waivers
	expired []bool
	// fixed marks the waivers that would have excused something that has a fix now.
	fixed []atomic.Bool
	// steps is what comparing has cost; none says that it was too much, and that nothing is excused.
	steps atomic.Uint64
	none  bool
}

// maxWaiverSteps bounds what comparing with patterns costs in one judgement, to some seconds.
const maxWaiverSteps = 500_000_000

func (w *waivers) at(now time.Time) *waiving {
	v := &waiving{waivers: w, expired: make([]bool, len(w.all)), fixed: make([]atomic.Bool, len(w.all))}
	for i, c := range w.all {
		v.expired[i] = c.Expires < now.UTC().Format(time.DateOnly)
	}
	return v
}

// waived is something that a waiver may excuse: a finding, or a package, image or subject that a rule is over.
type waived struct {
	ids         []string
	fingerprint string
	kind        core.FindingKind
	pkg         *core.Package // nil or nameless if it is not about one
	locations   []core.Location
	subject     *core.Subject
	fixable     bool
	// url is the package's URL, read once for all waivers when the first asks; nil until then.
	url *purl
	// steps is what comparing it has cost so far.
	steps int
}

// like compares a text with patterns and counts what that costs.
func (x *waived) like(globs []*glob, text string) bool {
	matches, steps := matchAny(globs, text)
	x.steps += steps
	return matches
}

// packageURL is the URL of the package; of one that has none, or none that can be read, no pattern matches the parts.
func (x *waived) packageURL() *purl {
	if x.url == nil {
		u, err := parsePurl(x.pkg.Purl)
		if err != nil {
			u = purl{}
		}
		x.url = &u
	}
	return x.url
}

// of returns the first waiver, in the order of ids, that excuses something, or nil.
func (v *waiving) of(x *waived) *compiledWaiver {
	best := len(v.all)
	try := func(numbers []int) {
		for _, i := range numbers {
			if i >= best || v.expired[i] || !v.all[i].matches(x) {
				continue
			}
			if v.all[i].UntilFixed && x.fixable {
				v.fixed[i].Store(true)
				continue
			}
			best = i
		}
	}
	if len(v.byFingerprint) > 0 {
		try(v.byFingerprint[strings.ToUpper(x.fingerprint)])
	}
	if len(v.byID) > 0 {
		for _, id := range x.ids {
			try(v.byID[strings.ToUpper(id)])
		}
	}
	try(v.elsewhere)
	if best == len(v.all) {
		return nil
	}
	return &v.all[best]
}

// waive makes an outcome one that is ignored if a waiver excuses it. What it is about is asked only then.
func (j *judgement) waive(o *core.Outcome, what func() waived) {
	if j.waiving.none || len(j.waiving.all) == 0 || o.Action == core.ActionIgnore ||
		j.waiving.steps.Load() > maxWaiverSteps {
		return
	}
	about := what()
	w := j.waiving.of(&about)
	j.waiving.steps.Add(uint64(about.steps))
	if w == nil {
		return
	}
	o.Action, o.Waiver = core.ActionIgnore, w.ID
	o.Message = cutTo(o.Message, maxMessage-len(w.says)) + w.says
}

// waived is the finding that the setter has set.
func (s *setter) waived(f *core.Finding) waived {
	return waived{ids: append([]string{f.Rule}, f.Aliases...), fingerprint: f.Fingerprint, kind: f.Kind, pkg: s.scope.pkg,
		locations: f.Locations, subject: s.subjects[f.Subject], fixable: f.Fix.State == core.FixAvailable}
}

// waived is the fact: its id is the name of the rule.
func (f *fact) waived(j *judgement) func() waived {
	return func() waived {
		w := waived{ids: []string{f.outcome.Rule}, pkg: f.pkg, subject: j.subjects[f.outcome.Subject]}
		if f.pkg != nil {
			w.locations = f.pkg.Locations
		}
		return w
	}
}

// matches reports whether the waiver is about something. Malware is excused only by name: a pattern that was written
// for flaws must not let in what somebody planted. So is a fact that is no finding: its name is the rule's.
func (c *compiledWaiver) matches(x *waived) bool {
	m := &c.Match
	named := len(m.IDs)+len(m.Fingerprints) > 0
	switch {
	case !named && (x.kind == core.KindMalware || x.kind == ""):
		return false
	case len(m.Kinds) > 0 && !slices.Contains(m.Kinds, x.kind):
		return false
	case len(m.Fingerprints) > 0 && !slices.Contains(m.Fingerprints, x.fingerprint):
		return false
	case len(m.IDs) > 0 && !slices.ContainsFunc(m.IDs, func(id string) bool { return containsFold(x.ids, id) }):
		return false
	case len(c.packages) > 0 && !c.ofPackage(x):
		return false
	case len(c.paths) > 0 && !x.everywhere(c.paths):
		return false
	}
	return len(c.images) == 0 || x.subject != nil && c.ofImage(x)
}

// ofImage compares the name of an image without tag and digest, as rules do, the whole name as it was given, and the
// digest.
func (c *compiledWaiver) ofImage(x *waived) bool {
	return x.like(c.images, referenceOf(x.subject).name()) || x.like(c.images, x.subject.Name) ||
		slices.Contains(c.Match.Images, string(x.subject.Digest))
}

func (c *compiledWaiver) ofPackage(x *waived) bool {
	return slices.ContainsFunc(c.packages, func(p packagePattern) bool { return p.matchesPackage(x) })
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(t string) bool { return strings.EqualFold(s, t) })
}

// matchesPackage compares with a package, or with the source that a distribution built it from.
func (p packagePattern) matchesPackage(x *waived) bool {
	switch {
	case x.pkg == nil || x.pkg.Name == "" && x.pkg.Purl == "":
		return false
	case p.url != nil:
		x.steps += len(x.pkg.Purl)
		return p.url.matches(x.packageURL())
	}
	return x.like(p.name, x.pkg.Name) || x.pkg.Source != nil && x.like(p.name, x.pkg.Source.Name)
}

// everywhere reports whether all places match: a waiver for tests must not excuse the copy in the product.
func (x *waived) everywhere(patterns []*glob) bool {
	for i := range x.locations {
		if !x.like(patterns, x.locations[i].Path) {
			return false
		}
	}
	return len(x.locations) > 0
}

// uses says what became of each waiver.
func (v *waiving) uses(outcomes []core.Outcome) []core.WaiverUse {
	if len(v.all) == 0 {
		return nil
	}
	excused := make(map[string]int, len(v.all))
	for i := range outcomes {
		if outcomes[i].Waiver != "" {
			excused[outcomes[i].Waiver]++
		}
	}
	uses := make([]core.WaiverUse, len(v.all))
	for i, c := range v.all {
		uses[i] = core.WaiverUse{ID: c.ID, Owner: c.Owner, Reason: c.Reason, Expires: c.Expires, Excused: excused[c.ID]}
		switch {
		case v.expired[i]:
			uses[i].State = core.WaiverExpired
		case excused[c.ID] > 0:
			uses[i].State = core.WaiverUsed
		case v.fixed[i].Load():
			uses[i].State = core.WaiverFixed
		default:
			uses[i].State = core.WaiverUnused
		}
	}
	return uses
}
