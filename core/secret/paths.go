package secret

import (
	"path"
	"slices"
	"strings"
)

// filledDirs are directories that package managers and distributions fill with what everybody has. Files in them are
// looked at only if their names say that they keep secrets: a node_modules of 40,000 files costs little then, and so do
// a distribution's own texts. They are matched as whole elements anywhere in a path.
var filledDirs = []string{
	"node_modules/", "bower_components/", "site-packages/", "dist-packages/", "__pycache__/", ".bundle/",
	"pkg/mod/", ".cargo/registry/", ".m2/repository/", ".gradle/caches/", ".yarn/cache/", ".nuget/packages/",
}

// systemDirs are directories of a distribution, at the root of an image.
var systemDirs = []string{
	"usr/share/", "usr/include/", "usr/lib/", "usr/lib64/", "usr/libexec/", "usr/src/", "usr/local/go/", "usr/local/lib/node_modules/",
	"lib/", "lib64/", "var/lib/dpkg/", "var/lib/apt/", "var/lib/rpm/", "var/cache/", "proc/", "sys/", "boot/",
}

// system reports whether a path of an image is in a directory that its distribution fills.
func system(p string) bool {
	return slices.ContainsFunc(systemDirs, func(dir string) bool { return strings.HasPrefix(p, dir) })
}

// filled reports whether a path is in a directory that is filled by others, or locks what they are filled with.
func filled(p string) bool {
	for _, dir := range filledDirs {
		if i := strings.Index(p, dir); i == 0 || i > 0 && p[i-1] == '/' {
			return true
		}
	}
	return slices.Contains(lockfiles, path.Base(p))
}

// lockfiles hold hashes of packages, long and many.
var lockfiles = []string{
	"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "deno.lock", "Pipfile.lock",
	"poetry.lock", "uv.lock", "pdm.lock", "go.sum", "go.work.sum", "Cargo.lock", "composer.lock", "Gemfile.lock",
	"gradle.lockfile", "verification-metadata.xml", "packages.lock.json", "mix.lock", "pubspec.lock", "Podfile.lock",
}

// The names of files that people keep secrets in. A certificate is often one file with its key, so that .crt is here too;
// and a link in etc/ssl/certs that ends in .pem then leads to a file that was looked at under its own name, without which
// the layers of every image with a distribution's certificates would be read a second time.
var (
	secretNames = []string{
		".npmrc", ".pypirc", ".netrc", "_netrc", ".git-credentials", ".dockercfg", ".dockerconfigjson", ".htpasswd", ".pgpass",
		".my.cnf", ".env", ".envrc", "credentials", "credentials.json", "credentials.xml", "secrets.yml", "secrets.yaml",
		"secrets.json", "wp-config.php", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "terraform.tfvars", "kubeconfig",
		"application.properties", "application.yml", "application.yaml", "appsettings.json", "settings.xml",
	}
	secretEndings = []string{".pem", ".key", ".p12", ".pfx", ".ppk", ".crt", ".jks", ".keystore", ".kdbx", ".tfstate", ".tfvars", ".ovpn",
		".asc", ".env"}
)

// keepsSecrets reports whether a file is of a kind that keeps secrets.
func keepsSecrets(p string) bool {
	base := strings.ToLower(path.Base(p))
	return slices.Contains(secretNames, base) || slices.Contains(secretEndings, path.Ext(base)) ||
		strings.HasPrefix(base, ".env.") || base == "config.json" && strings.HasSuffix(path.Dir(p), ".docker") ||
		base == "config" && strings.HasSuffix(path.Dir(p), ".kube")
}
