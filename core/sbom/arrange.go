package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"

	"github.com/cleanbill-ci/cleanbill/core"
)

// part is one subject with what belongs to it, in the order in which it is written.
type part struct {
	subject core.Subject
	// id identifies the part within the document.
	id       string
	facts    *core.ImageFacts
	packages []item
	// removed counts the packages that are not in the final file system.
	removed int
	// status is how far the examination of the packages got; empty if there was none.
	status core.Completeness
	// why are the first reasons for a status that is not complete.
	why      []string
	children []*part
}

// item is one package with its identifier, which is unique in the document and does not depend on other packages.
type item struct {
	core.Package
	id string
}

// arrange gives the subjects that no other subject contains, in the order of the evidence.
func arrange(e core.Evidence) []*part {
	parts := make(map[core.Digest]*part, len(e.Subjects))
	var order []*part
	for _, s := range e.Subjects {
		if parts[s.Digest] == nil {
			p := &part{subject: s, id: identifier(string(s.Digest))}
			parts[s.Digest], order = p, append(order, p)
		}
	}
	for i := range e.Images {
		if p := parts[e.Images[i].Subject]; p != nil {
			p.facts = &e.Images[i]
		}
	}
	for _, x := range e.Examinations {
		if x.Name == core.ExaminePackages {
			note(parts, order, x)
		}
	}
	distribute(parts, e)
	var roots []*part
	for _, p := range order {
		if parent := parts[p.subject.Parent]; parent != nil && parent != p {
			parent.children = append(parent.children, p)
		} else {
			roots = append(roots, p)
		}
	}
	return roots
}

// maxReasons is how many reasons a document repeats. The evidence document has them all.
const maxReasons = 8

// note records the worst status of the examinations that are about a part, and why.
func note(parts map[core.Digest]*part, order []*part, x core.Examination) {
	for _, p := range order {
		if x.Subject != "" && parts[x.Subject] != p {
			continue
		}
		if p.status == "" || p.status == core.Complete {
			p.status = x.Status
		}
		p.why = append(p.why, x.Why...)
		slices.Sort(p.why)
		p.why = slices.Compact(p.why)
	}
}

// distribute gives each part its packages, sorted. The evidence is left alone: others read it at the same time.
func distribute(parts map[core.Digest]*part, e core.Evidence) {
	own := core.Evidence{Subjects: e.Subjects, Packages: slices.Clone(e.Packages)}
	for i := range own.Packages {
		own.Packages[i].Locations = slices.Clone(own.Packages[i].Locations)
	}
	own.Sort()
	seen := make(map[string]int, len(own.Packages))
	for _, p := range own.Packages {
		owner := parts[p.Subject]
		switch {
		case owner == nil:
		case !p.Visible():
			owner.removed++
		default:
			id := packageID(p)
			if n := seen[id]; n > 0 {
				seen[id]++
				id = identifier(id, strconv.Itoa(n))
			} else {
				seen[id] = 1
			}
			owner.packages = append(owner.packages, item{Package: p, id: id})
		}
	}
}

func packageID(p core.Package) string {
	path := ""
	if len(p.Locations) > 0 {
		path = p.Locations[0].Path
	}
	return identifier(string(p.Subject), p.Purl, p.Name, p.Version, p.Architecture, p.Analyzer, path)
}

// identifier makes a short name from parts; they are length-prefixed, so that no two lists of parts are the same.
func identifier(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		io.WriteString(h, strconv.Itoa(len(p)))
		io.WriteString(h, ":")
		io.WriteString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
