package inventory

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// What os-release says decides whose advisories are looked up, and it is one line of text. Debian and Ubuntu leave their
// marks in the versions of their packages, and ship os-release itself in the package base-files; where those plainly
// say another distribution or release, one of the two is not what the image was made from.
//
// Only marks that Debian's and Ubuntu's own packages have are taken for one: derivatives that call themselves by the
// names of these two build a base-files of their own (as 25.2.1-12.4+deb12u10-bookworm), which proves nothing.

// debMarks counts the marks in the versions of one subject's deb packages.
type debMarks struct {
	all, ubuntu int
	baseFiles   string // its version; empty if there is none
}

func (m *debMarks) add(p core.Package) {
	if purlType(p.Purl) != "deb" || !p.Visible() {
		return
	}
	m.all++
	if strings.Contains(p.Version, "ubuntu") {
		m.ubuntu++
	}
	if p.Name == "base-files" {
		m.baseFiles = p.Version
	}
}

var debianBaseFiles = regexp.MustCompile(`^(\d+)(?:\.\d+)*(?:\+deb\d+u\d+)?(?:\+b\d+)?$`)

// contradiction says why the packages are not those of the distribution that os-release names; empty if they may be.
func (m debMarks) contradiction(d core.Distro) string {
	const some = 20 // packages, below which the mark of a whole distribution may be missing by chance
	id, debians := strings.ToLower(d.ID), debianBaseFiles.FindStringSubmatch(m.baseFiles)
	release, _, _ := strings.Cut(d.VersionID, ".")
	switch {
	case id == "debian" && strings.Contains(m.baseFiles, "ubuntu"):
		return fmt.Sprintf("its package base-files %s is Ubuntu's", m.baseFiles)
	case id == "ubuntu" && debians != nil:
		return fmt.Sprintf("its package base-files %s is Debian's", m.baseFiles)
	case id == "debian" && debians != nil && release != "" && release != debians[1]:
		return fmt.Sprintf("its package base-files %s is of Debian %s", m.baseFiles, debians[1])
	case id == "debian" && m.all >= some && 2*m.ubuntu > m.all:
		return fmt.Sprintf("%d of its %d packages have versions of Ubuntu", m.ubuntu, m.all)
	case id == "ubuntu" && m.all >= some && m.ubuntu == 0:
		return fmt.Sprintf("none of its %d packages has a version of Ubuntu", m.all)
	}
	return ""
}
