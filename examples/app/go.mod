// A module of its own, so that its vulnerable requirement is not one of Cleanbill's.
module example.com/pagetitle

go 1.26

// Known vulnerabilities, on purpose: CVE-2023-44487 and CVE-2023-39325 (fixed in 0.17.0), CVE-2023-45288 (0.23.0).
require golang.org/x/net v0.16.0
