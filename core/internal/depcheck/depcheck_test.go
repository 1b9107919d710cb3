// Package depcheck holds the direction of imports and the few calls that only main and the adapters may make, by a test
// over the sources of the whole repository. There is no code to import here.
package depcheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cleanbill-ci/cleanbill"

// upstream lists, for each room, the rooms that it may import beside core and core/internal: data flows one way. A room
// that is not listed may import none.
var upstream = map[string][]string{
	"core/target":    {},
	"core/image":     {"core/target"},
	"core/walk":      {"core/target", "core/image"},
	"core/inventory": {"core/target", "core/image", "core/walk"},
	"core/secret":    {"core/target", "core/image", "core/walk"},
	"core/misconfig": {"core/target", "core/image", "core/walk"},
	"core/hook":      {"core/sarif"},
	"core/sarif":     {},
	"core/sonar":     {"core/hook", "core/sarif"},
	"core/sbom":      {},
	"core/advisory":  {},
	"core/vuln":      {"core/advisory"},
	"core/policy":    {},
	"core/attest":    {"core/target"},
	"core/report":    {"core/sarif", "core/sbom"},
	"core/cli":       {"core/gate", "core/report", "core/policy"},
	"actions":        {"core/gate", "core/report"},
	"gitlab":         {"core/gate", "core/report"},
	"tekton":         {"core/gate", "core/report"},
}

// adapters are the only rooms that know a platform.
var adapters = []string{"actions", "gitlab", "tekton"}

// source is one Go file of the repository.
type source struct {
	path string // slash-separated, relative to the root
	room string // the folder that the rules speak of
	test bool
	ast  *ast.File
	set  *token.FileSet
}

func TestImportsFollowTheDirectionOfData(t *testing.T) {
	for _, s := range sources(t) {
		for _, spec := range s.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: %v", s.path, err)
			}
			if rule := forbidden(s, imported); rule != "" {
				t.Errorf("%s imports %s: %s", s.path, imported, rule)
			}
		}
	}
}

func TestOnlyMainEndsTheProcessAndOnlyAdaptersReadTheEnvironment(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || isMain(s) || !ours(s.room) {
			continue
		}
		for _, call := range calls(s) {
			where := s.set.Position(call.pos)
			switch {
			case call.name == "os.Exit" || strings.HasPrefix(call.name, "log.Fatal") || strings.HasPrefix(call.name,
				"log.Panic"):
				t.Errorf("%s:%d calls %s: only main.go ends the process", s.path, where.Line, call.name)
			case slices.Contains([]string{"os.Getenv", "os.LookupEnv", "os.Environ"}, call.name) && !slices.Contains(adapters,
				s.room):
				t.Errorf("%s:%d calls %s: only main.go and adapters read the environment; hand the value in", s.path, where.Line,
					call.name)
			}
		}
	}
}

func TestNoPackageHasAnInitFunction(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: register in one visible table instead", s.path)
			}
		}
	}
}

func TestEveryRoomHasARule(t *testing.T) {
	for _, s := range sources(t) {
		_, known := upstream[s.room]
		if !known && ours(s.room) && s.room != "core/gate" {
			t.Errorf("%s: the room %q is not in the table of this test; add it with what it may import", s.path, s.room)
		}
	}
}

// TestRulesRefuse shows each rule at work, because a table that refuses nothing would pass as well.
func TestRulesRefuse(t *testing.T) {
	for _, tc := range []struct {
		file, imported string
		refused        bool
	}{
		{"core/subject.go", "fmt", false},
		{"core/subject.go", "github.com/spf13/cobra", true},
		{"core/subject.go", module + "/core/target", true},
		{"core/image/image.go", module + "/core/target", false},
		{"core/image/image.go", module + "/core/internal/limit", false},
		{"core/target/target.go", module + "/core/image", true},
		{"core/walk/walk.go", module + "/core/inventory", true},
		{"core/policy/policy.go", module + "/core/gate", true},
		{"core/gate/gate.go", module + "/core/policy", false},
		{"core/gate/gate.go", module + "/core/cli", true},
		{"core/gate/gate.go", module + "/actions", true},
		{"core/cli/root.go", module + "/core/gate", false},
		{"core/cli/root.go", module + "/core/walk", true},
		{"core/cli/root_test.go", module + "/core/walk", false},
		{"core/cli/root_test.go", module + "/gitlab", true},
		{"actions/actions.go", module + "/core/gate", false},
		{"actions/actions.go", module + "/core/walk", true},
		{"gitlab/gitlab.go", module + "/actions", true},
		{"core/internal/limit/limit.go", module + "/core/target", true},
		{"core/internal/layertest/layertest.go", module + "/core/target", false},
		{"core/walk/walk.go", module + "/core/internal/layertest", true},
		{"core/walk/walk_test.go", module + "/core/internal/layertest", false},
		{"main.go", module + "/actions", false},
		{"main.go", module + "/core/walk", true},
	} {
		rule := forbidden(source{path: tc.file, room: roomOf(tc.file), test: isTest(tc.file)}, tc.imported)
		if (rule != "") != tc.refused {
			t.Errorf("%s importing %s: rule %q, want refused = %v", tc.file, tc.imported, rule, tc.refused)
		}
	}
}

// forbidden returns the rule that an import breaks, or nothing.
func forbidden(s source, imported string) string {
	local, isOurs := strings.CutPrefix(imported, module+"/")
	if s.room == "core" && !s.test {
		if isOurs || strings.Contains(strings.Split(imported, "/")[0], ".") {
			return "core imports the standard library only"
		}
		return ""
	}
	if !isOurs {
		return ""
	}
	to := roomOf(local + "/")
	switch {
	case !s.test && to == "core/internal" && isTest(local+"/"):
		return "only tests import test support"
	case to == s.room || to == "core" || s.room == "testdata" || s.room == ".ci" || s.room == "examples":
		return ""
	case s.path == "main.go":
		if slices.Contains(adapters, to) || to == "core/cli" || to == "core/gate" {
			return ""
		}
		return "main.go knows the commands, the gate and the adapters only"
	case slices.Contains(adapters, to):
		return "nothing imports an adapter but main.go"
	case to == "core/internal":
		return ""
	case to == "core/cli":
		return "nothing imports the commands but main.go"
	case s.test && s.room != "core":
		return "" // a test may set its scene with any room
	case s.room == "core/gate":
		return ""
	case to == "core/gate" && !slices.Contains(upstream[s.room], to):
		return "only the commands and the adapters import the gate, which imports all"
	case slices.Contains(upstream[s.room], to):
		return ""
	default:
		return fmt.Sprintf("%s may import %s only: data flows one way", s.room, allowed(s.room))
	}
}

func allowed(room string) string {
	return strings.Join(append([]string{"core", "core/internal"}, upstream[room]...), ", ")
}

// isTest reports whether a file is a test, or support for tests: a package of core/internal whose name ends in "test".
func isTest(file string) bool {
	return strings.HasSuffix(file, "_test.go") ||
		strings.HasPrefix(file, "core/internal/") && strings.HasSuffix(path.Dir(file), "test")
}

// roomOf returns the room of a file: the first folder, and below core the second.
func roomOf(file string) string {
	parts := strings.Split(path.Dir(file), "/")
	switch {
	case parts[0] == ".":
		return "."
	case parts[0] == "core" && len(parts) > 1:
		return "core/" + parts[1]
	default:
		return parts[0]
	}
}

// ours reports whether the room is part of the product.
func ours(room string) bool {
	return room != "core" && strings.HasPrefix(room, "core/") && room != "core/internal" || slices.Contains(adapters, room)
}

// isMain reports whether the file is the main.go of a program: the product's, or one that generates a file of it.
func isMain(s source) bool { return path.Base(s.path) == "main.go" && s.ast.Name.Name == "main" }

type call struct {
	name string // package.Function by the package's own name
	pos  token.Pos
}

// calls returns what the file calls, or mentions, of imported packages.
func calls(s source) []call {
	names := make(map[string]string)
	for _, spec := range s.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	var all []call
	ast.Inspect(s.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
			all = append(all, call{names[x.Name] + "." + sel.Sel.Name, sel.Pos()})
		}
		return true
	})
	return all
}

// sources parses all Go files of the repository that belong to its module.
func sources(t *testing.T) []source {
	t.Helper()
	root := moduleRoot(t)
	var all []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			return skip(root, rel, d.Name())
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse %s: %w", rel, err)
		}
		all = append(all, source{path: rel, room: roomOf(rel), test: isTest(rel), ast: parsed, set: set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d Go files found below %s", len(all), root)
	}
	return all
}

// skip leaves out what the go command leaves out: hidden folders, testdata and nested modules.
func skip(root, rel, name string) error {
	if rel == "." {
		return nil
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(root, rel, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}
