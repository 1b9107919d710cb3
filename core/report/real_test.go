package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// hostileNames are those of files that a platform could take for its own language.
var hostileNames = []string{"::error title=x::y.env", "a\r\n::set-output name=result::passed.env", "\x1b[0Ksection_start:1:x\r.env",
	"<img src=x onerror=alert(1)>.env", "[click](https:evil.example).env", "~approve @everyone `x`.env", "\u202egpj.env", strings.Repeat("l", 250) + ".env"}

// realTargets are what is judged: images with flaws and odd ones, and sources whose files have hostile names and secrets.
func realTargets(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"examples/image": "oci:" + filepath.Join("..", "..", "examples", "image")}
	sources := t.TempDir()
	for _, name := range hostileNames {
		write(t, filepath.Join(sources, name), "AWS_SECRET="+"AKIA"+"Q6FZXJ2YTRNDPWKG\n")
	}
	write(t, filepath.Join(sources, "Dockerfile"), "FROM alpine\nUSER root\nADD https://example.com/x /x\n")
	write(t, filepath.Join(sources, "package-lock.json"), `{"name":"x","lockfileVersion":3,"packages":{"node_modules/lodash":{"version":"4.17.0"}}}`)
	all["sources"] = "dir:" + sources
	for _, h := range images.HostileImages() {
		if strings.Contains(h.Name, "bomb") || h.Name == "million-entries" {
			continue // they take long, and come to nothing more here
		}
		dir := filepath.Join(t.TempDir(), h.Name)
		if err := h.Write(dir); err != nil {
			t.Fatal(err)
		}
		all[h.Name] = "oci:" + dir
	}
	const alpine = "../../../shared/rootfs/alpine-minirootfs-3.10.3-x86_64.tar.gz"
	if _, err := os.Stat(alpine); err != nil {
		t.Log("without the shared data there is no root filesystem of a distribution")
		return all
	}
	all["alpine"] = "oci:" + filepath.Join(t.TempDir(), "alpine")
	image, err := images.Build(images.Spec{Platform: images.Platform("amd64"), Layers: []images.Layer{{CreatedBy: "ADD alpine /", Tar: gunzipped(alpine)}}})
	if err == nil {
		err = images.WriteLayout(strings.TrimPrefix(all["alpine"], "oci:"), image)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func gunzipped(file string) func(io.Writer) error {
	return func(w io.Writer) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, z)
		return err
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What real targets come to is written in every format, valid by the format's own schema where it is at hand, and nothing in it
// acts on a terminal.
func TestEveryFormatOfRealEvidenceIsValid(t *testing.T) {
	g := gate.Gate{Version: "test", Now: time.Now, Getenv: func(string) string { return "" }}
	checks := map[string]func(t *testing.T, raw []byte){
		"json": validBy(t, report.JSONSchema()), "sarif": validByFile(t, "sarif-2.1.0.json"), "codequality": isJSON, "cyclonedx": isJSON,
		"spdx": isJSON, "junit": isXML,
	}
	for _, kind := range []string{"container-scanning", "dependency-scanning", "sast", "secret-detection"} {
		checks["gitlab-"+kind] = validByFile(t, "gitlab-15.0.0", kind+"-report-format.json")
	}
	for name, target := range realTargets(t) {
		t.Run(name, func(t *testing.T) {
			r, err := g.Run(t.Context(), gate.Plan{Targets: []string{target}, Policy: "strict", Advisories: gate.StarterAdvisories})
			if err != nil {
				t.Skipf("it comes to no evidence: %v", err) // which other tests want of some
			}
			if (name == "sources" || name == "examples/image" || name == "alpine") && len(r.Evidence.Findings) < 5 {
				t.Errorf("there are only %d findings", len(r.Evidence.Findings))
			}
			for _, f := range report.Formats() {
				var b bytes.Buffer
				if err := f.Write(&b, g.Document(r)); err != nil {
					t.Errorf("%s: %v", f.Name, err)
					continue
				}
				if i := bytes.IndexFunc(b.Bytes(), acts); i >= 0 && (f.Name != "json" || b.Bytes()[i] < 0x80) { // it has names as they are
					t.Errorf("%s has %q", f.Name, b.Bytes()[max(i-20, 0):min(i+20, b.Len())])
				}
				if check := checks[f.Name]; check != nil {
					check(t, b.Bytes())
				}
			}
		})
	}
}

// acts reports whether a terminal or a reader of lines may act on a character.
func acts(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func isJSON(t *testing.T, raw []byte) {
	t.Helper()
	if !json.Valid(raw) {
		t.Errorf("it is no JSON: %.200s", raw)
	}
}

func isXML(t *testing.T, raw []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("it is no XML: %v", err)
			return
		}
	}
}

func validByFile(t *testing.T, parts ...string) func(t *testing.T, raw []byte) {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "..", "shared", "schemas"}, parts...)...))
	if err != nil {
		t.Logf("without the shared data, %s is not held to its schema", parts[len(parts)-1])
		return isJSON
	}
	return validBy(t, schema)
}

func validBy(t *testing.T, schema []byte) func(t *testing.T, raw []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", value); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, raw []byte) {
		t.Helper()
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = s.Validate(value)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
