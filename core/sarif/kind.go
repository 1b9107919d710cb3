package sarif

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// HardCoded is the weakness that every secret in sources or images is an instance of.
//
// https://cwe.mitre.org/data/definitions/798.html
const HardCoded = "CWE-798"

// kindOfTool is what every result of some tools is.
func kindOfTool(name string) core.FindingKind {
	switch strings.ToLower(name) {
	case "gitleaks", "trufflehog", "ggshield", "detect-secrets", "secretlint", "noseyparker", "talisman", "whispers":
		return core.KindSecret
	case "checkov", "tfsec", "terrascan", "kics", "hadolint", "kube-linter", "kubelinter", "dockle", "kubescape", "zizmor",
		"poutine", "actionlint", "cfn_nag", "cfn-lint", "conftest", "polaris", "kubesec":
		return core.KindMisconfiguration
	}
	return core.KindCode
}

// KindOf says what sort of flaw a rule finds: by the tool, by the tags that tools such as Trivy give, or by the id of
// an advisory. What nothing is known of is a flaw in code.
func KindOf(tool, rule string, tags []string) core.FindingKind {
	has := func(tag string) bool {
		return slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, tag) })
	}
	switch {
	case IsAdvisory(rule):
		return core.KindVulnerability
	case has("secret"), has("secrets"):
		return core.KindSecret
	case has("misconfiguration"):
		return core.KindMisconfiguration
	}
	return kindOfTool(tool)
}

// markOf returns the words by which sources tell a tool to ignore something, and that stand in the line that does: only
// by them can it be told whether a line of the sources really suppresses what a report says. It is "SARIF" for tools
// whose words are not known.
func markOf(tool string) string {
	tool = strings.ToLower(tool)
	for _, known := range [][2]string{
		{"gosec", "#nosec"}, {"golang security checks", "#nosec"}, {"bandit", "nosec"}, {"semgrep", "nosem"},
		{"opengrep", "nosem"}, {"eslint", "eslint-disable"}, {"golangci-lint", "nolint"}, {"staticcheck", "lint:ignore"},
		{"codeql", "codeql["}, {"gitleaks", "gitleaks:allow"}, {"checkov", "checkov:skip"}, {"tfsec", "tfsec:ignore"},
		{"trivy", "trivy:ignore"}, {"kics", "kics-scan"}, {"hadolint", "hadolint ignore"},
		{"shellcheck", "shellcheck disable"}, {"zizmor", "zizmor: ignore"}, {"ruff", "noqa"}, {"flake8", "noqa"},
		{"rubocop", "rubocop:disable"}, {"phpstan", "@phpstan-ignore"}, {"psalm", "@psalm-suppress"},
		{"flawfinder", "flawfinder: ignore"}, {"cppcheck", "cppcheck-suppress"}, {"clang-tidy", "nolint"},
		{"pmd", "nopmd"}, {"swiftlint", "swiftlint:disable"}, {"njsscan", "njsscan-ignore"}, {"detekt", "@suppress"},
	} {
		if strings.HasPrefix(tool, known[0]) {
			return known[1]
		}
	}
	return "SARIF"
}

// IsAdvisory reports whether an id is one by which databases know a vulnerability. Scanners may add the package to it,
// as in "CVE-2021-44228-log4j-core".
func IsAdvisory(id string) bool {
	for _, prefix := range []string{"CVE-", "GHSA-", "GO-", "PYSEC-", "RUSTSEC-", "OSV-", "SNYK-", "DSA-", "DLA-",
		"USN-", "RHSA-", "ALAS-",
		"ELSA-", "TEMP-"} {
		rest, ok := strings.CutPrefix(id, prefix)
		if ok && rest != "" && (strings.ContainsAny(rest[:1], "0123456789") || prefix == "GHSA-" ||
			prefix == "SNYK-" || prefix == "OSV-") {
			return true
		}
	}
	return false
}

// Weaknesses returns the CWE entries that texts name, in whatever form: "CWE-79", "external/cwe/cwe-079", "cwe:79",
// "CWE-89: SQL injection".
func Weaknesses(texts ...string) []string {
	var out []string
	for _, text := range texts {
		for rest := strings.ToLower(text); ; {
			_, after, ok := strings.Cut(rest, "cwe")
			if !ok {
				break
			}
			rest = after
			digits := strings.TrimLeft(after, "-_: ")
			end := 0
			for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
				end++
			}
			if n, err := strconv.Atoi(digits[:end]); err == nil && n > 0 && end <= 6 && len(after)-len(digits) <= 2 {
				if id := "CWE-" + strconv.Itoa(n); !slices.Contains(out, id) {
					out = append(out, id)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
