package advisory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/version"
)

// Record is what a set keeps of one OSV advisory.
//
// https://ossf.github.io/osv-schema/
type Record struct {
	ID string
	// Aliases are other ids of the same flaw, Upstream the flaws that a distributor's record is about, Related what it
	// merely mentions. Related is kept only where a record names no CVE otherwise, and then only CVEs.
	Aliases, Upstream, Related []string
	Severity                   []Vector
	// Rating is the database's own word for how bad it is ("HIGH", "Important"), empty if it has none.
	Rating              string
	Published, Modified time.Time
	// Summary is one line; empty in sets that hold facts only.
	Summary string
	// References are URLs, without those that follow from the ids.
	References []string
	// Packages are those of its ecosystem that it affects, sorted, with their releases.
	Packages []PackageName
	// Affected is the package that was looked up.
	Affected Affected
}

// PackageName names a package in advisories: the canonical ecosystem with its release, and the name as the advisory
// writes it.
type PackageName struct{ Ecosystem, Name string }

// RecordName names a record: the ecosystem without its release, and the id.
type RecordName struct{ Family, ID string }

// Facts are what is known of a CVE, whatever package it is in.
type Facts struct {
	// Vectors are the CVSS vectors that any record gives for exactly this CVE.
	Vectors []Vector
	// Exploited is nil if CISA's catalog does not list it, EPSS if it has no score.
	Exploited *core.Exploited
	EPSS      *core.EPSS
}

// Vector is one severity of a record: a CVSS vector, or a distributor's word.
type Vector struct {
	// Type is "CVSS_V2", "CVSS_V3", "CVSS_V4", or the name of the distributor whose word Score is ("Ubuntu").
	Type  string
	Score string
}

// Affected is one package that an advisory affects, and in which versions.
type Affected struct {
	ID        string // of the advisory
	Ecosystem string // canonical, with its release
	Name      string // as the advisory writes it
	Ranges    []Range
	// Versions are affected besides the ranges.
	Versions []string
	Severity []Vector
	// Urgency is the distributor's word for this package, or the kind of an informational advisory.
	Urgency string
	// Module is the stream of an rpm distribution that the fix is for ("nodejs:12"); of several, with a comma between. It
	// is empty for none, and where the record does not tell, which IsModular of a fixed version does.
	// https://docs.fedoraproject.org/en-US/modularity/
	Module string
}

// Range is one row of events along the order of versions.
type Range struct {
	// Semver says that events are ordered as semantic versions, not by the ecosystem.
	Semver bool
	Events []Event
}

// EventKind says what happens at a version.
type EventKind byte

// The kinds of Event.
const (
	Introduced   EventKind = iota + 1
	Fixed                  // this version and later ones are not affected
	LastAffected           // later versions are not affected
	Limit                  // the range says nothing of this version and later ones
)

// Event is a change at a version.
type Event struct {
	Kind    EventKind
	Version string
}

// Affects reports whether the version is affected, by OSV's evaluation algorithm. An error means that it cannot be
// told, because a version cannot be ordered; a range that affects it for sure wins over one that cannot be told.
//
// https://ossf.github.io/osv-schema/#evaluation
func (a Affected) Affects(v string) (bool, error) {
	listed, unclear := a.enumerates(v)
	if listed {
		return true, nil
	}
	for _, r := range a.Ranges {
		in, err := r.includes(a.Ecosystem, v)
		if in {
			return true, nil
		}
		if err != nil {
			unclear = err
		}
	}
	return false, unclear
}

// enumerates reports whether v is one of the versions that are listed, however it is written: to PyPI 0.5 and 0.5.0 are
// one version, and whoever asks for the second gets the first. What cannot be ordered may still be listed by its name.
func (a Affected) enumerates(v string) (bool, error) {
	if len(a.Versions) == 0 || slices.Contains(a.Versions, v) {
		return len(a.Versions) > 0, nil
	}
	order, ok := version.For(a.Ecosystem)
	if !ok {
		return false, nil
	}
	at, err := order.ParseInstalled(v)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(a.Versions, func(listed string) bool {
		same, err := order.Parse(listed)
		if err != nil {
			return false
		}
		n, err := at.Compare(same)
		return err == nil && n == 0
	}), nil
}

// includes reports whether v is in the range.
func (r Range) includes(ecosystem, v string) (bool, error) {
	order, err := r.order(ecosystem)
	if err != nil {
		return false, err
	}
	at, err := order.ParseInstalled(v)
	if err != nil {
		return false, err
	}
	events, err := parseEvents(order, r.Events)
	if err != nil {
		return false, err
	}
	return evaluate(events, at)
}

func (r Range) order(ecosystem string) (version.Order, error) {
	if o, ok := version.For(ecosystem); ok {
		return o, nil
	}
	if r.Semver {
		return version.Semver(), nil
	}
	return version.Order{}, fmt.Errorf("the order of versions of %s is not known", ecosystem)
}

// event is an Event whose version can be compared.
type event struct {
	kind EventKind
	at   version.Version
	zero bool // "0", which comes before every version
}

func parseEvents(order version.Order, events []Event) ([]event, error) {
	parsed := make([]event, len(events))
	for i, e := range events {
		parsed[i].kind = e.Kind
		if e.Version == "0" && e.Kind == Introduced {
			parsed[i].zero = true
			continue
		}
		if e.Version == "*" && e.Kind == Limit {
			continue // no limit
		}
		parse := order.Parse
		if e.Kind == LastAffected {
			parse = order.ParseLast
		}
		v, err := parse(e.Version)
		if err != nil {
			return nil, err
		}
		parsed[i].at = v
	}
	return parsed, nil
}

func evaluate(events []event, v version.Version) (bool, error) {
	within, err := beforeLimits(events, v)
	if !within || err != nil {
		return false, err
	}
	// What happened last at or before v decides. What is both fixed and introduced in one version is as it was before: it
	// was never gone, or never there.
	var before *event
	for {
		at, kinds, err := lastPassed(events, v, before)
		switch {
		case at == nil || err != nil || kinds.has(LastAffected):
			return false, err
		case kinds.has(Introduced) && kinds.has(Fixed):
			before = at
		default:
			return kinds.has(Introduced), nil
		}
	}
}

// eventKinds is a set of EventKind.
type eventKinds byte

func (k eventKinds) has(kind EventKind) bool { return k&(1<<kind) != 0 }

// lastPassed returns one of the events that happened last at or before v, and the kinds of all that happened with it. With a
// bound, only events before it count.
func lastPassed(events []event, v version.Version, bound *event) (last *event, kinds eventKinds, err error) {
	for i := range events {
		e := &events[i]
		passed, err := e.passed(v)
		if err != nil {
			return nil, 0, err
		}
		if passed && bound != nil {
			c, err := e.compare(bound)
			if err != nil {
				return nil, 0, err
			}
			passed = c < 0
		}
		if !passed {
			continue
		}
		c := 1
		if last != nil {
			if c, err = e.compare(last); err != nil {
				return nil, 0, err
			}
		}
		switch {
		case c > 0:
			last, kinds = e, 1<<e.kind
		case c == 0:
			kinds |= 1 << e.kind
		}
	}
	return last, kinds, nil
}

func beforeLimits(events []event, v version.Version) (bool, error) {
	limited := false
	for _, e := range events {
		if e.kind != Limit {
			continue
		}
		if e.at.String() == "" {
			return true, nil
		}
		limited = true
		c, err := v.Compare(e.at)
		if err != nil {
			return false, err
		}
		if c < 0 {
			return true, nil
		}
	}
	return !limited, nil
}

// passed reports whether the event has happened at v.
func (e *event) passed(v version.Version) (bool, error) {
	if e.zero {
		return true, nil
	}
	if e.kind == Limit {
		return false, nil
	}
	c, err := v.Compare(e.at)
	if err != nil {
		return false, err
	}
	if e.kind == LastAffected {
		return c > 0, nil
	}
	return c >= 0, nil
}

func (e *event) compare(f *event) (int, error) {
	switch {
	case e.zero && f.zero:
		return 0, nil
	case e.zero:
		return -1, nil
	case f.zero:
		return 1, nil
	}
	return e.at.Compare(f.at)
}

// FixedVersions returns the versions at which the ranges end, in the order of the advisory, each once.
func (a Affected) FixedVersions() []string {
	var out []string
	for _, r := range a.Ranges {
		for _, e := range r.Events {
			if e.Kind == Fixed && !slices.Contains(out, e.Version) {
				out = append(out, e.Version)
			}
		}
	}
	return out
}

// InWords says which versions are affected, for people.
func (a Affected) InWords() string {
	var parts []string
	for _, r := range a.Ranges {
		parts = append(parts, r.inWords()...)
	}
	const most = 8
	if n := len(a.Versions); n > most {
		parts = append(parts, strings.Join(a.Versions[:most], ", ")+fmt.Sprintf(" and %d more versions", n-most))
	} else if n > 0 {
		parts = append(parts, strings.Join(a.Versions, ", "))
	}
	return strings.Join(parts, "; ")
}

func (r Range) inWords() []string {
	var parts []string
	open := false // a stretch has begun and not ended
	from := ""
	for _, e := range r.Events {
		switch e.Kind {
		case Introduced:
			if open {
				continue // it has begun earlier
			}
			open, from = true, ""
			if e.Version != "0" {
				from = "from " + e.Version
			}
		case Fixed:
			parts = append(parts, strings.TrimSpace(from+" before "+e.Version))
			open = false
		case LastAffected:
			parts = append(parts, strings.TrimSpace(from+" up to "+e.Version))
			open = false
		case Limit: // it says where the range ends to speak, not where it ends
		}
	}
	switch {
	case open && from == "":
		parts = append(parts, "all versions")
	case open:
		parts = append(parts, from)
	}
	return parts
}
