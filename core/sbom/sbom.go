// Package sbom writes the packages of evidence as a software bill of materials, and reads one that somebody wrote:
// CycloneDX 1.6 and SPDX 2.3 out, CycloneDX 1.2 to 1.7 and SPDX 2.2 and 2.3 in, as JSON.
//
// What it writes is deterministic: the same evidence gives the same bytes but for the timestamp, which the caller
// gives, and serial numbers and namespaces are derived from the content. The documents are built from the types of
// cyclonedx-go and tools-golang and encoded by them. What those libraries get wrong is corrected here: cyclonedx-go's
// encoder converts to 1.6 by copying the document through gob, so the version is set by hand and members of 1.7 are
// not used; it writes whatever licence id it is given, and both libraries whatever bytes, so licences are checked
// against the SPDX list and text is made safe first; and tools-golang documents OPERATING-SYSTEM as a purpose, where
// the JSON schema has OPERATING_SYSTEM.
//
// Reading does not use them, because their decoders hold several copies, give no place for an error, and trust their
// input: tools-golang dereferences a null among the packages and removes null relationships in quadratic time,
// cyclonedx-go refuses a whole document for a wrong type in a part that nobody asked for, and both take the last of two
// members with one name.
//
// Nothing in this room looks at images, matches advisories or decides: findings are no part of what it writes.
//
// https://cyclonedx.org/docs/1.6/json/ and https://spdx.github.io/spdx-spec/v2.3/
package sbom

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Format is a format that Write can write.
type Format string

// The formats.
const (
	CycloneDX Format = "cyclonedx" // CycloneDX 1.6 as JSON
	SPDX      Format = "spdx"      // SPDX 2.3 as JSON
)

// The media types of the formats, as the specifications register them.
const (
	MediaTypeCycloneDX = "application/vnd.cyclonedx+json"
	MediaTypeSPDX      = "application/spdx+json"
)

// ParseFormat reads the name of a format in any case.
func ParseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case string(CycloneDX):
		return CycloneDX, nil
	case string(SPDX):
		return SPDX, nil
	}
	return "", fmt.Errorf("%q is not an SBOM format: want %s or %s", name, CycloneDX, SPDX)
}

// Options are what a document says about its making.
type Options struct {
	// Timestamp is when the document was made. Zero leaves it out of CycloneDX; SPDX requires one and gets the Unix
	// epoch. It is the only thing that may differ between two documents of the same evidence.
	Timestamp time.Time
	// Tool is the program's name, "cleanbill" if empty, and Version its version.
	Tool    string
	Version string
	// Compact leaves white space out of CycloneDX.
	Compact bool
	// Part says that the packages are some of many, so that no list of CycloneDX is said to be whole.
	Part bool
}

// Write writes one document about all subjects of e. An image index contains its platforms, and each of them its
// packages; only what is visible in the final file system goes in, and how many were left out is said in a property.
func Write(w io.Writer, format Format, e core.Evidence, o Options) error {
	if o.Tool == "" {
		o.Tool = "cleanbill"
	}
	roots := arrange(e)
	if len(roots) == 0 {
		return fmt.Errorf("write an SBOM: the evidence has no subject")
	}
	var err error
	switch format {
	case CycloneDX:
		err = writeCycloneDX(w, roots, o)
	case SPDX:
		err = writeSPDX(w, roots, o)
	default:
		_, err = ParseFormat(string(format))
	}
	if err != nil {
		return fmt.Errorf("write an SBOM: %w", err)
	}
	return nil
}

// WriteSubject writes one document about the subject with the given digest alone, such as one platform of an index.
func WriteSubject(w io.Writer, format Format, e core.Evidence, subject core.Digest, o Options) error {
	only := core.Evidence{Packages: e.Packages, Images: e.Images, Examinations: e.Examinations}
	for _, s := range e.Subjects {
		if s.Digest == subject {
			s.Parent = ""
			only.Subjects = []core.Subject{s}
		}
	}
	return Write(w, format, only, o)
}
