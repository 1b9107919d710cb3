package main

import (
	"path/filepath"
	"slices"
)

// tool is one contestant.
type tool struct {
	name, program string
	// args make it write a CycloneDX document to the file sbom. Image is the folder that make-image filled, cache a
	// folder that is empty.
	args func(image, sbom, cache string) []string
	// exits are accepted besides 0.
	exits []int
	// silent is true for what makes no SBOM.
	silent bool
	// aim is the greatest share of this tool's wall time that Cleanbill wants to take; 0 is none.
	aim float64
}

func (t tool) accepts(exit int) bool { return exit == 0 || slices.Contains(t.exits, exit) }

// tools are all contestants. Each is asked for packages only: no vulnerabilities, no secrets, no network.
func tools(floor, cleanbill string) []tool {
	layout := func(image string) string { return filepath.Join(image, "image") }
	return []tool{
		{
			name: "floor", program: floor, silent: true,
			args: func(image, _, _ string) []string { return []string{layout(image)} },
		},
		{
			name: "cleanbill", program: cleanbill,
			// 3 says that something could not be examined; the document is written all the same.
			exits: []int{3},
			args: func(image, sbom, _ string) []string {
				return []string{"sbom", layout(image), "--format", "cyclonedx", "--output", sbom}
			},
		},
		{
			name: "trivy", program: "trivy", aim: 0.9,
			// It refuses to look at a jar without its Java database, which it would download: it gets to skip them.
			args: func(image, sbom, cache string) []string {
				return []string{"image", "--input", layout(image), "--format", "cyclonedx", "--output", sbom,
					"--cache-dir", cache, "--offline-scan", "--skip-db-update", "--skip-files", "**/*.jar",
					"--skip-version-check", "--disable-telemetry", "--quiet"}
			},
		},
		{
			name: "syft", program: "syft", aim: 0.5,
			args: func(image, sbom, _ string) []string {
				return []string{"scan", "oci-dir:" + layout(image), "--output", "cyclonedx-json=" + sbom, "--quiet"}
			},
		},
		{
			name: "osv-scanner", program: "osv-scanner", aim: 0.2,
			// It reads no layouts. 1 says that it found vulnerabilities, which it does if it has a database.
			exits: []int{1},
			args: func(image, sbom, _ string) []string {
				return []string{"scan", "image", "--archive", filepath.Join(image, "image.tar"), "--offline",
					"--all-packages", "--format", "cyclonedx-1-5", "--output-file", sbom}
			},
		},
	}
}
