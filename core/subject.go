package core

import (
	"fmt"
	"strings"
)

// Digest names content by its hash, in the form of the OCI image specification ("sha256:" and 64 lower-case hex
// digits). It is the identity of everything that Cleanbill judges, pushes or signs.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
type Digest string

// ParseDigest returns s as a Digest, or an error that says what is wrong with it. Only sha256 and sha512 are accepted:
// a digest of an algorithm that we cannot compute identifies nothing.
func ParseDigest(s string) (Digest, error) {
	algorithm, hex, _ := strings.Cut(s, ":")
	if !(algorithm == "sha256" && len(hex) == 64 || algorithm == "sha512" && len(hex) == 128) ||
		strings.Trim(hex, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%.140q is not a digest: want sha256: and 64 lower-case hex digits", s)
	}
	return Digest(s), nil
}

// Short returns the algorithm and the first twelve digits, for people. It identifies nothing.
func (d Digest) Short() string {
	algorithm, hex, ok := strings.Cut(string(d), ":")
	if !ok || len(hex) <= 12 {
		return string(d)
	}
	return algorithm + ":" + hex[:12]
}

// SubjectKind says what sort of thing a Subject is.
type SubjectKind string

// The kinds of Subject.
const (
	KindIndex  SubjectKind = "image-index" // an image index; its platforms are Subjects of their own
	KindImage  SubjectKind = "image"       // one platform's image manifest
	KindSource SubjectKind = "source"      // a directory of sources
	KindSBOM   SubjectKind = "sbom"        // a software bill of materials that somebody else wrote
)

// Subject is one thing that is judged. Evidence names its subject by Digest, which is unique within one Evidence.
type Subject struct {
	// Name is what the user called it, without credentials. It is for people and for reports; it identifies nothing.
	Name string      `json:"name"`
	Kind SubjectKind `json:"kind"`
	// Digest is the manifest's digest for an index or image, the tree digest for sources, the file's for an SBOM.
	Digest    Digest `json:"digest"`
	MediaType string `json:"mediaType,omitempty"`
	// Platform is set for an image.
	Platform *Platform `json:"platform,omitempty"`
	// Parent is the digest of the index that names this image, if it was reached through one.
	Parent Digest `json:"parent,omitempty"`
}

// Platform is the machine that an image is made for.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md (platform)
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	OSVersion    string `json:"osVersion,omitempty"`
}

// String gives the form that command lines use: os/architecture or os/architecture/variant.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// ParsePlatform reads os/architecture or os/architecture/variant.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" || parts[len(parts)-1] == "" {
		return Platform{}, fmt.Errorf("%q is not a platform: want OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64", s)
	}
	p := Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}
