package hook

import (
	"encoding/xml"
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// sniff tells the format of a report by its form: the names of the outermost members, or those of the first element, or
// the outermost element. A report says nowhere else what it is, and its name may be anything.
func sniff(in input) (string, error) {
	r, err := in.json()
	if err != nil {
		return "", err
	}
	switch r.Kind() {
	case '{':
		return sniffObject(r)
	case '[':
		return sniffArray(r)
	case '<':
		return sniffXML(in)
	case 0:
		if err := r.End(); err != nil {
			return "", err
		}
		return "", errors.New("it is empty: the tool wrote nothing, so nobody can say that it looked")
	}
	return "", unknown("it is of no format that is read")
}

// errFound ends a walk early.
var errFound = errors.New("found")

// sniffObject looks at the members until one tells.
func sniffObject(r *jsonstream.Reader) (string, error) {
	kinds := map[string]byte{}
	found := ""
	err := r.Object(func(name string) error {
		kinds[name] = r.Kind()
		if found = byMember(name, r.Kind()); found != "" {
			return errFound
		}
		return nil
	})
	if found != "" {
		return found, nil
	}
	has := func(name string, kind byte) bool { return kinds[name] == kind }
	switch {
	case has("vulnerabilities", '[') && has("version", '"') && kinds["ok"] == 0:
		found = "gitlab"
	case has("vulnerabilities", '[') && kinds["ok"]|kinds["packageManager"]|kinds["dependencyCount"] != 0:
		found = "snyk"
	case has("matches", '[') && kinds["descriptor"]|kinds["source"] != 0:
		found = "grype"
	case has("issues", '[') && kinds["paging"] == 0 && kinds["total"] == 0:
		found = "sonarqube"
	case has("files", '[') && has("summary", '{') && has("metadata", '{'):
		found = "rubocop"
	case has("Results", '['):
		found = "trivy"
	case has("resources", '[') && has("image", '"'):
		found = "aqua"
	case has("error", '"') && kinds["ok"] != 0:
		found = "snyk"
	}
	switch {
	case found != "":
		return found, nil
	case err != nil:
		return "", unknown("it is of no format that is read, and broken: " + err.Error())
	}
	return "", unknown("it is of no format that is read")
}

// byMember is the format that a member of the outermost object belongs to alone.
func byMember(name string, kind byte) string {
	switch name {
	case "runs", "inlineExternalProperties":
		return "sarif"
	case "SchemaVersion", "ArtifactType", "ArtifactName", "ClusterName":
		return "trivy"
	case "auditReportVersion", "advisories":
		return "npm-audit"
	case "Issues", "Golang errors", "GosecVersion":
		return "gosec"
	case "generated_at":
		return "bandit"
	case "comments":
		return "shellcheck"
	case "image_assurance_results", "vulnerability_summary", "scan_options":
		return "aqua"
	case "config", "progress", "SBOM", "osv", "finding":
		if kind == '{' {
			return "govulncheck"
		}
	case "scan", "remediations", "dependency_files":
		return "gitlab"
	case "infrastructureAsCodeIssues":
		return "snyk"
	}
	return ""
}

// sniffArray looks at the first element.
func sniffArray(r *jsonstream.Reader) (string, error) {
	found, empty := "", true
	err := r.Array(func(int) error {
		empty = false
		if r.Kind() != '{' {
			return errFound
		}
		names := map[string]bool{}
		err := r.Object(func(name string) error {
			names[name] = true
			return nil
		})
		switch {
		case names["filePath"] && names["messages"] && names["errorCount"]:
			found = "eslint"
		case names["file"] && names["code"] && names["endLine"]:
			found = "shellcheck"
		case names["image_name"] && names["results"]:
			found = "aqua"
		case names["Target"]:
			found = "trivy"
		case names["vulnerabilities"] && (names["ok"] || names["packageManager"] || names["projectName"]):
			found = "snyk"
		case err != nil:
			return err
		}
		return errFound
	})
	switch {
	case found != "":
		return found, nil
	case empty && err == nil:
		return "", errors.New("it is an empty list, which several tools write when they find nothing: name its format, as in eslint=FILE")
	case err != nil && !errors.Is(err, errFound):
		return "", unknown("it is of no format that is read, and broken: " + err.Error())
	}
	return "", unknown("it is of no format that is read")
}

func sniffXML(in input) (string, error) {
	found := ""
	err := eachElement(in, func(path []string, e xml.StartElement, _ *elements) error {
		switch e.Name.Local {
		case "checkstyle":
			found = "checkstyle"
		case "results":
			found = "cppcheck"
		case "testsuite":
			if attribute(e, "name") == "bandit" {
				found = "bandit-xml"
			}
		}
		return errFound
	})
	switch {
	case found != "":
		return found, nil
	case err != nil && !errors.Is(err, errFound):
		return "", unknown("it is of no format that is read, and broken: " + err.Error())
	}
	return "", unknown("it is XML of no format that is read")
}

// missing names the first of some members that a reader wants and that is missing.
func missing(seen map[string]bool, names ...string) error {
	for _, n := range names {
		if !seen[n] {
			return fmt.Errorf("it has no %q: it is cut down, or of another format", n)
		}
	}
	return nil
}
