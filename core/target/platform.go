package target

import (
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// matchesPlatform reports whether have is what somebody who asks for want would get. A variant that is not asked for is
// any variant, and variants that are a default are the same as none.
//
// https://github.com/containerd/platforms/blob/v1.0.0-rc.1/platforms.go (normalisation)
func matchesPlatform(want, have core.Platform) bool {
	return strings.EqualFold(want.OS, have.OS) && strings.EqualFold(want.Architecture, have.Architecture) &&
		(want.Variant == "" || variant(want) == variant(have)) &&
		(want.OSVersion == "" || want.OSVersion == have.OSVersion)
}

func variant(p core.Platform) string {
	if p.Variant == "" {
		switch p.Architecture {
		case "arm64":
			return "v8"
		case "arm":
			return "v7"
		case "amd64":
			return "v1"
		}
	}
	return p.Variant
}

func wanted(have core.Platform, platforms []core.Platform) bool {
	return len(platforms) == 0 ||
		slices.ContainsFunc(platforms, func(want core.Platform) bool { return matchesPlatform(want, have) })
}

// absent returns those of want that none of have matches.
func absent(want, have []core.Platform) []core.Platform {
	return slices.DeleteFunc(slices.Clone(want), func(w core.Platform) bool {
		return slices.ContainsFunc(have, func(h core.Platform) bool { return matchesPlatform(w, h) })
	})
}

// listPlatforms names platforms for people.
func listPlatforms(platforms []core.Platform) string {
	names := make([]string, 0, len(platforms))
	for _, p := range platforms {
		if !slices.Contains(names, p.String()) {
			names = append(names, p.String())
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
