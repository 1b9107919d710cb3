package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// DefaultStatementSize is the largest statement that is signed unless a plan says otherwise, in bytes: what registries,
// logs and verifiers take without trouble.
const DefaultStatementSize = 8 << 20

// saying is what is to be said of one image: statements, each with the manifests that it is kept beside.
type saying struct {
	attest.Statement
	about []target.Descriptor
	// apart is what a statement of type attest.TypeReference names.
	apart *attest.Attachment
}

// sayings makes the statements about an image, in the order in which they are signed; the summary of the verdict, which
// names the others, is made from what they became.
type sayings struct {
	gate   *Gate
	result *Result
	// name is where the image goes, without a tag.
	name string
	// top is the manifest that was judged, and platforms are the images below it, or the one that it is.
	top       target.Descriptor
	platforms []target.Descriptor
	build     *attest.Build
	largest   int
}

// everything is the top and, of an index, its platforms.
func (s *sayings) everything() []target.Descriptor {
	if len(s.platforms) == 1 && s.platforms[0].Digest == s.top.Digest {
		return s.platforms
	}
	return append([]target.Descriptor{s.top}, s.platforms...)
}

func (s *sayings) subjects(about []target.Descriptor) []attest.Subject {
	out := make([]attest.Subject, len(about))
	for i, d := range about {
		out[i] = attest.Subject{Name: s.name, Digest: d.Digest}
	}
	return out
}

// evidence are the statements that say what was seen: bills of materials and vulnerabilities of the whole and of each
// platform, the whole evidence, and how it was built where that is known.
func (s *sayings) evidence() ([]saying, error) {
	var makers []func() (saying, error)
	for _, d := range s.everything() {
		makers = append(makers,
			func() (saying, error) { return s.materials(sbom.CycloneDX, d) },
			func() (saying, error) { return s.materials(sbom.SPDX, d) },
			func() (saying, error) { return s.vulnerabilities(d) })
	}
	makers = append(makers, s.document)
	out := make([]saying, len(makers))
	var g errgroup.Group
	g.SetLimit(max(runtime.GOMAXPROCS(0), 2))
	for i, makes := range makers {
		g.Go(func() (err error) {
			out[i], err = makes()
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if s.build != nil {
		predicate, err := s.build.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, s.say(attest.TypeProvenance, predicate, s.everything()))
	}
	for _, said := range out {
		if len(said.Predicate) > s.largest {
			return nil, s.tooLarge(said)
		}
	}
	return out, nil
}

func (s *sayings) say(predicateType string, predicate json.RawMessage, about []target.Descriptor) saying {
	return saying{Statement: attest.Statement{Subjects: s.subjects(about), PredicateType: predicateType, Predicate: predicate},
		about: about}
}

func (s *sayings) tooLarge(said saying) error {
	return &core.Failure{Doing: "attest " + said.PredicateType,
		Err:  fmt.Errorf("the statement has %d bytes, and at most %d are signed", len(said.Predicate), s.largest),
		Hint: fmt.Sprintf("allow more with --statement-size %d, if the registry takes it", len(said.Predicate)+1<<10)}
}

// materials is a bill of materials. One that is too large is kept apart.
func (s *sayings) materials(format sbom.Format, d target.Descriptor) (saying, error) {
	o := sbom.Options{Timestamp: s.result.Created, Tool: "cleanbill", Version: s.gate.Version}
	write := func(w io.Writer) error { return sbom.WriteSubject(w, format, s.result.Evidence, d.Digest, o) }
	if d.Digest == s.top.Digest {
		write = func(w io.Writer) error { return sbom.Write(w, format, s.onlyImage(), o) }
	}
	kind, mediaType := attest.TypeCycloneDX, "application/vnd.cyclonedx+json"
	if format == sbom.SPDX {
		kind, mediaType = attest.TypeSPDX, "application/spdx+json"
	}
	return s.sized(kind, mediaType, d, write)
}

// onlyImage is the evidence without what was judged beside the image, such as its sources.
func (s *sayings) onlyImage() core.Evidence {
	e := s.result.Evidence
	of := func(d core.Digest) bool {
		return d == s.top.Digest || slices.ContainsFunc(s.platforms, func(p target.Descriptor) bool { return p.Digest == d })
	}
	keep := core.Evidence{Advisories: e.Advisories, Change: e.Change}
	for _, x := range e.Subjects {
		if of(x.Digest) {
			keep.Subjects = append(keep.Subjects, x)
		}
	}
	for _, x := range e.Images {
		if of(x.Subject) {
			keep.Images = append(keep.Images, x)
		}
	}
	for _, x := range e.Packages {
		if of(x.Subject) {
			keep.Packages = append(keep.Packages, x)
		}
	}
	for _, x := range e.Examinations {
		if x.Subject == "" || of(x.Subject) {
			keep.Examinations = append(keep.Examinations, x)
		}
	}
	return keep
}

// document is the whole evidence with its verdict, about the manifest that was judged.
func (s *sayings) document() (saying, error) {
	d := s.gate.Document(s.result)
	return s.sized(report.PredicateType, report.DocumentMediaType, s.top, func(w io.Writer) error { return report.WriteJSON(w, d) })
}

// sized is a statement that holds what is written, or names it if it is too large to be signed as a whole.
func (s *sayings) sized(kind, mediaType string, d target.Descriptor, write func(io.Writer) error) (saying, error) {
	var written, compact bytes.Buffer
	if err := write(&written); err != nil {
		return saying{}, err
	}
	if err := json.Compact(&compact, written.Bytes()); err != nil {
		return saying{}, err
	}
	about := []target.Descriptor{d}
	if compact.Len() <= s.largest {
		return s.say(kind, compact.Bytes(), about), nil
	}
	apart := attest.Attachment{Subject: d, ArtifactType: mediaType, Content: compact.Bytes(), Created: s.result.Created}
	predicate, err := attest.EncodeReference(attest.VerifierID, attest.Resource{URI: s.name + "@" + string(apart.Digest()), Digest: apart.ContentDigest(),
		MediaType: mediaType})
	if err != nil {
		return saying{}, err
	}
	said := s.say(attest.TypeReference, predicate, about)
	said.apart = &apart
	return said, nil
}

// vulnerabilities are those of a subject and of what is below it.
func (s *sayings) vulnerabilities(d target.Descriptor) (saying, error) {
	outcomes := map[string]core.Outcome{}
	v := s.result.Verdict
	for _, o := range slices.Concat(v.Ignored, v.Warnings, v.Refusals) {
		outcomes[string(o.Subject)+o.Fingerprint] = o
	}
	list := attest.Vulnerabilities{Scanner: attest.VerifierID, Version: s.gate.Version, Database: s.result.Evidence.Advisories,
		Started: s.result.Started, Finished: s.result.Started.Add(s.result.Elapsed),
		Judged: func(f core.Finding) (string, string) {
			o := outcomes[string(f.Subject)+f.Fingerprint]
			reason := o.Rule
			if o.Waiver != "" {
				reason = "waiver " + o.Waiver
			}
			return string(o.Action), reason
		}}
	for _, f := range s.result.Evidence.Findings {
		if f.Subject == d.Digest || d.Digest == s.top.Digest && s.below(f.Subject) {
			list.Findings = append(list.Findings, f)
		}
	}
	predicate, err := list.Encode()
	if err != nil {
		return saying{}, err
	}
	return s.say(attest.TypeVulns, predicate, []target.Descriptor{d}), nil
}

func (s *sayings) below(d core.Digest) bool {
	return slices.ContainsFunc(s.platforms, func(p target.Descriptor) bool { return p.Digest == d })
}

// signature signs all manifests and says no more.
func (s *sayings) signature() saying {
	return s.say(attest.TypeSignature, json.RawMessage(`{}`), s.everything())
}

// summary is the verdict, and which attestations it rests on.
func (s *sayings) summary(inputs []attest.Resource) (saying, error) {
	v := s.result.Verdict
	predicate, err := attest.Summary{Version: s.gate.Version, Verified: v.Time, Resource: s.name, Policy: v.Policy,
		Inputs: inputs, Passed: v.Decision == core.Passed}.Encode()
	return s.say(attest.TypeVSA, predicate, s.everything()), err
}
