package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

// maxReference is the longest reference that is looked at, in bytes: longer than any path.
const maxReference = 8192

// scheme is what a prefix says about the rest of a reference.
type scheme string

const (
	schemeNone          scheme = ""
	schemeRegistry      scheme = "registry"
	schemeLayout        scheme = "oci"
	schemeLayoutArchive scheme = "oci-archive"
	schemeDockerArchive scheme = "docker-archive"
	schemeDocker        scheme = "docker"
	schemePodman        scheme = "podman"
	schemeDir           scheme = "dir"
	schemeSBOM          scheme = "sbom"
)

// splitScheme takes the prefix off a reference.
func splitScheme(ref string) (scheme, string) {
	if rest, ok := strings.CutPrefix(ref, "docker://"); ok { // as skopeo and Kubernetes write it
		return schemeRegistry, rest
	}
	head, rest, ok := strings.Cut(ref, ":")
	known := []scheme{
		schemeRegistry, schemeLayout, schemeLayoutArchive, schemeDockerArchive, schemeDocker, schemePodman, schemeDir, schemeSBOM,
	}
	if !ok || !slices.Contains(known, scheme(head)) {
		return schemeNone, ref
	}
	return scheme(head), rest
}

// checkReference refuses what cannot be the name of anything, before it is shown or logged.
func checkReference(ref string) error {
	switch {
	case strings.TrimSpace(ref) == "":
		return advice.Misuse("name an image, an archive, a directory or an SBOM file", "the target is empty")
	case len(ref) > maxReference:
		return advice.Misuse("", "the target is longer than %d bytes", maxReference)
	case strings.ContainsFunc(ref, unicode.IsControl):
		return advice.Misuse("", "the target has control characters in it")
	}
	if _, found := withoutUserinfo(ref); found {
		return advice.Misuse("use docker login, or DOCKER_CONFIG, to give credentials", "the reference has credentials in it, which would end up in logs and reports")
	}
	return nil
}

// withoutUserinfo cuts user:password@ out of a reference. An @ with a digest behind it is none, nor is one in a path.
func withoutUserinfo(ref string) (string, bool) {
	start := 0
	if i := strings.Index(ref, "://"); i >= 0 {
		start = i + len("://")
	} else if s, rest := splitScheme(ref); s == schemeRegistry || s == schemeDocker || s == schemePodman {
		start = len(ref) - len(rest)
	} else if s != schemeNone {
		return ref, false
	}
	authority, rest, _ := strings.Cut(ref[start:], "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 || isDigestLike(authority[at+1:]) {
		return ref, false
	}
	if start == 0 && exists(ref) {
		return ref, false
	}
	clean := ref[:start] + authority[at+1:]
	if rest != "" {
		clean += "/" + rest
	}
	return clean, true
}

func isDigestLike(s string) bool {
	return strings.HasPrefix(s, "sha256:") || strings.HasPrefix(s, "sha512:")
}

// shown is the reference as errors show it.
func shown(ref string) string {
	clean, _ := withoutUserinfo(ref)
	if strings.TrimSpace(clean) == "" {
		return "the target"
	}
	return redact.Limited(clean, 300)
}

func open(ctx context.Context, ref string, o Options) (*Target, error) {
	if err := checkReference(ref); err != nil {
		return nil, err
	}
	s, rest := splitScheme(ref)
	switch {
	case s == schemeNone:
		return openUnprefixed(ctx, ref, o)
	case strings.TrimSpace(rest) == "":
		return nil, advice.Misuse("", "nothing follows %q", string(s)+":")
	}
	switch s {
	case schemeRegistry:
		return openRegistryScheme(ctx, rest, o)
	case schemeDocker, schemePodman:
		return openDaemon(ctx, ref, s, rest, o)
	case schemeDir:
		return openSource(ref, rest)
	case schemeSBOM:
		return openSBOM(ref, rest, o.Limits)
	default:
		return openStored(ctx, ref, s, rest, o)
	}
}

func openRegistryScheme(ctx context.Context, rest string, o Options) (*Target, error) {
	parsed, err := registry.ParseReference(rest)
	if err != nil {
		return nil, advice.Misuse("", "it is not a reference to an image: %w", err)
	}
	t, err := openRegistry(ctx, parsed, o)
	if err != nil && !strings.ContainsAny(rest, "/:@") {
		err = alsoTry(err, "for the image that is itself named registry, write registry:registry:"+rest)
	}
	return t, err
}

// openStored opens a layout or an archive, with the image that is meant behind its path.
func openStored(ctx context.Context, ref string, s scheme, rest string, o Options) (*Target, error) {
	path, c, err := splitPath(rest)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, advice.Misuse("", "%s: %w", path, localfile.Pathless(err))
	}
	switch {
	case !info.IsDir():
		return openArchiveFile(ctx, ref, c, path, o)
	case s == schemeLayout:
		return openLayout(ctx, ref, c, path, o)
	default:
		return nil, advice.Misuse("", "%s is a directory, not an archive", path)
	}
}

// splitPath separates PATH[:TAG][@DIGEST], in which both the path and the tag may have colons: the longest path that
// exists wins.
func splitPath(s string) (string, choice, error) {
	if exists(s) {
		return s, choice{}, nil
	}
	path, c := s, choice{}
	if at := strings.LastIndexByte(s, '@'); at > 0 {
		if d, err := core.ParseDigest(s[at+1:]); err == nil {
			path, c.digest = s[:at], d
		}
	}
	if exists(path) {
		return path, c, nil
	}
	for i := strings.LastIndexByte(path, ':'); i > 0; i = strings.LastIndexByte(path[:i], ':') {
		if exists(path[:i]) {
			if c.tag = path[i+1:]; c.tag == "" {
				return "", c, advice.Misuse("", "no tag follows the colon after %s", path[:i])
			}
			return path[:i], c, nil
		}
	}
	_, err := os.Stat(path)
	if err == nil {
		err = fs.ErrNotExist
	}
	return "", c, advice.Misuse("check the path", "%s: %w", path, localfile.Pathless(err))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// openUnprefixed finds out what kind of thing the reference names.
func openUnprefixed(ctx context.Context, ref string, o Options) (*Target, error) {
	info, statErr := os.Stat(ref)
	parsed, parseErr := registry.ParseReference(ref)
	switch {
	case statErr == nil && parseErr == nil && !looksLikePath(ref):
		o.Log.Debug("there is a file or directory of that name, so it is not looked for in a registry", "target", ref)
		fallthrough
	case statErr == nil:
		return openPath(ctx, ref, info, o)
	case !errors.Is(statErr, fs.ErrNotExist) && looksLikePath(ref):
		return nil, advice.Misuse("", "it cannot be read: %w", localfile.Pathless(statErr))
	case strings.Contains(ref, "://"):
		_, rest, _ := strings.Cut(ref, "://")
		return nil, advice.Misuse("name an image without a scheme: "+redact.Limited(rest, 200), "it is an address of the web, not a reference to an image")
	case looksLikePath(ref):
		return nil, advice.Misuse("check the path, or write registry:NAME if it is an image's name",
			"tried as a file or directory: %w; not tried as an image in a registry: it looks like a path", localfile.Pathless(statErr))
	case parseErr != nil:
		return nil, advice.Misuse("", "tried as a file or directory: %w; tried as an image in a registry: %w", localfile.Pathless(statErr), parseErr)
	}
	t, err := openRegistry(ctx, parsed, o)
	if err != nil {
		err = alsoTry(fmt.Errorf("tried as a file or directory: %w; tried as an image in a registry: %w", localfile.Pathless(statErr), err),
			"for an image of the daemon on this machine, write docker:"+ref+" or podman:"+ref)
	}
	return t, err
}

// alsoTry adds to the hint of an error.
func alsoTry(err error, more string) error {
	hint := more
	if first := advice.HintOf(err); first != "" {
		hint = first + "; " + more
	}
	var a *advice.Error
	return &advice.Error{Err: err, Hint: hint, Usage: errors.As(err, &a) && a.Usage}
}

// looksLikePath reports whether nobody would write an image's name so.
func looksLikePath(ref string) bool {
	if strings.HasPrefix(ref, "/") || strings.HasPrefix(ref, ".") || strings.HasPrefix(ref, "~") ||
		strings.HasSuffix(ref, "/") || strings.Contains(ref, `\`) {
		return true
	}
	for _, suffix := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".json", ".xml", ".spdx", ".zip", ".yaml", ".yml"} {
		if strings.HasSuffix(strings.ToLower(ref), suffix) {
			return true
		}
	}
	return false
}

// openPath opens a file or directory that exists.
func openPath(ctx context.Context, path string, info fs.FileInfo, o Options) (*Target, error) {
	if info.IsDir() {
		if isLayout(path) {
			return openLayout(ctx, path, choice{}, path, o)
		}
		return openSource(path, path)
	}
	head, err := readHead(path)
	if err != nil {
		return nil, advice.Misuse("", "it cannot be read: %w", err)
	}
	switch {
	case sniffCompression(head) != plain || isTar(head):
		return openArchiveFile(ctx, path, choice{}, path, o)
	case isJSONObject(head):
		return openSBOM(path, path, o.Limits)
	}
	const known = "it is neither an image archive (tar, also with gzip or zstd) nor an SBOM (CycloneDX or SPDX JSON)"
	switch name, hint := foreignFormat(head); {
	case len(head) == 0:
		return nil, advice.Misuse("", "the file is empty")
	case name != "":
		return nil, advice.Misuse(hint, "%s, but %s", known, name)
	}
	return nil, advice.Misuse("", "%s", known)
}
