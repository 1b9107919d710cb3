// Package purl says what the types and names of package URLs mean in OSV's ecosystems, for all rooms that read them.
// Releases of distributions, which qualifiers tell, are not its business.
//
// https://github.com/package-url/purl-spec
package purl

import (
	"strings"

	"github.com/package-url/packageurl-go"
)

// Name joins namespace and name as the package's own ecosystem does.
func Name(u packageurl.PackageURL) string {
	switch {
	case u.Namespace == "":
		return u.Name
	case u.Type == packageurl.TypeMaven:
		return u.Namespace + ":" + u.Name
	case u.Type == packageurl.TypeDebian, u.Type == packageurl.TypeApk, u.Type == packageurl.TypeRPM,
		u.Type == packageurl.TypeAlpm, u.Type == "opkg", u.Type == "ebuild", u.Type == "cos",
		u.Type == packageurl.TypeConan:
		return u.Name // the namespace is the distribution or vendor
	}
	return u.Namespace + "/" + u.Name
}

// GoVersion leaves out the "v" of modules and the "go" of toolchains, as OSV does.
func GoVersion(v string) string {
	for _, prefix := range []string{"v", "go"} {
		if rest, ok := strings.CutPrefix(v, prefix); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return rest
		}
	}
	return v
}

// Ecosystem is the OSV ecosystem of a package URL type that is not a distribution's; empty if OSV has none.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func Ecosystem(purlType string) string {
	switch purlType {
	case packageurl.TypeNPM:
		return "npm"
	case packageurl.TypePyPi:
		return "PyPI"
	case packageurl.TypeMaven:
		return "Maven"
	case packageurl.TypeCargo:
		return "crates.io"
	case packageurl.TypeGem:
		return "RubyGems"
	case packageurl.TypeNuget:
		return "NuGet"
	case packageurl.TypeComposer:
		return "Packagist"
	case packageurl.TypePub:
		return "Pub"
	case packageurl.TypeHex:
		return "Hex"
	case packageurl.TypeHackage:
		return "Hackage"
	case packageurl.TypeCran:
		return "CRAN"
	case packageurl.TypeConan:
		return "ConanCenter"
	case packageurl.TypeSwift:
		return "SwiftURL"
	case packageurl.TypeJulia:
		return "Julia"
	case packageurl.TypeBitnami:
		return "Bitnami"
	case "opam":
		return "opam"
	}
	return ""
}

// Of returns the package URL of a package of a language's ecosystem; empty where its type is not known or the name is
// not one of it.
func Of(ecosystem, name, version string) string {
	kind := typeOf(ecosystem)
	if kind == "" || name == "" {
		return ""
	}
	namespace := ""
	separator := "/"
	if kind == packageurl.TypeMaven {
		separator = ":"
	}
	if i := strings.LastIndex(name, separator); i > 0 && kind != packageurl.TypeSwift {
		namespace, name = name[:i], name[i+1:]
	}
	u := packageurl.NewPackageURL(kind, namespace, name, version, nil, "")
	if u.Normalize() != nil {
		return ""
	}
	return u.ToString()
}

// typeOf is the type of a language's ecosystem.
func typeOf(ecosystem string) string {
	switch ecosystem {
	case "Go":
		return packageurl.TypeGolang
	case "npm":
		return packageurl.TypeNPM
	case "PyPI":
		return packageurl.TypePyPi
	case "Maven":
		return packageurl.TypeMaven
	case "crates.io":
		return packageurl.TypeCargo
	case "RubyGems":
		return packageurl.TypeGem
	case "NuGet":
		return packageurl.TypeNuget
	case "Packagist":
		return packageurl.TypeComposer
	case "Pub":
		return packageurl.TypePub
	case "Hex":
		return packageurl.TypeHex
	case "ConanCenter":
		return packageurl.TypeConan
	case "SwiftURL":
		return packageurl.TypeSwift
	}
	return ""
}
