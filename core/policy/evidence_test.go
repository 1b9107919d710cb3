package policy_test

import (
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// image is the digest of the image that most tests judge.
var image = core.Digest("sha256:" + strings.Repeat("a", 64))

var now = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

// evidence returns complete evidence of an image with nothing wrong in it.
func evidence() core.Evidence {
	return core.Evidence{
		Subjects: []core.Subject{{
			Name: "registry.example/app:1", Kind: core.KindImage, Digest: image,
			Platform: &core.Platform{OS: "linux", Architecture: "amd64"},
		}},
		Images:       []core.ImageFacts{{Subject: image, Distro: &core.Distro{ID: "debian", VersionID: "12", Ecosystem: "Debian:12"}}},
		Examinations: complete(image),
		Advisories:   fresh(),
	}
}

// complete returns the examinations of an image that went well.
func complete(subject core.Digest) []core.Examination {
	var all []core.Examination
	for _, name := range []string{core.ExamineTarget, core.ExamineLayers, core.ExaminePackages, core.ExamineAdvisories, core.ExamineDistro,
		core.ExamineSecrets} {
		all = append(all, core.Examination{Name: name, Subject: subject, Tool: "test", Status: core.Complete})
	}
	return all
}

// fresh are advisories of yesterday.
func fresh() core.AdvisorySource {
	return core.AdvisorySource{Name: "oci:advisories", Records: 65000, AsOf: now.Add(-24 * time.Hour)}
}
