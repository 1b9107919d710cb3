package sarif

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
	"github.com/cleanbill-ci/cleanbill/core/internal/treepath"
)

// Bounds of a file. Each is several times what the largest published reports need.
const (
	maxRuns = 1000
	// maxRules is of one component, maxKept of all text of one run that results refer to, in bytes.
	maxRules = 100_000
	maxKept  = 128 << 20
	// maxArtifacts is of one run.
	maxArtifacts = 1_000_000
	// maxElements is of one list of suppressions, taxa or the like.
	maxElements = 100_000
	// textCost is what even an empty text costs that is kept, in bytes.
	textCost = 16
	// maxText is the longest text that is read, in bytes. What is passed over may be longer.
	maxText = 1 << 20
	// maxLocations is how many locations of one result are kept.
	maxLocations = 100
	// maxGaps is how many notifications of one run are kept.
	maxGaps = 20
)

// Options say how to read.
type Options struct {
	// Roots are where the tool saw the tree, besides what the report itself says.
	Roots []string
}

// Run is one run of a tool. Its findings go to the caller one at a time.
type Run struct {
	Tool    string
	Version string
	// Results counts what the tool reported, findings or not.
	Results int
	// Gaps are what the tool says that it could not look at, one sentence each.
	Gaps []string
	// Image is the image that was scanned, if the run says that it was one.
	Image Image
}

// Image names what a scanner of images looked at.
type Image struct {
	Name string
	// Digests are of manifests, as references ("name@sha256:…").
	Digests []string
}

// Read reads a whole file and calls emit with every finding, which has no subject yet. The error says where in the file
// it is; what was emitted before is then not all there is.
func Read(src io.ReadSeeker, o Options, emit func(core.Finding) error) ([]Run, error) {
	var roots treepath.Roots
	for _, root := range o.Roots {
		roots = roots.With(root)
	}
	contexts, err := readContexts(src, roots)
	if err != nil {
		return nil, err
	}
	return readResults(src, contexts, emit)
}

// open begins a pass.
func open(src io.ReadSeeker) (*jsonstream.Reader, error) {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := jsonstream.UTF8(src)
	if err != nil {
		return nil, err
	}
	return jsonstream.New(text), nil
}

// eachRun reads the outermost object.
func eachRun(src io.ReadSeeker, run func(r *jsonstream.Reader, index int) error) error {
	r, err := open(src)
	if err != nil {
		return err
	}
	version, runs := "", -1
	err = r.Object(func(name string) error {
		switch name {
		case "version":
			var err error
			if version, err = r.String(64); err == nil && !strings.HasPrefix(version, "2.1") {
				return r.Fail(fmt.Sprintf("it is SARIF %q, and 2.1.0 is read", version))
			}
			return err
		case "inlineExternalProperties":
			return noParts(r)
		case "runs":
			runs = 0
			if r.Null() {
				return nil
			}
			return r.Array(func(i int) error {
				if i == maxRuns {
					return r.Fail(fmt.Sprintf("more than %d runs", maxRuns))
				}
				runs++
				return run(r, i)
			})
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case version == "":
		return errors.New("it has no version, so it is not SARIF")
	case runs <= 0:
		return errors.New("it has no run: no tool says that it looked")
	}
	return r.End()
}

// noParts refuses parts of runs that stand outside of them, unless they hold no result.
func noParts(r *jsonstream.Reader) error {
	if r.Null() {
		return nil
	}
	return r.Array(func(int) error {
		return r.Object(func(name string) error {
			if name == "results" {
				return r.Fail("results outside of runs are not read: write whole runs")
			}
			return nil
		})
	})
}

func readContexts(src io.ReadSeeker, roots treepath.Roots) ([]*context, error) {
	var contexts []*context
	err := eachRun(src, func(r *jsonstream.Reader, _ int) error {
		c := &context{reader: r, roots: roots, bases: map[string]place{}}
		contexts = append(contexts, c)
		if err := c.read(); err != nil {
			return err
		}
		return c.finish()
	})
	return contexts, err
}

func readResults(src io.ReadSeeker, contexts []*context, emit func(core.Finding) error) ([]Run, error) {
	runs := make([]Run, len(contexts))
	err := eachRun(src, func(r *jsonstream.Reader, i int) error {
		if i >= len(contexts) {
			return r.Fail("the file changes while it is read")
		}
		c := contexts[i]
		c.reader = r
		runs[i] = Run{Tool: c.tool.name, Version: c.tool.version, Gaps: c.gaps, Image: c.image}
		return r.Object(func(name string) error {
			if name != "results" || r.Null() {
				return nil
			}
			return r.Array(func(int) error {
				runs[i].Results++
				f, flaw, err := c.result()
				if err != nil || !flaw {
					return err
				}
				if err := emit(f); err != nil {
					return r.Fail(err.Error())
				}
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return runs, nil
}
