package version

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unordered are the ecosystems that have no order, and why.
var unordered = map[string]string{
	"Android":                "its versions are patch levels of a system; no image has packages of it",
	"Docker Hardened Images": "its packages are Alpine's or Debian's, as the ecosystem goes on to say",
	"FreeBSD":                "its packages are not looked for",
	"Linux":                  "kernels in images are packages of their distributions",
	"OSS-Fuzz":               "its versions are the tags of any project",
	"Root":                   "its packages are of what the ecosystem goes on with",
	"TuxCare":                "its packages are of what the ecosystem goes on with",
}

func TestEveryKnownEcosystemHasAnOrderOrAReason(t *testing.T) {
	known := knownEcosystems(t)
	tried := map[string]bool{}
	for ecosystem := range ordered() {
		family, _, _ := strings.Cut(ecosystem, ":")
		tried[family] = true
	}
	for _, ecosystem := range known {
		order, ok := For(ecosystem)
		reason := unordered[ecosystem]
		switch {
		case ok && reason != "":
			t.Errorf("%s has an order, but should not: %s", ecosystem, reason)
		case !ok && reason == "":
			t.Errorf("%s has no order, and no reason why", ecosystem)
		case ok && order.ecosystem != ecosystem:
			t.Errorf("the order of %s calls itself that of %s", ecosystem, order.ecosystem)
		case ok && !tried[ecosystem] && !slices.Contains(alike(), ecosystem):
			t.Errorf("the order of %s is not tried", ecosystem)
		}
	}
	for ecosystem := range unordered {
		if !slices.Contains(known, ecosystem) {
			t.Errorf("%s is not known", ecosystem)
		}
	}
}

// alike are ecosystems of distributions of one kind of packages, of which one is tried for all.
func alike() []string {
	return []string{"Alpaquita", "BellSoft Hardened Containers", "Chainguard", "CleanStart", "MinimOS", // Alpine
		"Mageia", "openEuler", "openSUSE", "Red Hat", "Rocky Linux", "SUSE", // AlmaLinux
		"Bioconductor", "Kubernetes"}
}

func TestDistributionsOfOneKindHaveOneOrder(t *testing.T) {
	for kind, test := range map[string]struct{ versions, ecosystems []string }{
		"apk": {[]string{"1.2_rc1-r0", "1.2-r0", "1.2_p1-r0"}, []string{"Alpine", "Alpaquita:23",
			"BellSoft Hardened Containers:stream", "Chainguard", "CleanStart", "MinimOS", "Wolfi"}},
		"rpm": {[]string{"1.2~rc1-1", "1.2-1", "1.2^1-1", "1:0-1"}, []string{"AlmaLinux", "Azure Linux:3", "Mageia:9",
			"openEuler:24.03-LTS", "openSUSE:Leap 15.6", "Photon OS:5.0", "Red Hat:enterprise_linux:9::baseos", "Rocky Linux:9",
			"SUSE:Linux Enterprise Server 15 SP6"}},
		"numbers": {[]string{"1.2", "1.2.0", "1.2-1"}, []string{"CRAN", "Bioconductor"}},
		"semver": {[]string{"1.2.0-rc.1", "v1.2.0", "1.2.1+x"}, []string{"Kubernetes", "npm", "SwiftURL",
			"VSCode:https://open-vsx.org"}},
	} {
		for _, ecosystem := range test.ecosystems {
			order, ok := For(ecosystem)
			if !ok {
				t.Errorf("%s: %s has no order", kind, ecosystem)
				continue
			}
			for i := range test.versions[1:] {
				if c, err := compareInstalled(order, test.versions[i], test.versions[i+1]); c != -1 || err != nil {
					t.Errorf("%s: %s: compare %v: %d (%v)", kind, ecosystem, test.versions[i:i+2], c, err)
				}
			}
		}
	}
}

func TestAnEcosystemWithinAnotherIsKnownByWhatItGoesOnWith(t *testing.T) {
	for _, ecosystem := range []string{"Nonesuch", "", "Root:Nonesuch", "TuxCare:", "TuxCare:TuxCare:npm",
		"TuxCare:Root:npm",
		"Root:Root:npm", "Docker Hardened Images:Docker Hardened Images", "Docker Hardened Images:TuxCare:npm"} {
		if _, ok := For(ecosystem); ok {
			t.Errorf("%q has an order", ecosystem)
		}
	}
}

// knownEcosystems reads the names that advisories are kept under.
func knownEcosystems(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../advisory/ecosystem.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "Known" && f.Name.Name != "distribution" {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			c, ok := n.(*ast.CaseClause)
			if !ok {
				return true
			}
			for _, e := range c.List {
				lit, ok := e.(*ast.BasicLit)
				if !ok {
					t.Fatal("a case is not a name")
				}
				name, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
			return true
		})
	}
	if len(names) < 48 {
		t.Fatalf("only %d ecosystems are known", len(names))
	}
	return names
}
