// Package vuln matches packages with advisories and makes findings of what it meets: which flaw, how bad, how sure, and
// what fixes it. It reads packages and advisories and writes findings; it opens no image, fetches nothing and decides
// nothing about a build.
//
// # One finding for each package and flaw
//
// Databases name one flaw by many ids. Records that affect the package are joined when one names another, or both name
// a third, as an alias; transitively. A distributor's record is joined with the flaw that it is upstream of, if that is
// one. If it is about several flaws, as DSA, USN and RHSA are, it must not glue them together: it counts for each of
// its CVEs, and each finding lists it among its aliases. A record that only relates to CVEs, and names no other id
// (AlmaLinux), is about them in the same way. The finding goes by its CVE, the oldest if there are several, else its
// GHSA
// id, else the id of the database.
//
// # The fingerprint
//
// It is made from the kind, the ecosystem without its release, the package's name, and the id that the finding goes
// by. It is therefore the same on every platform, after a rebuild, and after an upgrade that does not remove the flaw.
// Two versions of a package in one subject that share a flaw share the fingerprint.
package vuln
