package inventory

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packageslockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gomod"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradlelockfile"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/pomxml"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagelockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/pnpmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/yarnlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/php/composerlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/poetrylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/requirements"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/uvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargolock"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Bounds on what is told of how packages come to be in a lockfile.
const (
	// maxGraph is the largest file that is asked, in bytes; of a larger one only the packages are told.
	maxGraph = 64 << 20
	// maxVia is how long a chain of packages is told, and maxVias how many links all chains of one file have together.
	maxVia  = 64
	maxVias = 1 << 20
	// maxGraphDepth is how deep values in a file are nested.
	maxGraphDepth = 200
)

// relating are the extractors whose files say how packages come to be there, as far as they do.
func relating() []string {
	return []string{gomod.Name, pomxml.Name, gradlelockfile.Name, packagelockjson.Name, pnpmlock.Name, yarnlock.Name, requirements.Name,
		poetrylock.Name, uvlock.Name, gemfilelock.Name, cargolock.Name, packageslockjson.Name, composerlock.Name}
}

// graph is what a lockfile says of how its packages come to be there.
type graph struct {
	nodes []graphNode
	// rooted is true if the file names all that the sources name themselves: all else is transitive.
	rooted bool
}

// graphNode is one entry of a lockfile.
type graphNode struct {
	name, version string
	line          int
	// direct is true if the sources name it themselves, indirect if the file says that they do not, own if it is a part of
	// the sources.
	direct, indirect, own bool
	needs                 []int
}

// add adds an entry and returns its number.
func (g *graph) add(n graphNode) int {
	g.nodes = append(g.nodes, n)
	return len(g.nodes) - 1
}

// unnamed marks as direct what no other entry needs: a lockfile has nothing that nobody asked for. What others need, the
// sources may name as well, so that nothing is known of it.
func (g *graph) unnamed() {
	needed := make([]bool, len(g.nodes))
	for i := range g.nodes {
		for _, n := range g.nodes[i].needs {
			needed[n] = needed[n] || n != i
		}
	}
	for i := range g.nodes {
		g.nodes[i].direct = !needed[i] && !g.nodes[i].own
	}
}

// fromOwn marks as direct what the sources' own entries need.
func (g *graph) fromOwn() {
	for i := range g.nodes {
		if !g.nodes[i].own {
			continue
		}
		for _, n := range g.nodes[i].needs {
			g.nodes[n].direct = !g.nodes[n].own
		}
	}
}

// reached is how the search came to an entry: by which other, after how many.
type reached struct {
	by, links int
}

// search finds the shortest chain from a direct entry to every other, in an order that depends on nothing but names.
func (g *graph) search() []reached {
	order := func(a, b int) int {
		return cmp.Or(cmp.Compare(g.nodes[a].name, g.nodes[b].name), cmp.Compare(g.nodes[a].version, g.nodes[b].version),
			cmp.Compare(a, b))
	}
	found := make([]reached, len(g.nodes))
	var queue []int
	for i := range g.nodes {
		if found[i] = (reached{by: -1, links: -1}); g.nodes[i].direct {
			found[i].links = 0
			queue = append(queue, i)
		}
	}
	slices.SortFunc(queue, order)
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		needs := slices.Clone(g.nodes[at].needs)
		slices.SortFunc(needs, order)
		for _, n := range needs {
			if found[n].links < 0 && !g.nodes[n].own {
				found[n] = reached{by: at, links: found[at].links + 1}
				queue = append(queue, n)
			}
		}
	}
	return found
}

// via returns the names of the chain to an entry, the direct one first; nil for one that is too long.
func (g *graph) via(found []reached, to int) []string {
	if found[to].links <= 0 || found[to].links > maxVia {
		return nil
	}
	chain := make([]string, 0, found[to].links)
	for at := found[to].by; at >= 0; at = found[at].by {
		chain = append(chain, g.nodes[at].name)
	}
	slices.Reverse(chain)
	return chain
}

// relate adds to the packages of a file what it says of how they come to be there. A file that says nothing, or that
// cannot be understood in this respect, leaves that unknown: which packages there are was read before.
func (s *analysis) relate(read func([]byte) (*graph, error)) {
	if s.file.Content.Size() > maxGraph || len(s.found.Packages) == 0 {
		return
	}
	content, err := s.readAll()
	if err != nil {
		return
	}
	g, err := understood(read, bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))
	if err != nil {
		return
	}
	g.tell(s.found.Packages)
}

// understood reads a graph. As with extractors, a panic is an error of the file.
func understood(read func([]byte) (*graph, error), content []byte) (g *graph, err error) {
	defer func() {
		if p := recover(); p != nil {
			g, err = nil, fmt.Errorf("it cannot be read: %v", p)
		}
	}()
	return read(content)
}

// tell fills in the line, the relation and the chain of every package that the graph has. Of several entries of one
// package that counts which is nearest to the sources.
func (g *graph) tell(packages []core.Package) {
	found := g.search()
	nearer := func(a, b int) bool {
		switch la, lb := found[a].links, found[b].links; {
		case la != lb:
			return la >= 0 && (lb < 0 || la < lb)
		default:
			return a < b
		}
	}
	byVersion, byName := map[[2]string]int{}, map[string]int{}
	several := map[string]bool{}
	for i, n := range g.nodes {
		key := [2]string{n.name, n.version}
		if known, ok := byVersion[key]; !ok || nearer(i, known) {
			byVersion[key] = i
		}
		if known, ok := byName[n.name]; ok && g.nodes[known].version != n.version {
			several[n.name] = true
		} else if !ok || nearer(i, known) {
			byName[n.name] = i
		}
	}
	left := maxVias
	for i := range packages {
		p := &packages[i]
		name := spelled(p.Ecosystem, p.Name)
		at, ok := byVersion[[2]string{name, p.Version}]
		if !ok {
			if at, ok = byName[name]; !ok || several[name] {
				continue
			}
		}
		n := &g.nodes[at]
		if n.line > 0 && len(p.Locations) > 0 {
			p.Locations[0].Line = n.line
		}
		switch {
		case n.own:
		case n.direct:
			p.Relation = core.RelationDirect
		case g.rooted, n.indirect:
			p.Relation = core.RelationTransitive
		}
		if chain := g.via(found, at); len(chain) <= left {
			p.Via, left = chain, left-len(chain)
		}
	}
}
