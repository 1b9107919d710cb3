package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestPackagesThatContradictOSReleaseAreNamed(t *testing.T) {
	debian := func(version string) core.Distro { return core.Distro{ID: "debian", VersionID: version} }
	ubuntu, echo := core.Distro{ID: "ubuntu", VersionID: "24.04"}, core.Distro{ID: "echo"}
	unreleased := core.Distro{ID: "debian", Codename: "trixie"}
	others := func(version string, n int) []string {
		var list []string
		for range n {
			list = append(list, version)
		}
		return list
	}
	for name, c := range map[string]struct {
		distro    core.Distro
		baseFiles string
		others    []string // versions
		why       string
	}{
		"Debian 12":                        {debian("12"), "12.4+deb12u11", nil, ""},
		"Debian 11":                        {debian("11"), "11.1+deb11u11", nil, ""},
		"Debian 13":                        {debian("13"), "13.8", others("1.0-1+deb12u1", 30), ""},
		"Debian 8":                         {debian("8"), "8+deb8u11", nil, ""},
		"testing, before its release":      {unreleased, "13.6", nil, ""},
		"testing, just after a release":    {unreleased, "12.4", nil, ""},
		"Ubuntu":                           {ubuntu, "13ubuntu10.2", others("1.0-1", 80), ""},
		"Ubuntu without base-files":        {ubuntu, "", append(others("1.0-1", 80), "1.0-1ubuntu1"), ""},
		"Debian with some of Ubuntu's":     {debian("12"), "12.4", append(others("1.0-1", 20), others("1.0-1ubuntu1", 15)...), ""},
		"small, without marks":             {ubuntu, "", others("1.0-1", 5), ""},
		"derivative of another name":       {core.Distro{ID: "linuxmint", VersionID: "22"}, "13ubuntu10.2", nil, ""},
		"derivative of the same name":      {debian("12"), "25.2.1-12.4+deb12u10-bookworm", nil, ""},
		"rebuilt for another machine":      {debian("12"), "12.4+deb12u11+rpt1", nil, ""},
		"rebuild of Debian":                {echo, "12.4+deb12u11", others("1.0-1", 80), ""},
		"Ubuntu that calls itself Debian":  {debian("12"), "13ubuntu10.2", nil, "base-files 13ubuntu10.2 is Ubuntu's"},
		"Debian that calls itself Ubuntu":  {ubuntu, "12.4+deb12u11", nil, "base-files 12.4+deb12u11 is Debian's"},
		"Debian of another release":        {debian("11"), "12.4+deb12u11", nil, "base-files 12.4+deb12u11 is of Debian 12"},
		"Ubuntu's packages, no base-files": {debian("12"), "", others("1.0-1ubuntu1", 20), "20 of its 20 packages have versions of Ubuntu"},
		"Debian's packages, no base-files": {ubuntu, "", others("1.0-1", 20), "none of its 20 packages has a version of Ubuntu"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.distro.ID != "linuxmint" { // which has no advisories
				c.distro.Ecosystem = "some"
			}
			e := core.Evidence{
				Subjects: []core.Subject{{Kind: core.KindImage, Digest: subject}},
				Images:   []core.ImageFacts{{Subject: subject, Files: 9, Distro: &c.distro}},
			}
			add := func(name, version string) {
				e.Packages = append(e.Packages, core.Package{Subject: subject, Name: name, Version: version,
					Purl: "pkg:deb/" + name + "@" + version, Locations: []core.Location{{Path: dpkgStatus}}})
			}
			if c.baseFiles != "" {
				add("base-files", c.baseFiles)
			}
			for i, version := range c.others {
				add(fmt.Sprintf("p%d", i), version)
			}
			add("removed", "1.0-1")
			e.Packages[len(e.Packages)-1].Origin = at1(0, 1)
			Finish(&e)
			for _, x := range e.Examinations {
				if x.Name != core.ExamineDistro || c.distro.Ecosystem == "" {
					continue
				}
				if why := strings.Join(x.Why, " "); (x.Status == core.Complete) != (c.why == "") || !strings.Contains(why, c.why) {
					t.Errorf("%s: %s", x.Status, why)
				}
			}
		})
	}
}
