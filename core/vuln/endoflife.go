package vuln

import (
	"cmp"
	"context"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// endsOfLife returns a finding for each image whose distribution is beyond its support, and by image the last day of
// support, where it is known.
func endsOfLife(ctx context.Context, set Advisories, images []core.ImageFacts, now time.Time) ([]core.Finding,
	[]string, error) {
	var findings []core.Finding
	ends := make([]string, len(images))
	for i, image := range images {
		d := image.Distro
		if d == nil || d.ID == "" || d.VersionID == "" {
			continue
		}
		date, ok, err := set.EndOfLife(ctx, d.ID, d.VersionID)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		ends[i] = date
		if now.UTC().Format(time.DateOnly) > date {
			findings = append(findings, ended(image.Subject, d, date))
		}
	}
	return findings, ends, nil
}

func ended(subject core.Digest, d *core.Distro, date string) core.Finding {
	name := cmp.Or(d.PrettyName, d.ID+" "+d.VersionID)
	return core.Finding{
		Fingerprint: core.FingerprintOf(core.KindEndOfLife, cmp.Or(d.Ecosystem, d.ID+" "+d.VersionID)),
		Subject:     subject, Kind: core.KindEndOfLife, Rule: "end-of-life",
		Title:    name + " has had no security updates since " + date,
		Severity: core.SeverityHigh, SeveritySource: "end of support",
		Locations: []core.Location{{Path: "etc/os-release"}},
		Fix:       core.Fix{Text: "build on a release that is still supported"},
		SeenBy:    []string{"endoflife.date"},
	}
}
