package core

import (
	"cmp"
	"slices"
	"time"
)

// Evidence is what every stage adds to and what policy reads. Everything in it names its subject. Sort it before it is
// written or judged.
type Evidence struct {
	Subjects     []Subject      `json:"subjects"`
	Images       []ImageFacts   `json:"images,omitempty"`
	Packages     []Package      `json:"packages"`
	Findings     []Finding      `json:"findings"`
	Examinations []Examination  `json:"examinations"`
	Advisories   AdvisorySource `json:"advisories"`
	// Reach is what tools found out about which flaws code can run into.
	Reach []Reach `json:"reach,omitempty"`
	// Change is the change that is judged; nil where the platform tells of none.
	Change *Change `json:"change,omitempty"`
	// Publication is where the run would bring what passes; nil if it publishes nothing.
	Publication *Publication `json:"publication,omitempty"`
}

// Publication is what a run would do with what passes. That it did is told by what lies beside the image.
type Publication struct {
	// Reference is the name that the image gets, or the digest by which it is signed where it is.
	Reference string `json:"reference"`
	// Granted lists whom the run may ask for that besides the image's registry, as an Examination does.
	Granted []string `json:"granted,omitempty"`
}

// Change is where the judged content comes from and, for a pull or merge request, what it would be merged into.
type Change struct {
	// Repository is the name that the platform gives it ("owner/name").
	Repository string `json:"repository,omitempty"`
	// Branch is the branch that is built or, for a request, the one that it would be merged into.
	Branch string `json:"branch,omitempty"`
	// Head is the commit that is judged. Base is the commit that a request would be merged into, and empty otherwise: then
	// nothing excuses itself, because what is judged is already merged.
	Head string `json:"head,omitempty"`
	Base string `json:"base,omitempty"`
	// Request names the pull or merge request for people ("#12").
	Request string `json:"request,omitempty"`
}

// Reach says whether code can run into a flaw of a package.
type Reach struct {
	IDs       []string     `json:"ids"` // of the flaw, sorted
	Ecosystem string       `json:"ecosystem"`
	Package   string       `json:"package"`
	Version   string       `json:"version,omitempty"`
	Reachable Reachability `json:"reachable"`
	SeenBy    string       `json:"seenBy"` // the tool
}

// ImageFacts is what the configuration of one platform's image says, and what its layers are.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
type ImageFacts struct {
	Subject  Digest   `json:"subject"`
	Platform Platform `json:"platform"`
	// Created is the configuration's time of creation; zero if it has none.
	Created time.Time `json:"created,omitzero"`
	// User is as configured; empty means root.
	User         string   `json:"user,omitempty"`
	ExposedPorts []string `json:"exposedPorts,omitempty"` // "8080/tcp", sorted
	// EnvNames are the names only: values may hold secrets and are examined, never recorded.
	EnvNames    []string          `json:"envNames,omitempty"`
	Entrypoint  []string          `json:"entrypoint,omitempty"`
	Cmd         []string          `json:"cmd,omitempty"`
	WorkingDir  string            `json:"workingDir,omitempty"`
	Volumes     []string          `json:"volumes,omitempty"`
	StopSignal  string            `json:"stopSignal,omitempty"`
	Healthcheck bool              `json:"healthcheck,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Layers      []LayerFacts      `json:"layers"`
	// Base is the base image, where annotations or labels name it.
	// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md (org.opencontainers.image.base.*)
	Base *BaseImage `json:"base,omitempty"`
	// Distro is the distribution of the final file system; nil if it has none, as a scratch image.
	Distro *Distro `json:"distro,omitempty"`
	// Files counts the regular files that were read in all layers.
	Files int `json:"files"`
}

// LayerFacts is one layer of an image.
type LayerFacts struct {
	Digest Digest `json:"digest"`
	DiffID Digest `json:"diffId"`
	// Size is of the blob, Uncompressed of the tar stream; both in bytes.
	Size         int64     `json:"size"`
	Uncompressed int64     `json:"uncompressed"`
	MediaType    string    `json:"mediaType"`
	CreatedBy    string    `json:"createdBy,omitempty"`
	Created      time.Time `json:"created,omitzero"`
}

// BaseImage is the image that this one was built on.
type BaseImage struct {
	Name   string `json:"name,omitempty"`
	Digest Digest `json:"digest,omitempty"`
	// SignedBy is the signer whose signature on the digest was verified; empty if none was asked for or found.
	SignedBy string `json:"signedBy,omitempty"`
	// Layers is how many layers it is known to have, the first ones of the image; 0 where nobody asked its registry.
	Layers int `json:"layers,omitempty"`
}

// Distro is what os-release says.
//
// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
type Distro struct {
	ID         string   `json:"id"`
	IDLike     []string `json:"idLike,omitempty"`
	VersionID  string   `json:"versionId,omitempty"`
	Codename   string   `json:"codename,omitempty"`
	PrettyName string   `json:"prettyName,omitempty"`
	// Ecosystem is the OSV ecosystem with its release ("Debian:12"); empty where OSV has none.
	Ecosystem string `json:"ecosystem,omitempty"`
	// EndOfLife is the last day of support, yyyy-mm-dd; empty if that is not known.
	EndOfLife string `json:"endOfLife,omitempty"`
}

// Completeness says whether a stage could look. The zero value is invalid on purpose: nobody may forget to say.
type Completeness string

// How far an examination got.
const (
	Complete Completeness = "complete"
	Partial  Completeness = "partial" // some of it could not be looked at
	Failed   Completeness = "failed"  // nothing of it could be looked at
	Skipped  Completeness = "skipped" // left out on request
)

// The names of the examinations that policies require. Others have the name of their hook.
const (
	ExamineTarget            = "target"            // every platform was opened
	ExamineLayers            = "layers"            // every byte of every layer was read and verified
	ExaminePackages          = "packages"          // the inventory is whole
	ExamineAdvisories        = "advisories"        // every package could be looked up
	ExamineDistro            = "distro"            // the distribution is known
	ExamineSecrets           = "secrets"           // every text was searched for secrets
	ExamineMisconfigurations = "misconfigurations" // every file and setting that the rules are about was looked at
	ExamineCharts            = "helm-charts"       // no chart has templates, which say nothing before they are rendered
)

// Examination records that something was looked at, by whom, and what could not be seen.
type Examination struct {
	Name string `json:"name"`
	// Subject is what was examined. An incomplete examination without one is a gap of all subjects; a complete one
	// without one vouches for nothing.
	Subject Digest `json:"subject,omitempty"`
	Tool    string `json:"tool"`
	Version string `json:"version,omitempty"`
	// Input is the digest of what was examined, where that is not the subject.
	Input  Digest       `json:"input,omitempty"`
	Status Completeness `json:"status"`
	// Why is one sentence for each gap, sorted; required unless Status is Complete.
	Why []string `json:"why,omitempty"`
	// Remedy is what the user can do about it: a command or a setting.
	Remedy string `json:"remedy,omitempty"`
	// Code tells policies which gap it is, where a rule may accept it ("starter-advisories").
	Code string `json:"code,omitempty"`
	// Enforced lists the barriers and limits that held while it ran.
	Enforced []string `json:"enforced,omitempty"`
	// Unenforced lists those that were wanted and could not be set up.
	Unenforced []string `json:"unenforced,omitempty"`
	// Granted lists what it was allowed beyond the default, such as hosts and names of secrets.
	Granted []string `json:"granted,omitempty"`
}

// CodeStarterAdvisories marks an advisory examination that had only the embedded starter set.
const CodeStarterAdvisories = "starter-advisories"

// AdvisorySource is the set of advisories that packages were matched against.
type AdvisorySource struct {
	Name   string `json:"name"`             // reference or "embedded starter set"
	Digest Digest `json:"digest,omitempty"` // of the manifest
	// Built is when the set was made, AsOf when what it was made from was exported, Newest the latest modification among
	// its records. AsOf says how old the set is.
	Built   time.Time `json:"built,omitzero"`
	AsOf    time.Time `json:"asOf,omitzero"`
	Newest  time.Time `json:"newest,omitzero"`
	Records int       `json:"records"`
	// Sources are the lists that it was made from: OSV, CISA's exploited vulnerabilities, EPSS, ends of life.
	Sources []string `json:"sources,omitempty"`
	// SignedBy is the signer that was verified, empty if none was asked for.
	SignedBy string `json:"signedBy,omitempty"`
	// Note says what was unusual about how the set was obtained, such as a registry that could not be asked.
	Note string `json:"note,omitempty"`
	// Ecosystems that the set covers, sorted.
	Ecosystems []string `json:"ecosystems,omitempty"`
	Starter    bool     `json:"starter,omitempty"`
}

// Add appends the parts of other to e. Advisories are taken from other if e has none.
func (e *Evidence) Add(other Evidence) {
	e.Subjects = append(e.Subjects, other.Subjects...)
	e.Images = append(e.Images, other.Images...)
	e.Packages = append(e.Packages, other.Packages...)
	e.Findings = append(e.Findings, other.Findings...)
	e.Examinations = append(e.Examinations, other.Examinations...)
	e.Reach = append(e.Reach, other.Reach...)
	if e.Advisories.Name == "" {
		e.Advisories = other.Advisories
	}
	if e.Change == nil {
		e.Change = other.Change
	}
}

// Sort brings everything into one order that does not depend on how it was gathered. Subjects keep theirs, which is the
// user's.
func (e *Evidence) Sort() {
	rank := make(map[Digest]int, len(e.Subjects))
	for i, s := range e.Subjects {
		rank[s.Digest] = i
	}
	bySubject := func(a, b Digest) int { return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a, b)) }
	slices.SortStableFunc(e.Images, func(a, b ImageFacts) int { return bySubject(a.Subject, b.Subject) })
	for i := range e.Packages {
		sortLocations(e.Packages[i].Locations)
	}
	slices.SortStableFunc(e.Packages, func(a, b Package) int {
		return cmp.Or(bySubject(a.Subject, b.Subject), cmp.Compare(a.Purl, b.Purl), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Analyzer, b.Analyzer),
			compareOrigins(a.Origin, b.Origin), compareLocations(first(a.Locations), first(b.Locations)))
	})
	for i := range e.Findings {
		sortLocations(e.Findings[i].Locations)
		slices.Sort(e.Findings[i].Aliases)
		slices.Sort(e.Findings[i].SeenBy)
	}
	slices.SortStableFunc(e.Findings, func(a, b Finding) int {
		return cmp.Or(bySubject(a.Subject, b.Subject), cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(packageName(a), packageName(b)), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	slices.SortStableFunc(e.Reach, func(a, b Reach) int {
		return cmp.Or(cmp.Compare(a.Ecosystem, b.Ecosystem), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Version, b.Version),
			slices.Compare(a.IDs, b.IDs), cmp.Compare(a.SeenBy, b.SeenBy), cmp.Compare(a.Reachable, b.Reachable))
	})
	for i := range e.Examinations {
		slices.Sort(e.Examinations[i].Why)
	}
	slices.SortStableFunc(e.Examinations, func(a, b Examination) int {
		return cmp.Or(bySubject(a.Subject, b.Subject), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Tool, b.Tool),
			cmp.Compare(a.Status, b.Status), cmp.Compare(a.Code, b.Code), slices.Compare(a.Why, b.Why))
	})
}

func packageName(f Finding) string {
	if f.Package == nil {
		return ""
	}
	return f.Package.Purl
}

func first(l []Location) Location {
	if len(l) == 0 {
		return Location{}
	}
	return l[0]
}

func sortLocations(l []Location) { slices.SortStableFunc(l, compareLocations) }

func compareLocations(a, b Location) int {
	return cmp.Or(cmp.Compare(len(a.Commit), len(b.Commit)), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Commit, b.Commit))
}

func compareOrigins(a, b *Origin) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(a.Layer, b.Layer)
}
