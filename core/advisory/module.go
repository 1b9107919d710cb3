package advisory

import (
	"regexp"
	"slices"
	"strings"
)

// modularBuild is what the release of every package of a module has: Red Hat, Rocky and CentOS write "module+el8",
// AlmaLinux "module_el8".
//
// https://docs.fedoraproject.org/en-US/modularity/
var modularBuild = regexp.MustCompile(`\.module[+_]el[0-9]`)

// IsModular reports whether a version is that of a package of a module.
func IsModular(version string) bool { return modularBuild.MatchString(version) }

// stream is a module with its stream, as summaries name them: "nodejs:12", also in "httpd:2.4/mod_http2".
var stream = regexp.MustCompile(`(?:^|[\s(])([A-Za-z0-9][A-Za-z0-9_.+-]*:[A-Za-z0-9][A-Za-z0-9_.+-]*)`)

// errata are ids that look like streams: "RHSA-2021:4154".
var errata = regexp.MustCompile(`^[A-Z]{2,4}-[0-9]+:`)

// moduleOf returns the module streams that an advisory's fixed versions are for, as its summary names them, joined by
// commas: "nodejs:12", "virt:rhel,virt-devel:rhel". It is empty if the versions are of no module, and if the summary
// names no stream: of AlmaLinux's 723 modular records, 15 name a module or a package alone ("Important: varnish
// security update"), and nothing else in them tells the stream.
func moduleOf(summary string, fixedVersions []string) string {
	if !slices.ContainsFunc(fixedVersions, IsModular) {
		return ""
	}
	var streams []string
	for _, m := range stream.FindAllStringSubmatch(summary, -1) {
		if !errata.MatchString(m[1]) {
			streams = append(streams, strings.TrimRight(m[1], ".-"))
		}
	}
	slices.Sort(streams)
	return strings.Join(slices.Compact(streams), ",")
}
