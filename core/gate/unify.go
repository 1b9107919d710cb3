package gate

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// unify makes one finding of those that are the same flaw, whoever found it.
//
//   - Findings of one subject and kind with one fingerprint, of the same package if they are about one, are the same.
//   - So are vulnerabilities of the same package, by ecosystem, name and version, that have an id in common which names
//     one flaw. An advisory of a distribution, which may be about several, does not count.
//   - So is what a tool says of a package without its ecosystem or version, if it can be only one.
//   - So are findings in files at the same line with a weakness in common, and secrets at the same line, if they are of
//     different tools or none is ours: two of ours are two.
//
// Two of ours that another tool takes for one stay two, and so do findings whose ids contradict each other: a report that
// names several flaws in one finding must not make one of them, which a waiver for the other would excuse with it.
//
// Our own finding comes first, then the worst; its severity remains, unless it is unknown. Ids, tools, places, links
// and statements of all are kept. A suppression remains only if all have it: what one tool was told to ignore, another
// has found all the same.
//
// The result does not depend on the order, and does not change by doing it again.
func unify(findings []core.Finding) []core.Finding {
	order(findings) // by subject, besides
	out := findings[:0]
	for len(findings) > 0 {
		n := 1
		for n < len(findings) && findings[n].Subject == findings[0].Subject {
			n++
		}
		list := findings[:n:n]
		findings = findings[n:]
		for before := 0; before != len(list); {
			before = len(list)
			list = merged(merged(list, sameKeys), sameByDoubt)
			order(list) // so that doing it again begins as this ends
		}
		out = append(out, list...)
	}
	order(out)
	return out
}

// merged joins, in place, the findings of which same says so.
func merged(list []core.Finding, same func([]core.Finding, func(i, j int))) []core.Finding {
	parent := make([]int32, len(list))
	for i := range parent {
		parent[i] = int32(i)
	}
	root := func(i int) int32 {
		for parent[i] != int32(i) {
			parent[i] = parent[parent[i]]
			i = int(parent[i])
		}
		return int32(i)
	}
	groups := map[int32][]core.Finding{}
	holds := map[int32]held{}
	holding := func(i int, r int32) held {
		if h, ok := holds[r]; ok {
			return h
		}
		return heldBy(&list[i])
	}
	same(list, func(i, j int) {
		a, b := root(i), root(j)
		if a == b {
			return
		}
		first, second := holding(int(a), a), holding(int(b), b)
		bridge := foreign(&list[i]) || foreign(&list[j])
		if bridge && first.ours && second.ours || !first.agrees(second) {
			return
		}
		holds[a] = first.with(second)
		parent[b] = a
		groups[a], groups[b] = nil, nil
	})
	if len(groups) == 0 {
		return list
	}
	for i := range list {
		if _, several := groups[root(i)]; several {
			groups[root(i)] = append(groups[root(i)], list[i])
		}
	}
	out := list[:0]
	for i := range list {
		switch group, several := groups[int32(i)]; {
		case root(i) != int32(i):
		case several:
			out = append(out, one(group))
		default:
			out = append(out, list[i])
		}
	}
	return out
}

// held is what the findings that are joined so far are: whether one is ours, and the ids that each name one flaw.
type held struct {
	ours bool
	ids  []string // sorted
}

func heldBy(f *core.Finding) held {
	h := held{ours: !foreign(f)}
	if f.Package == nil {
		return h
	}
	for _, id := range append([]string{f.Rule}, f.Aliases...) {
		if oneFlaw(id) {
			h.ids = append(h.ids, id)
		}
	}
	slices.Sort(h.ids)
	h.ids = slices.Compact(h.ids)
	return h
}

// agrees reports whether two can be one flaw: of each database that both name, they name the same. Ours may know more
// names of a flaw than another tool.
func (h held) agrees(other held) bool {
	for _, database := range databases() {
		a, b := of(database, h.ids), of(database, other.ids)
		if len(a) > 0 && len(b) > 0 && !slices.Equal(a, b) && (!h.ours || !within(b, a)) && (!other.ours || !within(a, b)) {
			return false
		}
	}
	return true
}

func (h held) with(other held) held {
	return held{ours: h.ours || other.ours, ids: union(h.ids, other.ids)}
}

func of(database string, ids []string) []string {
	var out []string
	for _, id := range ids {
		if strings.HasPrefix(id, database) {
			out = append(out, id)
		}
	}
	return out
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(id string) bool { return !slices.Contains(all, id) })
}

// sameKeys joins findings that have a key in common.
func sameKeys(list []core.Finding, join func(i, j int)) {
	first := map[string]int{}
	for i := range list {
		for _, k := range keysOf(&list[i]) {
			if j, known := first[k]; known {
				join(j, i)
			} else {
				first[k] = i
			}
		}
	}
	place := func(i int) {
		for _, k := range placesOf(&list[i]) {
			switch j, known := first[k]; {
			case !known:
				first[k] = i
			case foreign(&list[i]): // a baseline with one of ours must not hold another
				join(j, i)
			}
		}
	}
	for _, theirs := range []bool{false, true} {
		for i := range list {
			if foreign(&list[i]) == theirs {
				place(i)
			}
		}
	}
}

// keysOf returns what a finding shares with others of the same flaw.
func keysOf(f *core.Finding) []string {
	kind := string(f.Kind)
	if f.Package != nil {
		at := versionOf(f.Package)
		if !foreign(f) {
			// Two of ours that are alike, such as a library for two architectures, are two.
			at = f.Package.Purl + "\x00" + at
		}
		out := []string{kind + "\x00" + at + "\x00" + f.Fingerprint}
		for _, id := range idsOf(f) {
			out = append(out, kind+"\x00"+at+"\x00id "+id)
		}
		return out
	}
	return []string{kind + "\x00" + f.Fingerprint}
}

// placesOf returns the lines that a finding in files shares with what other tools say of the same flaw.
func placesOf(f *core.Finding) []string {
	if f.Package != nil {
		return nil
	}
	weaknesses := f.Weaknesses
	if f.Kind == core.KindSecret {
		weaknesses = []string{"secret"} // whatever a tool calls it
	}
	var out []string
	for _, l := range f.Locations {
		for _, w := range weaknesses {
			if l.Line > 0 && l.Commit == "" { // a line of an old commit is not that of today
				out = append(out, string(f.Kind)+"\x00"+l.Path+"\x00"+strconv.Itoa(l.Line)+"\x00"+w)
			}
		}
	}
	return out
}

// versionOf is a package by ecosystem, name and version.
func versionOf(p *core.PackageRef) string {
	family := advisory.Family(p.Ecosystem)
	version := strings.TrimPrefix(p.Version, "0:") // no epoch, as rpm's tools write it
	if family == "Go" {
		version = strings.TrimPrefix(version, "v")
	}
	return family + "\x00" + advisory.NormalName(p.Ecosystem, p.Name) + "\x00" + version
}

// idsOf are the ids of a vulnerability that each name one flaw, and the one that it goes by.
func idsOf(f *core.Finding) []string {
	out := []string{f.Rule}
	for _, id := range f.Aliases {
		if oneFlaw(id) {
			out = append(out, id)
		}
	}
	return out
}

// oneFlaw reports whether an id names a single flaw, as those of most databases do. Distributors publish for an update,
// which mends several.
func oneFlaw(id string) bool {
	return slices.ContainsFunc(databases(), func(prefix string) bool { return strings.HasPrefix(id, prefix) })
}

// databases are the beginnings of ids of those that give each flaw its own.
func databases() []string {
	return []string{"CVE-", "GHSA-", "GO-", "PYSEC-", "RUSTSEC-", "OSV-", "SNYK-", "MAL-", "HSEC-", "RSEC-", "GSD-", "npm:",
		"DEBIAN-CVE-", "UBUNTU-CVE-", "ALPINE-CVE-", "BIT-", "EUVD-", "PSF-"}
}

// sameByDoubt joins what other tools say of packages with the finding that it must be about: ours of the same package
// or, where a tool left out the ecosystem or the version, the only one that fits. What fits several flaws of ours is about
// none of them in particular.
func sameByDoubt(list []core.Finding, join func(i, j int)) {
	byID := map[string][]int{}
	for i := range list {
		if list[i].Package != nil {
			for _, id := range idsOf(&list[i]) {
				byID[string(list[i].Kind)+"\x00"+id] = append(byID[string(list[i].Kind)+"\x00"+id], i)
			}
		}
	}
	for i := range list {
		f := &list[i]
		if f.Package == nil || !foreign(f) {
			continue
		}
		var exact, near []int
		for _, id := range idsOf(f) {
			for _, j := range byID[string(f.Kind)+"\x00"+id] {
				switch other := &list[j]; {
				case j == i || slices.Contains(exact, j) || slices.Contains(near, j):
				case !foreign(other) && versionOf(f.Package) == versionOf(other.Package):
					exact = append(exact, j)
				case vaguer(f.Package, other.Package):
					near = append(near, j)
				}
			}
		}
		switch {
		case len(exact) > 0 && !oneOf(list, exact):
		case len(exact) > 0:
			join(slices.MinFunc(exact, func(a, b int) int { return compareFindings(&list[a], &list[b]) }), i)
		case len(near) == 1:
			join(near[0], i)
		}
	}
}

// oneOf reports whether findings are of one flaw, such as those of a library for two architectures.
func oneOf(list []core.Finding, numbers []int) bool {
	first := idsOf(&list[numbers[0]])
	return !slices.ContainsFunc(numbers[1:], func(i int) bool {
		return !slices.ContainsFunc(idsOf(&list[i]), func(id string) bool { return slices.Contains(first, id) })
	})
}

// vaguer reports whether a names b, but leaves something out.
func vaguer(a, b *core.PackageRef) bool {
	if a.Ecosystem != "" && advisory.Family(a.Ecosystem) != advisory.Family(b.Ecosystem) || a.Version != "" &&
		a.Version != b.Version {
		return false
	}
	leaves := a.Ecosystem == "" && b.Ecosystem != "" || a.Version == "" && b.Version != ""
	return leaves && strings.EqualFold(advisory.NormalName(b.Ecosystem, a.Name), advisory.NormalName(b.Ecosystem,
		b.Name))
}

// foreign reports whether a finding is only of other tools. They rate what they find themselves.
func foreign(f *core.Finding) bool {
	return f.SeveritySource != "cleanbill" && slices.Contains(f.SeenBy, f.SeveritySource)
}

// one makes one finding of those that are the same.
func one(parts []core.Finding) core.Finding {
	if len(parts) == 1 {
		return parts[0]
	}
	order(parts)
	out := parts[0]
	out.Aliases, out.SeenBy = slices.Clone(out.Aliases), slices.Clone(out.SeenBy)
	for i := range parts[1:] {
		add(&out, &parts[i+1])
	}
	out.Aliases = slices.DeleteFunc(out.Aliases, func(id string) bool { return id == out.Rule })
	return out
}

// add adds to the first finding what another has.
func add(out, f *core.Finding) {
	if out.Severity == core.SeverityUnknown && f.Severity != core.SeverityUnknown {
		out.Severity, out.SeveritySource = f.Severity, "reported by "+f.SeveritySource
	}
	if out.Score == nil {
		out.Score, out.Vector = f.Score, f.Vector
	}
	out.Aliases = union(append(out.Aliases, f.Rule), f.Aliases)
	out.SeenBy = union(out.SeenBy, f.SeenBy)
	out.Weaknesses = union(out.Weaknesses, f.Weaknesses)
	out.References = union(out.References, f.References)
	out.VEX = unionVEX(out.VEX, f.VEX)
	out.Locations = unionLocations(out.Locations, f.Locations)
	out.Suppressions = common(out.Suppressions, f.Suppressions)
	if out.Fix.State == core.FixUnknown && out.Fix.Text == "" && f.Fix.State != core.FixNotAffected {
		out.Fix = f.Fix // but that something is not affected is an excuse, which one of several cannot give
	}
	if out.Exploited == nil {
		out.Exploited = f.Exploited
	}
	if out.EPSS == nil {
		out.EPSS = f.EPSS
	}
	if out.Secret == nil {
		out.Secret = f.Secret
	}
	if out.Origin == nil {
		out.Origin = f.Origin
	}
	if out.Published.IsZero() {
		out.Published = f.Published
	}
	out.Reachable = surer(out.Reachable, f.Reachable)
}

// surer is the answer that is to be believed of two: a call that was found, then what cannot be told.
func surer(a, b core.Reachability) core.Reachability {
	order := []core.Reachability{"", core.ReachableNo, core.ReachableUnknown, core.ReachableYes}
	return order[max(slices.Index(order, a), slices.Index(order, b), 0)]
}

// common keeps what suppresses in both, and is the base's only if it is so in both: a finding that somebody saw without
// is a finding.
func common(a, b []core.Suppression) []core.Suppression {
	var out []core.Suppression
	for _, s := range a {
		i := slices.IndexFunc(b, func(t core.Suppression) bool {
			t.Base = s.Base
			return t == s
		})
		if i >= 0 {
			s.Base = s.Base && b[i].Base
			out = append(out, s)
		}
	}
	return out
}

func unionLocations(a, b []core.Location) []core.Location {
	out := slices.Clone(a)
	for _, l := range b {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// unionVEX keeps what was said in any job, each once.
func unionVEX(a, b []core.VEXStatement) []core.VEXStatement {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// order sorts by subject, ours before those of other tools, the worst first, and then by content. It sorts pointers, as
// findings are large, and there may be many.
func order(list []core.Finding) {
	pointers := make([]*core.Finding, len(list))
	for i := range list {
		pointers[i] = &list[i]
	}
	slices.SortFunc(pointers, compareFindings)
	sorted := make([]core.Finding, len(list))
	for i, p := range pointers {
		sorted[i] = *p
	}
	copy(list, sorted)
}

func compareFindings(a, b *core.Finding) int {
	rank := func(f *core.Finding) int {
		if foreign(f) {
			return 1
		}
		return 0
	}
	matched := func(f *core.Finding) int {
		return slices.Index([]core.Match{core.MatchExact, core.MatchSource, core.MatchVendored, core.MatchName, ""},
			f.Match)
	}
	purlOf := func(f *core.Finding) string {
		if f.Package == nil {
			return ""
		}
		return f.Package.Purl
	}
	c := cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Severity,
		a.Severity), cmp.Compare(matched(a), matched(b)),
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(purlOf(a), purlOf(b)),
		slices.Compare(a.SeenBy, b.SeenBy), cmp.Compare(a.Title, b.Title))
	if c != 0 {
		return c
	}
	return cmp.Compare(content(a), content(b))
}

// content decides between findings that differ in nothing that matters more.
func content(f *core.Finding) string {
	raw, err := json.Marshal(f)
	if err != nil {
		return "" // cannot happen: findings are written as JSON all the time
	}
	return string(raw)
}
