package sbom

import (
	"cmp"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
	"github.com/cleanbill-ci/cleanbill/core/internal/purl"
)

// identity is what a package URL says of a package, in our vocabulary.
type identity struct {
	name, version, ecosystem, architecture string
	source                                 *core.SourcePackage
	module                                 string
	// distribution is true for the packages of a distribution, whose ecosystem depends on its release; release is
	// false if the package URL does not name it.
	distribution, release bool
}

// identify reads a package URL. The system, which may be nil, stands in for a distro qualifier that is missing.
func identify(u packageurl.PackageURL, system *core.Distro) identity {
	if u.Type == "alpine" { // as Syft wrote it until 2022
		u.Type, u.Namespace = packageurl.TypeApk, "alpine"
	}
	qualifiers := u.Qualifiers.Map()
	id := identity{name: purl.Name(u), version: u.Version, architecture: qualifiers["arch"]}
	switch u.Type {
	case packageurl.TypeDebian, packageurl.TypeApk, packageurl.TypeRPM:
		id.distribution = true
		d, ok := distroOf(u, distroQualifier(qualifiers), system)
		id.ecosystem = distroEcosystem(d)
		id.release = ok && packedAs(id.ecosystem, u.Type) && !contradicts(distro.ID(u.Namespace), d.ID)
		if !id.release {
			id.ecosystem = ""
		}
		id.source = sourceOf(u.Type, qualifiers)
		if epoch := qualifiers["epoch"]; epoch != "" && epoch != "0" && !strings.Contains(u.Version, ":") {
			id.version = epoch + ":" + u.Version
		}
		if u.Type == packageurl.TypeRPM {
			id.module = cmp.Or(moduleOf(qualifiers["rpmmod"]), moduleOf(qualifiers["modularitylabel"]))
		}
	case packageurl.TypeGolang:
		id.ecosystem = "Go"
		id.version = purl.GoVersion(u.Version)
	default:
		id.ecosystem = purl.Ecosystem(u.Type)
	}
	return id
}

// allowed is the ecosystem that a property states if the package URL leaves room for it, and otherwise that of the package
// URL: a property that moved a package elsewhere would hide its flaws from us and from nobody else.
func (id identity) allowed(purlType, stated string) string {
	switch {
	case stated == id.ecosystem,
		id.distribution && packedAs(stated, purlType) && (id.ecosystem == "" || family(stated) == family(id.ecosystem)),
		!id.distribution && id.ecosystem == "":
		return stated
	}
	return id.ecosystem
}

// isPackage reports whether a package URL is of a kind that advisories are published for.
func isPackage(u packageurl.PackageURL) bool {
	id := identify(u, nil)
	return id.distribution || id.ecosystem != ""
}

// sourceOf reads the source package from the qualifiers that scanners use: "upstream" (Syft), "source" and
// "sourceversion" (osv-scalibr), "sourcerpm" (ours and osv-scalibr's).
func sourceOf(purlType string, qualifiers map[string]string) *core.SourcePackage {
	if file := qualifiers["sourcerpm"]; file != "" && purlType == packageurl.TypeRPM {
		return sourceOfRPM(file)
	}
	if upstream := qualifiers["upstream"]; upstream != "" {
		if purlType == packageurl.TypeRPM {
			return sourceOfRPM(upstream)
		}
		name, version, _ := strings.Cut(upstream, "@")
		return source(name, version)
	}
	return source(qualifiers["source"], qualifiers["sourceversion"])
}

// moduleOf is the module with its stream of a label, which may go on with the module's build: "nodejs:12". The label is
// in the qualifier "rpmmod" (ours, Red Hat's and Syft's) or "modularitylabel" (Trivy's).
func moduleOf(label string) string {
	parts := strings.SplitN(label, ":", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return ""
	}
	return parts[0] + ":" + parts[1]
}

func source(name, version string) *core.SourcePackage {
	if name == "" {
		return nil
	}
	return &core.SourcePackage{Name: name, Version: version}
}

// sourceOfRPM reads name-version-release.src.rpm.
func sourceOfRPM(file string) *core.SourcePackage {
	base, ok := strings.CutSuffix(file, ".rpm")
	if !ok {
		return nil
	}
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".src"), ".nosrc")
	release := strings.LastIndexByte(base, '-')
	if release <= 0 {
		return nil
	}
	version := strings.LastIndexByte(base[:release], '-')
	if version <= 0 {
		return nil
	}
	return source(base[:version], base[version+1:])
}

// isImage reports whether a package URL names a container image rather than a package.
func isImage(u packageurl.PackageURL) bool {
	return u.Type == packageurl.TypeOCI || u.Type == packageurl.TypeDocker
}

// imagePurl is the package URL of an image. Only a repository that names its registry goes into it.
//
// https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md
func imagePurl(s core.Subject) string {
	repository, tag := repositoryOf(s.Name)
	name := strings.ToLower(repository[strings.LastIndexByte(repository, '/')+1:])
	if name == "" {
		name = "image"
	}
	qualifiers := map[string]string{}
	if s.Platform != nil && s.Platform.Architecture != "" {
		qualifiers["arch"] = s.Platform.Architecture
	}
	if host, _, ok := strings.Cut(repository, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		qualifiers["repository_url"] = strings.ToLower(repository)
	}
	if tag != "" {
		qualifiers["tag"] = tag
	}
	u := packageurl.NewPackageURL(packageurl.TypeOCI, "", name, string(s.Digest),
		packageurl.QualifiersFromMap(qualifiers), "")
	if u.Normalize() != nil || len(u.ToString()) > maxText {
		u.Qualifiers = nil
		u.Name = "image"
	}
	return u.ToString()
}

// repositoryOf splits what the user called an image into repository and tag. A path or an archive is no repository: its
// last element is all that is taken of it.
func repositoryOf(name string) (repository, tag string) {
	name, _, _ = strings.Cut(name, "@")
	last := name[strings.LastIndexByte(name, '/')+1:]
	if before, after, ok := strings.Cut(last, ":"); ok {
		last, tag = before, after
	}
	local := strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".") || strings.HasSuffix(last, ".tar") ||
		strings.HasSuffix(last, ".gz") || strings.HasSuffix(last, ".tgz") || isLocalScheme(name)
	if local {
		return last, ""
	}
	return strings.TrimSuffix(name, ":"+tag), tag
}

func isLocalScheme(name string) bool {
	for _, scheme := range []string{"oci:", "docker:", "podman:", "archive:", "daemon:"} {
		if strings.HasPrefix(name, scheme) {
			return true
		}
	}
	return false
}
