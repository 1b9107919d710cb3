package inventory

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// distroQualifier is the distro qualifier of package URLs: the release alone for apk, otherwise with the name, as
// "debian-12".
func distroQualifier(purlType string, d core.Distro) string {
	version := d.VersionID
	if version == "" {
		version = d.Codename
	}
	switch {
	case version == "" || purlType == "apk":
		return version
	}
	return strings.ToLower(d.ID) + "-" + version
}
