package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// errWithdrawn marks a record that its database took back.
var errWithdrawn = errors.New("withdrawn")

const (
	maxSummary    = 160 // runes
	maxReferences = 6
	maxIDLength   = 256 // bytes, of ids and package names
	maxNameLength = 1024
	// maxEvents bounds the events of all ranges of one package, which are compared with each other. The longest row that
	// databases have published has a little more than a hundred.
	maxEvents = 4096
)

// osvRecord is the part of OSV's schema that is read.
//
// https://ossf.github.io/osv-schema/
type osvRecord struct {
	ID        string   `json:"id"`
	Modified  text     `json:"modified"`
	Published text     `json:"published"`
	Withdrawn *string  `json:"withdrawn"`
	Aliases   []string `json:"aliases"`
	Upstream  []string `json:"upstream"`
	Related   []string `json:"related"`
	Summary   string   `json:"summary"`
	Details   string   `json:"details"`
	Severity  []Vector `json:"severity"`
	Affected  []struct {
		Package struct {
			Ecosystem string `json:"ecosystem"`
			Name      string `json:"name"`
		} `json:"package"`
		Severity []Vector `json:"severity"`
		Ranges   []struct {
			Type   string              `json:"type"`
			Events []map[string]string `json:"events"`
		} `json:"ranges"`
		Versions          []string `json:"versions"`
		EcosystemSpecific struct {
			Urgency text `json:"urgency"`
			Module  text `json:"rpm_modularity"` // AlmaLinux's
		} `json:"ecosystem_specific"`
		DatabaseSpecific struct {
			Informational text `json:"informational"`
		} `json:"database_specific"`
	} `json:"affected"`
	References []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"references"`
	DatabaseSpecific struct {
		Severity text `json:"severity"`
	} `json:"database_specific"`
}

// text takes a string and ignores everything else: what is database-specific has no schema.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
	}
	return nil
}

// parsed is a Record with all packages that it affects.
type parsed struct {
	record   Record
	affected []Affected
}

// parse reads one OSV record. It returns errWithdrawn for a withdrawn one.
func parse(raw []byte) (parsed, error) {
	var in osvRecord
	if err := json.Unmarshal(raw, &in); err != nil {
		return parsed{}, err
	}
	if err := checkID(in.ID); err != nil {
		return parsed{}, err
	}
	if in.Withdrawn != nil {
		return parsed{}, errWithdrawn
	}
	if in.Modified == "" {
		return parsed{}, errors.New("it has no date of modification")
	}
	out := parsed{record: Record{
		ID: in.ID, Aliases: cleanIDs(in.Aliases, in.ID), Upstream: cleanIDs(in.Upstream, in.ID),
		Severity: cleanVectors(in.Severity), Modified: date(in.Modified), Published: date(in.Published),
		Summary: summary(in.Summary, in.Details), Rating: rating(&in),
	}}
	if len(out.record.CVEs()) == 0 {
		out.record.Related = onlyCVEs(cleanIDs(in.Related, in.ID))
	}
	out.record.References = references(&in)
	for i := range in.Affected {
		a, err := affected(&in, i)
		if err != nil {
			return parsed{}, fmt.Errorf("affected[%d]: %w", i, err)
		}
		if a.Name != "" {
			out.affected = append(out.affected, a)
		}
	}
	return out, nil
}

// date reads a time. A slip in a date does not make an advisory untrue: what is none is the zero time, and so is the
// year
// 1, which some databases write for "not known".
func date(s text) time.Time {
	at, err := time.Parse(time.RFC3339, string(s))
	if err != nil || at.Year() <= 1 {
		return time.Time{}
	}
	return at.UTC()
}

// affected reads one affected package. It has no Name if the record speaks of commits only.
func affected(in *osvRecord, i int) (Affected, error) {
	from := &in.Affected[i]
	if from.Package.Name == "" && from.Package.Ecosystem == "" {
		return Affected{}, nil
	}
	if from.Package.Name == "" || from.Package.Ecosystem == "" {
		return Affected{}, errors.New("a package needs both an ecosystem and a name")
	}
	if len(from.Package.Name) > maxNameLength || len(from.Package.Ecosystem) > maxNameLength {
		return Affected{}, fmt.Errorf("the name of a package is longer than %d bytes", maxNameLength)
	}
	a := Affected{ID: in.ID, Ecosystem: Canonical(from.Package.Ecosystem), Name: from.Package.Name,
		Severity: cleanVectors(from.Severity), Urgency: string(from.EcosystemSpecific.Urgency)}
	if a.Urgency == "" && from.DatabaseSpecific.Informational != "" {
		a.Urgency = informational + string(from.DatabaseSpecific.Informational)
	}
	total := 0
	for _, r := range from.Ranges {
		if r.Type == "GIT" {
			continue // commits are matched by no inventory of ours
		}
		if r.Type != "SEMVER" && r.Type != "ECOSYSTEM" {
			return Affected{}, fmt.Errorf("range type %q is not known", r.Type)
		}
		events, err := events(r.Events)
		if err != nil {
			return Affected{}, err
		}
		a.Ranges = append(a.Ranges, Range{Semver: r.Type == "SEMVER", Events: events})
		if total += len(events); total > maxEvents {
			return Affected{}, fmt.Errorf("its ranges have more than %d events", maxEvents)
		}
	}
	if a.Module = string(from.EcosystemSpecific.Module); a.Module == "" {
		a.Module = moduleOf(in.Summary, a.FixedVersions())
	}
	a.Versions = slices.Clone(from.Versions)
	slices.Sort(a.Versions)
	a.Versions = slices.Compact(a.Versions)
	return a, nil
}

// informational is put before the kind of a RustSec advisory that describes no flaw ("unmaintained").
const informational = "informational: "

func events(in []map[string]string) ([]Event, error) {
	var out []Event
	introduced := false
	for _, e := range in {
		if len(e) != 1 {
			return nil, fmt.Errorf("an event has %d members, want 1", len(e))
		}
		for name, v := range e {
			kind, ok := map[string]EventKind{
				"introduced": Introduced, "fixed": Fixed, "last_affected": LastAffected, "limit": Limit}[name]
			if !ok || v == "" {
				return nil, fmt.Errorf("event %q: %q is not known", name, v)
			}
			introduced = introduced || kind == Introduced
			out = append(out, Event{Kind: kind, Version: v})
		}
	}
	if !introduced {
		return nil, errors.New("a range has no introduced event")
	}
	return out, nil
}

var idForm = regexp.MustCompile(`^[\x21-\x7e]+$`)

func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("it has no id")
	case len(id) > maxIDLength || !idForm.MatchString(id):
		return fmt.Errorf("%.40q is not an id", id)
	}
	return nil
}

// cleanIDs sorts ids and drops own and what is none.
func cleanIDs(ids []string, own string) []string {
	var out []string
	for _, id := range ids {
		if id != own && checkID(id) == nil {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// IsCVE reports whether the id is a CVE's.
func IsCVE(id string) bool { return strings.HasPrefix(id, "CVE-") }

func onlyCVEs(ids []string) []string {
	return slices.DeleteFunc(ids, func(id string) bool { return !IsCVE(id) })
}

// CVEs returns the CVEs that the record is about, sorted.
func (r *Record) CVEs() []string {
	var out []string
	for _, ids := range [][]string{{r.ID}, r.Aliases, r.Upstream, r.Related} {
		for _, id := range ids {
			if IsCVE(id) {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func cleanVectors(in []Vector) []Vector {
	var out []Vector
	for _, v := range in {
		if v.Type != "" && v.Score != "" && len(v.Type) <= maxIDLength && len(v.Score) <= maxIDLength {
			out = append(out, v)
		}
	}
	return out
}

// ratingInSummary is how the rpm distributions name their rating.
//
// https://access.redhat.com/security/updates/classification
var ratingInSummary = regexp.MustCompile(`^(Critical|Important|Moderate|Low): `)

func rating(in *osvRecord) string {
	if in.DatabaseSpecific.Severity != "" && len(in.DatabaseSpecific.Severity) <= 32 {
		return string(in.DatabaseSpecific.Severity)
	}
	if m := ratingInSummary.FindStringSubmatch(in.Summary); m != nil {
		return m[1]
	}
	return ""
}

// summary returns one short line without control characters.
func summary(given, details string) string {
	line := given
	if strings.TrimSpace(line) == "" {
		for line = range strings.SplitSeq(details, "\n") {
			if line = strings.Trim(line, "#* \t\r"); line != "" {
				break
			}
		}
	}
	line = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, line)
	line = strings.Join(strings.Fields(line), " ")
	if runes := []rune(line); len(runes) > maxSummary {
		line = strings.TrimSpace(string(runes[:maxSummary-1])) + "…"
	}
	return line
}

// references chooses the URLs worth keeping: advisories first, then fixes, then the rest.
func references(in *osvRecord) []string {
	rank := map[string]int{"ADVISORY": 0, "FIX": 1, "REPORT": 2, "ARTICLE": 3, "WEB": 4}
	refs := slices.Clone(in.References)
	slices.SortStableFunc(refs, func(a, b struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}) int {
		return order(rank, a.Type) - order(rank, b.Type)
	})
	known := map[string]bool{}
	for _, ids := range [][]string{{in.ID}, in.Aliases, in.Upstream, in.Related} {
		for _, id := range ids {
			known[Page(id)] = true
		}
	}
	var out []string
	for _, r := range refs {
		if len(out) == maxReferences {
			break
		}
		if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || len(r.URL) > 512 {
			continue
		}
		if derivable(r.URL) || known[r.URL] {
			continue
		}
		known[r.URL] = true
		out = append(out, r.URL)
	}
	return out
}

func order(rank map[string]int, kind string) int {
	if n, ok := rank[kind]; ok {
		return n
	}
	return len(rank)
}

// pages are the addresses under which ids are described, which need not be stored.
var pages = []struct{ id, url string }{
	{"ALPINE-CVE-", "https://security.alpinelinux.org/vuln/CVE-"},
	{"CVE-", "https://nvd.nist.gov/vuln/detail/CVE-"},
	{"DEBIAN-CVE-", "https://security-tracker.debian.org/tracker/CVE-"},
	{"DLA-", "https://security-tracker.debian.org/tracker/DLA-"},
	{"DSA-", "https://security-tracker.debian.org/tracker/DSA-"},
	{"GHSA-", "https://github.com/advisories/GHSA-"},
	{"GO-", "https://pkg.go.dev/vuln/GO-"},
	{"RUSTSEC-", "https://rustsec.org/advisories/RUSTSEC-"},
	{"UBUNTU-CVE-", "https://ubuntu.com/security/CVE-"},
	{"USN-", "https://ubuntu.com/security/notices/USN-"},
}

// Page returns the address of an id's own page; empty if there is none that follows from the id.
func Page(id string) string {
	for _, p := range pages {
		if rest, ok := strings.CutPrefix(id, p.id); ok {
			return p.url + rest
		}
	}
	if strings.HasPrefix(id, "x_") || id == "" {
		return ""
	}
	return "https://osv.dev/vulnerability/" + id
}

func derivable(address string) bool {
	for _, p := range pages {
		if strings.HasPrefix(address, p.url) {
			return true
		}
	}
	return strings.HasPrefix(address, "https://access.redhat.com/security/cve/CVE-") ||
		strings.HasPrefix(address, "https://cve.mitre.org/cgi-bin/cvename.cgi?name=") ||
		strings.HasPrefix(address, "https://www.cve.org/CVERecord?id=")
}
