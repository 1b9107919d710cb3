package tekton

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// The files that are written to the workspace for reports, if one is bound.
const (
	documentFile = "cleanbill.json"
	sbomFile     = "cleanbill.cdx.json"
)

// fetchHint says how a pipeline gets the base of a change.
const fetchHint = "let git-clone fetch all of the history, with its parameter depth: 0"

// Options are what the adapter needs of the process and of the gate. All are required.
type Options struct {
	// Getenv reads the variables of the step.
	Getenv func(string) string
	// Stdout is the log of the step.
	Stdout io.Writer
	// Now gives the time in TEST_OUTPUT.
	Now func() time.Time
	// Document makes what reports show of a result.
	Document func(*gate.Result) report.Document
}

// Adapter is the gate in a step of a Tekton Task. It serves one run.
type Adapter struct {
	o Options
}

var (
	_ gate.Platform = (*Adapter)(nil)
	_ gate.Failer   = (*Adapter)(nil)
)

// New returns the adapter. It does nothing until Plan.
func New(o Options) *Adapter { return &Adapter{o: o} }

// Plan reads the step's variables; its working directory is the workspace of the sources, if one is bound. If a workspace
// for reports is bound, the document and a CycloneDX bill of materials are written there, besides the outputs that were
// asked for.
func (a *Adapter) Plan(context.Context) (gate.Plan, error) {
	in := gate.EnvironmentInputs(a.o.Getenv)
	in.Advisories = a.o.Getenv("CLEANBILL_ADVISORIES")
	image, err := imageNamed(a.o.Getenv("CLEANBILL_IMAGE_URL"), a.o.Getenv("CLEANBILL_IMAGE_DIGEST"))
	if err != nil {
		return gate.Plan{}, err
	}
	in.Targets += "\n" + image
	plan, err := in.Plan()
	if err != nil {
		return gate.Plan{}, err
	}
	plan.Source, plan.FetchHint = ".", fetchHint
	if plan.Publish, err = a.publishing(); err != nil {
		return gate.Plan{}, err
	}
	plan.Change.Head = strings.TrimSpace(a.o.Getenv("CLEANBILL_REVISION"))
	if dir := a.o.Getenv("CLEANBILL_REPORTS"); dir != "" {
		plan.Outputs = append([]gate.Output{
			{Format: "json", Path: filepath.Join(dir, documentFile)},
			{Format: "cyclonedx", Path: filepath.Join(dir, sbomFile)},
		}, plan.Outputs...)
	}
	return plan, nil
}

// imageNamed returns the reference of an image in two parts, as other Tasks hand it on. Both may be empty.
func imageNamed(url, digest string) (string, error) {
	url, digest = strings.TrimSpace(url), strings.TrimSpace(digest)
	misuse := func(hint, reason string) error {
		return &core.Failure{Doing: "read the parameters image-url and image-digest", Err: errors.New(reason), Hint: hint,
			Usage: true}
	}
	switch {
	case strings.ContainsFunc(url+digest, unicode.IsSpace):
		return "", misuse("name one image", "there is white space in them")
	case digest == "":
		return url, nil
	case url == "":
		return "", misuse("give both, or only image-url", "there is a digest, but no image-url")
	case strings.Contains(url, "@"):
		return "", misuse("give a digest in one of them", fmt.Sprintf("there is a digest, and %q has one already", url))
	default:
		return url + "@" + digest, nil
	}
}

// Publish prints the verdict and writes the results. Both are tried; the error joins what failed.
func (a *Adapter) Publish(_ context.Context, r *gate.Result) error {
	document, err := a.documentDigest(r)
	if err == nil {
		err = a.publishResults(r, document)
	}
	return errors.Join(err, report.Terminal(a.o.Stdout, a.o.Document(r), terminalOptions()), r.ShowPublished(a.o.Stdout))
}

func (a *Adapter) publishResults(r *gate.Result, document core.Digest) error {
	var own []result
	if a.pushes() {
		own, document = publishedResults(r.Published), cmp.Or(publishedReport(r.Published), document)
	}
	results, err := resultsOf(r, document, own, a.o.Now())
	if err != nil {
		return err
	}
	return a.write(results)
}

// documentDigest returns the digest of the document in the workspace for reports, or none if it was not written.
func (a *Adapter) documentDigest(r *gate.Result) (core.Digest, error) {
	path := filepath.Join(a.o.Getenv("CLEANBILL_REPORTS"), documentFile)
	if !slices.Contains(r.Reports, gate.Output{Format: "json", Path: path}) {
		return "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", path, err)
	}
	return core.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), nil
}

// Failed writes the results of a run that has no verdict to rely on. The reason itself is printed by the command.
func (a *Adapter) Failed(_ context.Context, exit int, _ error) error {
	var own []result
	if a.pushes() {
		own = publishedResults(nil)
	}
	results, err := failureResults(exit, own, a.o.Now())
	if err != nil {
		return err
	}
	return a.write(results)
}

// terminalOptions is for a log that is a page, not a terminal.
func terminalOptions() report.TerminalOptions {
	return report.TerminalOptions{Width: 100, Unicode: true}
}
