package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// The media types of SBOM files.
//
// https://www.iana.org/assignments/media-types/media-types.xhtml
const (
	MediaTypeCycloneDX = "application/vnd.cyclonedx+json"
	MediaTypeSPDX      = "application/spdx+json"
)

// openSBOM reads an SBOM file whole and recognises its format. Reading what is in it is not done here.
func openSBOM(ref, path string, limits limit.Limits) (*Target, error) {
	raw, err := localfile.Read(path, limits.MetadataSize)
	if err != nil {
		var exceeded *limit.Exceeded
		if errors.As(err, &exceeded) {
			return nil, err
		}
		return nil, advice.Misuse("", "%s cannot be read: %w", path, err)
	}
	mediaType, err := recogniseSBOM(raw)
	if err != nil {
		return nil, err
	}
	subject := core.Subject{Name: ref, Kind: core.KindSBOM, Digest: verify.DigestOf(raw), MediaType: mediaType}
	return &Target{Subject: subject, SBOM: raw, Examinations: []core.Examination{opened(subject.Digest)}}, nil
}

// recogniseSBOM looks at the top level of a JSON document.
func recogniseSBOM(raw []byte) (string, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	var top struct {
		BOMFormat   string          `json:"bomFormat"`
		SpecVersion string          `json:"specVersion"`
		SPDXVersion string          `json:"spdxVersion"`
		Context     json.RawMessage `json:"@context"`
		PayloadType string          `json:"payloadType"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&top); err != nil {
		if name, hint := foreignFormat(raw); name != "" {
			return "", advice.Misuse(hint, "it is not an SBOM in JSON, but %s", name)
		}
		return "", advice.Misuse("SBOMs are read as CycloneDX or SPDX JSON", "it is not valid JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", advice.Misuse("", "something follows the JSON document")
	}
	switch {
	case top.BOMFormat == "CycloneDX" && top.SPDXVersion != "":
		return "", advice.Misuse("", "it is ambiguous: it says that it is CycloneDX and SPDX")
	case top.BOMFormat == "CycloneDX":
		return MediaTypeCycloneDX, nil
	case strings.HasPrefix(top.SPDXVersion, "SPDX-2."):
		return MediaTypeSPDX, nil
	case top.SPDXVersion != "" || bytes.Contains(top.Context, []byte("spdx.org/rdf/3.")):
		return "", advice.Misuse("convert it to SPDX 2.3 or CycloneDX", "it is an SPDX document of a version that is not read (SPDX 2 is)")
	case top.PayloadType != "":
		return "", advice.Misuse("verify it and extract its predicate first", "it is a signed envelope, not an SBOM")
	}
	return "", advice.Misuse("SBOMs are read as CycloneDX or SPDX JSON",
		"it is a JSON document, but not an SBOM: it has neither bomFormat nor spdxVersion")
}
