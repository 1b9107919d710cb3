package core

import "time"

// Package is one piece of software found in a subject. It is reported once per subject, with all its Locations.
type Package struct {
	// Subject is the digest of the image, tree or SBOM that holds it.
	Subject Digest `json:"subject"`
	// Name is as the package's own ecosystem writes it, with the namespace ("@babel/core", "org.apache.logging:log4j").
	Name    string `json:"name"`
	Version string `json:"version"`
	// Purl is the package URL, distribution qualifiers included.
	// https://github.com/package-url/purl-spec
	Purl string `json:"purl"`
	// Ecosystem is the OSV ecosystem, with its release where it has one ("Debian:12", "Go"). It is empty where OSV has
	// none.
	// https://ossf.github.io/osv-schema/#defined-ecosystems
	Ecosystem string `json:"ecosystem,omitempty"`
	// Architecture is as the distribution writes it ("amd64", "x86_64", "noarch").
	Architecture string `json:"architecture,omitempty"`
	// Source is the source package that a distribution built it from, if that is known. Distributions' advisories
	// name source packages.
	Source *SourcePackage `json:"source,omitempty"`
	// Module is the stream that an rpm distribution built it for ("nodejs:12"), empty for none. The same package of
	// another stream has other versions and advisories.
	// https://docs.fedoraproject.org/en-US/modularity/
	Module string `json:"module,omitempty"`
	// Licenses are as declared: SPDX identifiers or expressions where the package uses them, otherwise its own words.
	Licenses []string `json:"licenses,omitempty"`
	// Hashes are of the artifact that the package is, as a lockfile or archive states them: algorithm to lower-case hex.
	Hashes map[string]string `json:"hashes,omitempty"`
	// Locations are the files that it was found in, in order of path and layer.
	Locations []Location `json:"locations"`
	// Origin says which layer brought it and whether it is still there; nil outside images.
	Origin *Origin `json:"origin,omitempty"`
	// Analyzer is the name of the analyzer that found it.
	Analyzer string `json:"analyzer"`
	// Scope is what the package is used for, if a lockfile says it.
	Scope Scope `json:"scope,omitempty"`
	// Relation says how the sources come to it, and Via is the chain of packages that brings it in, the direct dependency
	// first, where a lockfile says so.
	Relation Relation `json:"relation,omitempty"`
	Via      []string `json:"via,omitempty"`
	// Vendored is true for a copy that is embedded in another artifact, such as a jar within a jar.
	Vendored bool `json:"vendored,omitempty"`
}

// Visible reports whether the package is in the final file system. Outside images everything is.
func (p Package) Visible() bool { return p.Origin == nil || p.Origin.RemovedIn == nil }

// SourcePackage is the source that a distribution package was built from. An empty Version means the binary's.
type SourcePackage struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Scope is what a package is used for.
type Scope string

// The scopes that lockfiles tell apart. The zero value means that nothing is said, which counts as runtime.
const (
	ScopeRuntime     Scope = "runtime"
	ScopeDevelopment Scope = "development"
)

// Relation says whether a source tree names a package itself.
type Relation string

// The relations that lockfiles tell apart. The zero value means that nothing is said.
const (
	RelationDirect     Relation = "direct"
	RelationTransitive Relation = "transitive"
)

// Location is a place in a subject.
type Location struct {
	// Path is slash-separated and relative to the root. Bytes that are not UTF-8 are written as \xNN.
	Path string `json:"path"`
	// Line and Column count from 1; 0 means that it is the whole file.
	Line    int `json:"line,omitempty"`
	EndLine int `json:"endLine,omitempty"`
	Column  int `json:"column,omitempty"`
	// Text is the line itself, where it declares a version and whoever wants to change that needs to see it.
	Text string `json:"text,omitempty"`
	// Layer is the diff-id of the layer that holds this copy of the file; empty outside images.
	Layer Digest `json:"layer,omitempty"`
	// Commit is the commit that brought it and Date when its author wrote that; empty for the files themselves.
	Commit string    `json:"commit,omitempty"`
	Date   time.Time `json:"date,omitzero"`
}

// Origin is the provenance of something found in an image.
type Origin struct {
	// Layer counts from 0, the base.
	Layer  int    `json:"layer"`
	DiffID Digest `json:"diffId"`
	// CreatedBy is the history line that made the layer; empty when the configuration has no history for it.
	CreatedBy string `json:"createdBy,omitempty"`
	// RemovedIn is the layer that deleted or replaced it. Nil means that it is in the final file system.
	RemovedIn *int `json:"removedIn,omitempty"`
}
