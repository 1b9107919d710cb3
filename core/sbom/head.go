package sbom

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// formatError is for a document that is no SBOM, or one that we do not read.
type formatError struct{ what, hint string }

func (e *formatError) Error() string {
	return e.what + ": want CycloneDX 1.2 to 1.7 or SPDX 2.2 or 2.3, as JSON"
}

// IsDocument reports whether data, the beginning of a file, looks like an SBOM that Read accepts. It does not read
// further than needed and promises nothing.
func IsDocument(data []byte) bool {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
	return bytes.HasPrefix(data, []byte("{")) && (bytes.Contains(data, []byte(`"bomFormat"`)) || bytes.Contains(data,
		[]byte(`"spdxVersion"`)))
}

// notJSON recognises the encodings and formats that people try.
func notJSON(data []byte) error {
	start := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(start) == 0:
		return &formatError{what: "the file is empty"}
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return &formatError{what: "it is UTF-16",
			hint: "convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8"}
	case start[0] == '<':
		return &formatError{what: "it is XML",
			hint: "convert it with `cyclonedx convert --output-format json`, or have its generator write JSON"}
	case bytes.HasPrefix(start, []byte("SPDXVersion:")), bytes.HasPrefix(start, []byte("spdxVersion:")):
		return &formatError{what: "it is SPDX as tag-value or YAML", hint: "have its generator write JSON"}
	case start[0] != '{':
		return &formatError{what: "it is no JSON object"}
	}
	return nil
}

// head is what tells one kind of document from another.
type head struct {
	bomFormat, specVersion, spdxVersion string
	members                             []string
}

// head reads the top-level members that say what the document is. It walks the whole document, so that repeated members
// and nesting are found wherever they are.
func (r *reading) head() (head, error) {
	var h head
	doc, err := strictjson.NewReader(r.data, strictjson.MaxDepth)
	if err != nil {
		return h, err
	}
	r.doc = doc
	err = doc.Object(func(name []byte) error {
		switch string(name) {
		case "bomFormat":
			h.bomFormat = text(doc)
		case "specVersion":
			h.specVersion = text(doc)
		case "spdxVersion":
			h.spdxVersion = text(doc)
		case "@context", "@graph", "payloadType", "_type", "predicate", "sbom", "runs", "findings":
			h.members = append(h.members, string(name))
		}
		return caseChanged(doc, string(name))
	})
	return h, err
}

// caseChanged refuses the members that matter in another case: some readers take them for the real ones, so a document
// could list other packages for them than for us.
func caseChanged(doc *strictjson.Reader, name string) error {
	for _, member := range []string{"bomFormat", "specVersion", "spdxVersion", "components", "packages", "metadata"} {
		if name != member && strings.EqualFold(name, member) {
			return doc.Fail(fmt.Sprintf("the member must be written %q", member))
		}
	}
	return nil
}

// check refuses what is not read.
func (h head) check() error {
	has := func(member string) bool { return slices.Contains(h.members, member) }
	switch {
	case h.bomFormat != "" && h.spdxVersion != "":
		return &formatError{what: "it claims to be both CycloneDX and SPDX"}
	case h.bomFormat == "CycloneDX":
		return h.checkCycloneDX()
	case h.bomFormat != "":
		return &formatError{what: fmt.Sprintf("its bomFormat is %q", redact.Limited(h.bomFormat, 64))}
	case h.spdxVersion == "SPDX-2.2" || h.spdxVersion == "SPDX-2.3":
		return nil
	case strings.HasPrefix(h.spdxVersion, "SPDX-3") || has("@graph") || has("@context"):
		return &formatError{what: "it is SPDX 3", hint: "have its generator write SPDX 2.3"}
	case h.spdxVersion != "":
		return &formatError{what: "its spdxVersion is " + redact.Limited(h.spdxVersion, 64)}
	case has("payloadType"):
		return &formatError{what: "it is a signed envelope (DSSE)",
			hint: "take the SBOM out: jq -r .payload FILE | base64 -d | jq .predicate"}
	case has("predicate") || has("_type"):
		return &formatError{what: "it is an in-toto statement", hint: "take the SBOM out: jq .predicate FILE"}
	case has("sbom"):
		return &formatError{what: "it is the answer of an API around an SBOM", hint: "take the SBOM out: jq .sbom FILE"}
	case has("runs"):
		return &formatError{what: "it is a SARIF report"}
	}
	return &formatError{what: "it is no SBOM"}
}

func (h head) checkCycloneDX() error {
	switch h.specVersion {
	case "1.2", "1.3", "1.4", "1.5", "1.6", "1.7":
		return nil
	case "":
		return &formatError{what: "it is CycloneDX of no specVersion"}
	}
	return &formatError{what: "it is CycloneDX of specVersion " + redact.Limited(h.specVersion, 64)}
}
