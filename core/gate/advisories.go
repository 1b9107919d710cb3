package gate

import (
	"context"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// AdvisoryBuild says what to build a set of advisories from.
type AdvisoryBuild struct {
	// From is a directory in the layout of the OSV bucket, Out the directory of an OCI layout.
	From, Out string
	// KEV, EPSS and EndOfLife are files; empty means to look for them beside the exports.
	KEV, EPSS, EndOfLife string
	Limits               Limits
}

// AdvisoryReport says what came of a build.
type AdvisoryReport = advisory.BuildReport

// BuildAdvisories builds a set. The time of the build is not written into it, so that the same exports give the same
// digest; what says how old it is are the dates of its records and tables. progress may be nil.
func (g *Gate) BuildAdvisories(ctx context.Context, b AdvisoryBuild, progress func(string)) (AdvisoryReport, error) {
	return advisory.Build(ctx, advisory.BuildOptions{
		From: b.From, KEV: b.KEV, EPSS: b.EPSS, EndOfLife: b.EndOfLife, Limits: b.Limits, Progress: progress,
	}, b.Out)
}

// AdvisoryStatus opens a set and returns what it says of itself. An empty reference is the embedded starter set.
func (g *Gate) AdvisoryStatus(ctx context.Context, ref string) (core.AdvisorySource, error) {
	set, err := openAdvisories(ctx, ref)
	if err != nil {
		return core.AdvisorySource{}, fmt.Errorf("inspect advisories: %w", err)
	}
	return set.Source(), nil
}
