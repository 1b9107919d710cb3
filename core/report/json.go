package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cleanbill-ci/cleanbill/core"
)

// WriteJSON writes d, the machine-readable report. The same document gives the same bytes: the evidence is brought into
// its one order first. Each element of a list stands on a line of its own, so that documents can be compared and
// searched with line tools; nothing is escaped for HTML. It holds one element at a time, not a copy of the document.
func WriteJSON(w io.Writer, d Document) error {
	j := jsonWriter{w: bufio.NewWriterSize(w, 64<<10)}
	j.encoder = json.NewEncoder(&j.buffer)
	j.encoder.SetEscapeHTML(false)
	j.document(d)
	if j.err == nil {
		j.err = j.w.Flush()
	}
	if j.err != nil {
		return fmt.Errorf("write the JSON report: %w", j.err)
	}
	return nil
}

// WriteVerdict writes a verdict alone, as WriteJSON writes it within a document: verdicts that are the same are the same
// bytes.
func WriteVerdict(w io.Writer, v core.Verdict) error {
	j := jsonWriter{w: bufio.NewWriterSize(w, 64<<10)}
	j.encoder = json.NewEncoder(&j.buffer)
	j.encoder.SetEscapeHTML(false)
	j.text("{\n")
	j.verdict(complete(v))
	j.text("}\n")
	if j.err == nil {
		j.err = j.w.Flush()
	}
	if j.err != nil {
		return fmt.Errorf("write the verdict: %w", j.err)
	}
	return nil
}

// jsonWriter writes values one after the other and keeps the first error.
type jsonWriter struct {
	w       *bufio.Writer
	buffer  bytes.Buffer
	encoder *json.Encoder
	err     error
}

func (j *jsonWriter) document(d Document) {
	j.text("{\n")
	j.member("$schema", d.Schema, ",\n")
	j.member("version", d.Version, ",\n")
	j.member("tool", d.Tool, ",\n")
	j.text("\"evidence\":{\n")
	j.evidence(ordered(d.Evidence))
	j.text("}")
	if d.Verdict != nil {
		j.text(",\n\"verdict\":{\n")
		j.verdict(complete(*d.Verdict))
		j.text("}")
	}
	j.text("\n}\n")
}

func (j *jsonWriter) evidence(e core.Evidence) {
	list(j, "subjects", e.Subjects, ",\n")
	if len(e.Images) > 0 {
		list(j, "images", e.Images, ",\n")
	}
	list(j, "packages", e.Packages, ",\n")
	list(j, "findings", e.Findings, ",\n")
	list(j, "examinations", e.Examinations, ",\n")
	if len(e.Reach) > 0 {
		list(j, "reach", e.Reach, ",\n")
	}
	if e.Change != nil {
		j.member("change", e.Change, ",\n")
	}
	if e.Publication != nil {
		j.member("publication", e.Publication, ",\n")
	}
	j.member("advisories", e.Advisories, "\n")
}

func (j *jsonWriter) verdict(v core.Verdict) {
	j.member("decision", v.Decision, ",\n")
	j.member("time", v.Time, ",\n")
	j.member("policy", v.Policy, ",\n")
	list(j, "refusals", v.Refusals, ",\n")
	list(j, "warnings", v.Warnings, ",\n")
	list(j, "ignored", v.Ignored, ",\n")
	list(j, "gaps", v.Gaps, ",\n")
	if len(v.Accepted) > 0 {
		list(j, "accepted", v.Accepted, ",\n")
	}
	if len(v.Waivers) > 0 {
		list(j, "waivers", v.Waivers, ",\n")
	}
	if v.Baseline != nil {
		j.member("baseline", v.Baseline, ",\n")
	}
	j.member("counts", v.Counts, ",\n")
	if v.AfterUpgrades != nil {
		j.member("afterUpgrades", v.AfterUpgrades, ",\n")
	}
	list(j, "upgrades", v.Upgrades, "\n")
}

// list writes a member whose elements stand on lines of their own.
func list[T any](j *jsonWriter, name string, elements []T, end string) {
	j.text(`"` + name + `":[`)
	for i := range elements {
		if i == 0 {
			j.text("\n")
		}
		j.value(&elements[i])
		if i < len(elements)-1 {
			j.text(",")
		}
		j.text("\n")
	}
	j.text("]" + end)
}

func (j *jsonWriter) member(name string, value any, end string) {
	j.text(`"` + name + `":`)
	j.value(value)
	j.text(end)
}

func (j *jsonWriter) value(v any) {
	if j.err != nil {
		return
	}
	j.buffer.Reset()
	if j.err = j.encoder.Encode(v); j.err == nil {
		_, j.err = j.w.Write(bytes.TrimSuffix(j.buffer.Bytes(), []byte{'\n'}))
	}
}

func (j *jsonWriter) text(s string) {
	if j.err == nil {
		_, j.err = j.w.WriteString(s)
	}
}
