package vuln

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestReachabilityIsJoinedByAliasAndPackage(t *testing.T) {
	reach := func(r core.Reachability, name, version string, ids ...string) core.Reach {
		return core.Reach{IDs: ids, Ecosystem: "Go", Package: name, Version: version, Reachable: r, SeenBy: "govulncheck"}
	}
	const net = "golang.org/x/net"
	for _, tc := range []struct {
		name  string
		reach []core.Reach
		want  core.Reachability
	}{
		{"nobody looked", nil, ""},
		{"by the rule", []core.Reach{reach("yes", net, "v0.16.0", "CVE-2023-1")}, "yes"},
		{"by an alias", []core.Reach{reach("no", net, "v0.16.0", "GO-2023-1", "GHSA-x")}, "no"},
		{"of another flaw", []core.Reach{reach("no", net, "v0.16.0", "GO-2023-2")}, ""},
		{"of another module", []core.Reach{reach("no", "golang.org/x/text", "v0.16.0", "GO-2023-1")}, ""},
		{"of another version", []core.Reach{reach("no", net, "v0.17.0", "GO-2023-1")}, ""},
		{"of no version", []core.Reach{reach("no", net, "", "GO-2023-1")}, "no"},
		{"a call is believed", []core.Reach{reach("yes", net, "v0.16.0", "GO-2023-1"), reach("no", net, "v0.16.0", "GO-2023-1")}, "yes"},
		{"doubt is believed", []core.Reach{reach("no", net, "v0.16.0", "GO-2023-1"), reach("unknown", net, "v0.16.0", "GO-2023-1")}, "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &core.Evidence{Reach: tc.reach, Findings: []core.Finding{{Kind: core.KindVulnerability, Rule: "CVE-2023-1", Aliases: []string{"GO-2023-1"},
				Package: &core.PackageRef{Name: net, Version: "0.16.0", Ecosystem: "Go"}}}}
			JoinReach(e)
			if got := e.Findings[0].Reachable; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestVersionsAreComparedWithoutGosDecorations(t *testing.T) {
	for v, want := range map[string]string{"v1.2.3": "1.2.3", "go1.22.1": "1.22.1", "1.2": "1.2", "v": "v", "godev": "godev"} {
		if got := plainVersion(v); got != want {
			t.Errorf("%s: %s, want %s", v, got, want)
		}
	}
}
