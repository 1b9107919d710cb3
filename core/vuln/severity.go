package vuln

import (
	"fmt"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// rating is how bad a flaw is, and who says so.
type rating struct {
	severity core.Severity
	score    *float64
	vector   string
	source   string
}

// rate computes severity from the first of these that there is: CVSS vectors of the records that affect the package,
// the distributor's word for it, the database's word, and CVSS vectors that other records have for the same CVE. What
// a shared record says is about the worst of its flaws, so that its vectors say nothing of one.
func rate(f *flaw, elsewhere []advisory.Vector) rating {
	var vectors []advisory.Vector
	var words []word
	for _, p := range f.pieces {
		own := p.hit.record.Severity
		for _, a := range p.hit.affected {
			own = append(own[:len(own):len(own)], a.Severity...)
			words = append(words, word{a.Urgency, advisory.Family(a.Ecosystem) + " urgency", 0})
		}
		for _, v := range own {
			if strings.HasPrefix(v.Type, "CVSS_") && !p.shared {
				vectors = append(vectors, v)
			} else if !strings.HasPrefix(v.Type, "CVSS_") {
				words = append(words, word{v.Score, v.Type + " priority", 0})
			}
		}
		words = append(words, word{p.hit.record.Rating, database(p.hit.record.ID), 1})
	}
	if r, ok := worstVector(vectors); ok {
		return r
	}
	if r, ok := worstWord(words); ok {
		return r
	}
	if r, ok := worstVector(elsewhere); ok {
		return r
	}
	return rating{}
}

// worstVector computes the scores and returns the highest of the newest version of CVSS.
func worstVector(vectors []advisory.Vector) (rating, bool) {
	best, newest := rating{}, ""
	for _, v := range vectors {
		version, score, err := cvss(v.Score)
		if err != nil {
			continue // a vector that is none rates nothing
		}
		if version > newest || version == newest && score > *best.score {
			newest = version
			best = rating{severity: core.SeverityOfScore(score), score: &score, vector: v.Score, source: "CVSS " + version}
		}
	}
	return best, newest != ""
}

// cvss computes a vector's base score and names its version.
//
// https://www.first.org/cvss/
func cvss(vector string) (version string, score float64, err error) {
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		v, err := gocvss40.ParseVector(vector)
		if err != nil {
			return "", 0, err
		}
		return "4.0", v.Score(), nil
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		v, err := gocvss31.ParseVector(vector)
		if err != nil {
			return "", 0, err
		}
		return "3.1", v.BaseScore(), nil
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		v, err := gocvss30.ParseVector(vector)
		if err != nil {
			return "", 0, err
		}
		return "3.0", v.BaseScore(), nil
	case strings.HasPrefix(vector, "CVSS:"):
		return "", 0, fmt.Errorf("the version of %.20q is not known", vector)
	default:
		v, err := gocvss20.ParseVector(strings.Trim(vector, "()"))
		if err != nil {
			return "", 0, err
		}
		return "2.0", v.BaseScore(), nil
	}
}

// word is a severity in a source's own words. Those of a lower rank are believed first.
type word struct {
	text, source string
	rank         int
}

func worstWord(words []word) (rating, bool) {
	best, found, rank := rating{}, false, 0
	for _, w := range words {
		s, ok := meaning(w.text)
		if !ok || found && w.rank > rank {
			continue
		}
		if !found || w.rank < rank || s > best.severity {
			best, found, rank = rating{severity: s, source: w.source}, true, w.rank
		}
	}
	return best, found
}

// meaning maps the words of databases and distributors.
//
//   - https://www.debian.org/security/tracker (urgency)
//   - https://ubuntu.com/security/cves/about#priority
//   - https://access.redhat.com/security/updates/classification
//   - https://rustsec.org (informational advisories)
func meaning(text string) (core.Severity, bool) {
	switch strings.ToLower(text) {
	case "critical":
		return core.SeverityCritical, true
	case "high", "important":
		return core.SeverityHigh, true
	case "medium", "moderate":
		return core.SeverityMedium, true
	case "low", "negligible", "unimportant":
		return core.SeverityLow, true
	case "none", "informational: unmaintained", "informational: notice":
		return core.SeverityNone, true
	}
	return core.SeverityUnknown, false
}
