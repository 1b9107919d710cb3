package policy

import (
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// reference is the name of an image in a registry, in its parts.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
type reference struct {
	registry   string // the host, with its port: "docker.io"
	repository string // the path below it: "library/debian"
	tag        string
	digest     string
}

// name is the reference without tag and digest.
func (r reference) name() string {
	if r.registry == "" {
		return ""
	}
	return r.registry + "/" + r.repository
}

const (
	dockerHub        = "docker.io"
	dockerHubLibrary = "library/"
	maxReference     = 1024 // bytes
)

// parseReference reads what Dockerfiles and annotations call an image: without a host it is of Docker Hub. What is no
// such name has no parts.
//
// https://docs.docker.com/reference/cli/docker/image/tag/#description
func parseReference(s string) reference {
	if len(s) > maxReference || strings.ContainsAny(s, " \t\r\n\\") {
		return reference{}
	}
	var r reference
	s, r.digest, _ = strings.Cut(s, "@")
	if colon := strings.LastIndexByte(s, ':'); colon > strings.LastIndexByte(s, '/') {
		s, r.tag = s[:colon], s[colon+1:]
	}
	host, path, found := strings.Cut(s, "/")
	if !found || !isHost(host) {
		host, path = dockerHub, s
	}
	if host == "index.docker.io" {
		host = dockerHub
	}
	if host == dockerHub && !strings.Contains(path, "/") && path != "" {
		path = dockerHubLibrary + path
	}
	if !isRepository(path) {
		return reference{}
	}
	r.registry, r.repository = strings.ToLower(host), path
	return r
}

// isHost tells a registry from the first part of a repository, as docker does.
func isHost(s string) bool {
	return strings.ContainsAny(s, ".:") && (isWordByte(s[0]) || s[0] == '[') || s == "localhost"
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isRepository(path string) bool {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyz0123456789._-/") != "" {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || !isWordByte(part[0]) {
			return false
		}
	}
	return true
}

// referenceOf returns the parts of a subject's name, if it is an image from a registry. Such a subject is named with its
// host and a tag or digest; archives, layouts and images of a daemon are named as the user wrote them.
func referenceOf(s *core.Subject) reference {
	if s.Kind != core.KindImage && s.Kind != core.KindIndex {
		return reference{}
	}
	host, _, found := strings.Cut(s.Name, "/")
	if scheme, _, prefixed := strings.Cut(host, ":"); !found || !isHost(host) || prefixed && isScheme(scheme) {
		return reference{}
	}
	r := parseReference(s.Name)
	if r.tag == "" && r.digest == "" {
		return reference{}
	}
	return r
}

// isScheme reports whether a word before a colon says where an image is, and is no host with a port.
func isScheme(s string) bool {
	return slices.Contains([]string{"oci", "docker", "docker-archive", "podman", "dir", "sbom", "registry"}, s)
}

// encrypted reports whether a registry is spoken to with TLS: all are, but those on the machine itself.
func encrypted(r reference) bool { return r.registry != "" && !network.IsLoopback(r.registry) }

// fromRegistry reports whether an image is from one of the places: a host, or a pattern for host and repository.
func fromRegistry(r reference, patterns []*glob) (bool, int) {
	if r.registry == "" {
		return false, 1
	}
	if matches, steps := matchAny(patterns, r.registry); matches {
		return true, steps
	}
	return matchAny(patterns, r.name())
}
