package imageconfig

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

// Files examines the names and modes of an image's files. The walk follows every file through the layers, so that a bit
// that a later layer takes away is told as removed.
type Files struct{}

// Info implements core.Analyzer.
func (Files) Info() core.Info {
	return core.Info{Name: "misconfig/image-files", Examines: core.ExamineMisconfigurations}
}

// Glances implements core.Glancer.
func (Files) Glances() {}

// Wants implements core.Analyzer.
func (Files) Wants(p string, info fs.FileInfo) bool {
	return info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 || open(info.Mode()) || isShell(p) || isManager(p)
}

// Analyze implements core.Analyzer.
func (Files) Analyze(_ context.Context, f core.File) (core.Found, error) {
	var found core.Found
	add := func(r rule.Rule, detail string) {
		one := rule.Finding(r, rule.Hit{Detail: detail}, f.Path)
		one.Locations = []core.Location{{Path: f.Path}}
		found.Findings = append(found.Findings, one)
	}
	mode := f.Info.Mode()
	switch {
	case mode&fs.ModeSetuid != 0:
		add(setuid(), f.Path+" (setuid)")
	case mode&fs.ModeSetgid != 0:
		add(setuid(), f.Path+" (setgid)")
	}
	if open(mode) {
		add(worldWritable(), f.Path)
	}
	if mode.Perm()&0o111 != 0 {
		if isShell(f.Path) {
			add(shellLeft(), f.Path)
		}
		if isManager(f.Path) {
			add(managerLeft(), f.Path)
		}
	}
	return found, nil
}

func open(mode fs.FileMode) bool { return mode.IsRegular() && mode.Perm()&0o002 != 0 }

// programDir reports whether a path is directly in a folder that programs are found in.
func programDir(p string) bool {
	switch path.Dir(p) {
	case "bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin":
		return true
	}
	return false
}

// isShell and isManager know programs, not the many links to them: a link would make the walk read its layer again.
func isShell(p string) bool {
	return programDir(p) && slices.Contains([]string{"sh", "bash", "dash", "ash", "busybox"}, path.Base(p))
}

func isManager(p string) bool {
	return programDir(p) && slices.Contains([]string{
		"apt-get", "apt", "dpkg", "apk", "rpm", "dnf-3", "dnf5", "dnf", "microdnf", "tdnf", "yum", "zypper", "pacman", "opkg",
	}, path.Base(p))
}

func setuid() rule.Rule {
	return rule.Rule{
		ID: "image-setuid", Title: "A file of the image has a setuid or setgid bit", Severity: core.SeverityLow,
		Why:        "Whoever executes the file gets its owner's rights, which is how a process without rights becomes root.",
		Fix:        "Take the bit away where nobody needs it: RUN chmod a-s FILE, or start from an image without such files.",
		References: []string{"CIS Docker 4.8", "NIST SP 800-190 4.1.2"}, Weaknesses: []string{"CWE-250"},
	}
}

func worldWritable() rule.Rule {
	return rule.Rule{
		ID: "image-world-writable", Title: "Everybody may write to files of the image", Severity: core.SeverityMedium,
		Why:        "A process that was broken into can replace programs and settings that others trust.",
		Fix:        "Give the files to the user that needs them, with a mode such as 750.",
		References: []string{"NIST SP 800-190 4.1.2"}, Weaknesses: []string{"CWE-732"},
	}
}

func shellLeft() rule.Rule {
	return rule.Rule{
		ID: "image-shell", Title: "The image has a shell", Severity: core.SeverityNone,
		Why: "An attacker who can start one program can start all others with it. Most images have one, so only " +
			"strict policies ask.",
		Fix:        "Build on a base without (distroless, scratch), and copy the program into it.",
		References: []string{"CIS Docker 4.3", "NIST SP 800-190 4.1.2"},
	}
}

func managerLeft() rule.Rule {
	return rule.Rule{
		ID: "image-package-manager", Title: "The image has a package manager", Severity: core.SeverityNone,
		Why: "An attacker can install what is missing, and what is installed at run time was never judged. Most " +
			"images have one, so only strict policies ask.",
		Fix:        "Build on a base without (distroless, scratch), and copy the program into it.",
		References: []string{"CIS Docker 4.3", "NIST SP 800-190 4.1.2"},
	}
}

// maxPlaces is how many files of a folder are named.
const maxPlaces = 10

// Fold makes one finding of all world-writable files of one folder that share their fate: a folder of ten thousand is
// one mistake, not ten thousand.
func Fold(findings []core.Finding) []core.Finding {
	type fate struct {
		dir            string
		layer, removed int
	}
	kept := make([]core.Finding, 0, len(findings))
	groups := map[fate][]core.Finding{}
	var order []fate
	for _, f := range findings {
		if f.Rule != worldWritable().ID || len(f.Locations) == 0 {
			kept = append(kept, f)
			continue
		}
		key := fate{dir: path.Dir(f.Locations[0].Path), layer: -1, removed: -1}
		if f.Origin != nil {
			key.layer = f.Origin.Layer
			if f.Origin.RemovedIn != nil {
				key.removed = *f.Origin.RemovedIn
			}
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], f)
	}
	for _, key := range order {
		all := groups[key]
		if len(all) == 1 {
			kept = append(kept, all[0])
			continue
		}
		slices.SortFunc(all, func(a, b core.Finding) int {
			return strings.Compare(a.Locations[0].Path, b.Locations[0].Path)
		})
		one := rule.Finding(worldWritable(), rule.Hit{Detail: fmt.Sprintf("%d in %s", len(all), cmp.Or(key.dir, "."))},
			key.dir)
		one.Subject, one.Origin = all[0].Subject, all[0].Origin
		for _, f := range all[:min(len(all), maxPlaces)] {
			one.Locations = append(one.Locations, f.Locations...)
		}
		kept = append(kept, one)
	}
	return kept
}
