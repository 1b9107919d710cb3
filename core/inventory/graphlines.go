package inventory

import (
	"context"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/cleanbill-ci/cleanbill/core"
)

// spelled is a package's name as the graphs of its ecosystem have it: where spelling does not matter, one of them.
func spelled(ecosystem, name string) string {
	if ecosystem == "PyPI" {
		return pythonName(name)
	}
	return name
}

var pythonSeparators = regexp.MustCompile(`[-_.]+`)

// pythonName is a name as Python's index compares it.
//
// https://packaging.python.org/en/latest/specifications/name-normalization/
func pythonName(name string) string {
	return pythonSeparators.ReplaceAllString(strings.ToLower(name), "-")
}

// gemGraph reads Gemfile.lock. The project's own gems are in PATH, what it needs in DEPENDENCIES.
//
// https://bundler.io/guides/bundler_setup.html
func gemGraph(content []byte) (*graph, error) {
	g := &graph{}
	byName := map[string][]int{}
	type need struct {
		from int
		name string
	}
	var needs []need
	var direct []string
	section, at, number := "", -1, 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimLeft(line, " ")
		switch indent := len(line) - len(text); {
		case text == "":
		case indent == 0:
			section, at = text, -1
			g.rooted = g.rooted || section == "DEPENDENCIES"
		case section == "DEPENDENCIES" && indent == 2:
			direct = append(direct, gemName(text))
		case indent == 4:
			_, version, _ := strings.Cut(text, " (")
			at = g.add(graphNode{name: gemName(text), version: strings.TrimSuffix(version, ")"), line: number, own: section == "PATH"})
			byName[gemName(text)] = append(byName[gemName(text)], at)
		case indent == 6 && at >= 0:
			needs = append(needs, need{at, gemName(text)})
		}
	}
	for _, n := range needs {
		g.nodes[n.from].needs = append(g.nodes[n.from].needs, byName[n.name]...)
	}
	g.fromOwn()
	for _, name := range direct {
		for _, i := range byName[name] {
			g.nodes[i].direct = !g.nodes[i].own
		}
	}
	return g, nil
}

func gemName(text string) string {
	name, _, _ := strings.Cut(text, " ")
	return strings.TrimSuffix(name, "!")
}

// goGraph reads go.mod. It says what the module needs itself, and not by what the rest is needed.
//
// https://go.dev/ref/mod#go-mod-file-require
func goGraph(content []byte) (*graph, error) {
	file, err := modfile.ParseLax("go.mod", content, nil)
	if err != nil {
		return nil, err
	}
	full, err := modfile.Parse("go.mod", content, nil) // which has what is replaced, too
	if err == nil {
		file = full
	}
	g := &graph{}
	for _, r := range file.Require {
		n := graphNode{name: r.Mod.Path, version: strings.TrimPrefix(r.Mod.Version, "v"), line: r.Syntax.Start.Line,
			direct: !r.Indirect, indirect: r.Indirect}
		g.add(n)
		for _, other := range file.Replace {
			if other.Old.Path == r.Mod.Path && (other.Old.Version == "" || other.Old.Version == r.Mod.Version) {
				n.name, n.version = other.New.Path, strings.TrimPrefix(other.New.Version, "v")
				g.add(n)
			}
		}
	}
	return g, nil
}

// gradleGraph reads gradle.lockfile, which has lines and nothing else to tell.
//
// https://docs.gradle.org/current/userguide/dependency_locking.html
func gradleGraph(content []byte) (*graph, error) {
	g := &graph{}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		coordinates, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		parts := strings.Split(coordinates, ":")
		if len(parts) == 3 && !strings.HasPrefix(coordinates, "#") {
			g.add(graphNode{name: parts[0] + ":" + parts[1], version: parts[2], line: number})
		}
	}
	return g, nil
}

var (
	requirement = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*(?:===?\s*([^\s;#,]+))?`)
	viaOne      = regexp.MustCompile(`#\s*via\s+(\S.*)$`)
	viaMany     = regexp.MustCompile(`^\s*#\s*via\s*$`)
	viaNext     = regexp.MustCompile(`^\s+#\s{2,}(\S.*)$`)
)

// requirementsGraph reads requirements.txt. What stands in it the sources name, unless the program that wrote it says by
// what each package is needed.
//
// https://pip-tools.readthedocs.io/en/latest/ (the option --annotate)
func requirementsGraph(content []byte) (*graph, error) {
	g := &graph{}
	byName := map[string]int{}
	needed := map[int][]string{}
	annotated, at, many, number := false, -1, false, 0
	by := func(text string) {
		annotated = true
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" && at >= 0 {
				needed[at] = append(needed[at], name)
			}
		}
	}
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if match := viaNext.FindStringSubmatch(line); many && match != nil {
			by(match[1])
			continue
		}
		if many = viaMany.MatchString(line); many {
			continue
		}
		if match := requirement.FindStringSubmatch(line); match != nil {
			name := pythonName(match[1])
			at = g.add(graphNode{name: name, version: match[2], line: number})
			byName[name] = at
		}
		if match := viaOne.FindStringSubmatch(line); match != nil {
			by(match[1])
		}
	}
	for i := range g.nodes {
		if !annotated {
			g.nodes[i].direct = true
			continue
		}
		for _, name := range needed[i] {
			if from, ok := byName[pythonName(name)]; ok {
				g.nodes[from].needs = append(g.nodes[from].needs, i)
				continue
			}
			g.nodes[i].direct = true // a file of the project, or the project itself
		}
		g.nodes[i].indirect = len(needed[i]) > 0 && !g.nodes[i].direct
	}
	return g, nil
}

// allDirect is for pom.xml, which lists nothing but what the sources name. Lines are the extractor's.
//
// https://maven.apache.org/guides/introduction/introduction-to-dependency-mechanism.html
func allDirect(examine func(context.Context, *analysis) error) func(context.Context, *analysis) error {
	return func(ctx context.Context, s *analysis) error {
		err := examine(ctx, s)
		for i := range s.found.Packages {
			s.found.Packages[i].Relation = core.RelationDirect
		}
		return err
	}
}
