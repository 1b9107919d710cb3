package hook_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core/hook"
)

// real says for every real report what is read of it: the format, the findings, and the gaps that tools tell of; or
// what the error says. The names are without the folder that they were found in. What is not listed is of no format
// that is read, and has to be refused as such.
const real = `
sarif/cppcheck/cppcheck_many_vuln.sarif	sarif 7 findings 0 reach 0 gaps
sarif/cppcheck/cppcheck_no_vuln.sarif	sarif 0 findings 0 reach 0 gaps
sarif/cppcheck/cppcheck_one_vuln.sarif	sarif 1 findings 0 reach 0 gaps
sarif/flawfinder/flawfinder_many_vuln.sarif	sarif 4 findings 0 reach 0 gaps
sarif/flawfinder/flawfinder_one_vuln.sarif	sarif 1 findings 0 reach 0 gaps
sarif/mayhem/mayhem_api_no_vulns.sarif	sarif 0 findings 0 reach 0 gaps
sarif/mayhem/mayhem_code_one_vuln.sarif	sarif 1 findings 0 reach 0 gaps
sarif/sarif/SuppressionTestCurrent.sarif	sarif 4 findings 0 reach 0 gaps
sarif/sarif/appendix_k1_double.sarif	sarif 0 findings 0 reach 0 gaps
sarif/sarif/appendix_k2.sarif	sarif 1 findings 0 reach 0 gaps
sarif/sarif/appendix_k3.sarif	sarif 1 findings 0 reach 0 gaps
sarif/sarif/bash-report-fabricated-no-internal-dupes-subset.sarif	sarif 4 findings 0 reach 0 gaps
sarif/sarif/bash-report.sarif	sarif 12 findings 0 reach 0 gaps
sarif/sarif/blackduck_nested_fingerprints.sarif	sarif 5 findings 0 reach 0 gaps
sarif/sarif/codeQL-output.sarif	sarif 72 findings 0 reach 0 gaps
sarif/sarif/cxf-3.4.6.sarif	sarif 22 findings 0 reach 0 gaps
sarif/sarif/dependency_check.sarif	sarif 13 findings 0 reach 0 gaps
sarif/sarif/dockle_0_3_15.sarif	sarif 4 findings 0 reach 0 gaps
sarif/sarif/mobsfscan.json	sarif 9 findings 0 reach 0 gaps
sarif/sarif/njsscan.sarif	sarif 2 findings 0 reach 0 gaps
sarif/sarif/no_runs.sarif	refused: no tool says that it looked
sarif/sarif/suppression_test.sarif	sarif 5 findings 0 reach 0 gaps
sarif/sarif/taint-python-report.sarif	sarif 11 findings 0 reach 0 gaps
sarif/aquasecurity__trivy-action/test/data/config-sarif-report/report.sarif	sarif 8 findings 0 reach 0 gaps
tool-reports/anchore_grype/check_all_fields_different_ids_fabricated.json	grype 1 findings 0 reach 0 gaps
tool-reports/anchore_grype/fix_available.json	grype 1 findings 0 reach 0 gaps
tool-reports/anchore_grype/fix_not_available.json	grype 1 findings 0 reach 0 gaps
tool-reports/anchore_grype/issue_9942.json	grype 1 findings 0 reach 0 gaps
tool-reports/anchore_grype/many_vulns3.json	grype 327 findings 0 reach 0 gaps
tool-reports/anchore_grype/same_cve_different_paths.json	grype 1 findings 0 reach 0 gaps
tool-reports/bandit/dd2.json	bandit 164 findings 0 reach 0 gaps
tool-reports/bandit/many_vulns.json	bandit 213 findings 0 reach 0 gaps
tool-reports/bandit/no_vuln.json	bandit 0 findings 0 reach 0 gaps
tool-reports/bandit/one_vuln.json	bandit 1 findings 0 reach 0 gaps
tool-reports/eslint/scan.json	eslint 2 findings 0 reach 0 gaps
tool-reports/github_secrets_detection_report/github_secrets_detection_report_zero_vul.json	refused: name its format, as in eslint=FILE
tool-reports/govulncheck/issue_14642.json	govulncheck 0 findings 40 reach 0 gaps
tool-reports/govulncheck/issue_15033.json	govulncheck 0 findings 72 reach 0 gaps
tool-reports/govulncheck/issue_15033_sarif.json	sarif 3 findings 0 reach 0 gaps
tool-reports/npm_audit/cwe_null.json	npm-audit 1 findings 0 reach 0 gaps
tool-reports/npm_audit/issue_7897.json	npm-audit 5 findings 0 reach 0 gaps
tool-reports/npm_audit/many_vuln.json	npm-audit 5 findings 0 reach 0 gaps
tool-reports/npm_audit/many_vuln_npm7.json	npm-audit 8 findings 0 reach 0 gaps
tool-reports/npm_audit/many_vuln_with_groups_different_titles.json	npm-audit 5 findings 0 reach 0 gaps
tool-reports/npm_audit/multiple_cwes2.json	npm-audit 7 findings 0 reach 0 gaps
tool-reports/npm_audit/no_vuln.json	npm-audit 0 findings 0 reach 0 gaps
tool-reports/npm_audit_7_plus/one_vuln.json	npm-audit 2 findings 0 reach 0 gaps
tool-reports/pnpm_audit/pnpm_audit_one_vuln.json	npm-audit 2 findings 0 reach 0 gaps
tool-reports/rubocop/empty.json	rubocop 0 findings 0 reach 0 gaps
tool-reports/rubocop/one_finding.json	rubocop 324 findings 0 reach 0 gaps
tool-reports/rubocop/zero_vulns.json	rubocop 145 findings 0 reach 0 gaps
tool-reports/snyk/all-projects_no_vulns.json	snyk 0 findings 0 reach 0 gaps
tool-reports/snyk/all-projects_one_vuln.json	snyk 1 findings 0 reach 0 gaps
tool-reports/snyk/all_projects_issue4277.json	snyk 49 findings 0 reach 0 gaps
tool-reports/snyk/single_project_None_cvss.json	snyk 1 findings 0 reach 0 gaps
tool-reports/snyk/single_project_many_vulns.json	snyk 41 findings 0 reach 0 gaps
tool-reports/snyk/single_project_no_vulns.json	snyk 0 findings 0 reach 0 gaps
tool-reports/snyk/single_project_one_vuln.json	snyk 1 findings 0 reach 0 gaps
tool-reports/snyk/single_project_upgrade_libs.json	snyk 52 findings 0 reach 0 gaps
tool-reports/snyk/snykcode_issue_9270.json	sarif 39 findings 0 reach 0 gaps
tool-reports/sonarqube/sonar-single-finding.json	refused: want an array, found an object
tool-reports/sonarqube/sonar.json	refused: want an array, found an object
tool-reports/trivy/all_statuses.json	trivy 8 findings 0 reach 0 gaps
tool-reports/trivy/cvssv4_severity_source.json	trivy 3 findings 0 reach 0 gaps
tool-reports/trivy/issue_9092.json	trivy 1 findings 0 reach 0 gaps
tool-reports/trivy/issue_9170.json	trivy 37 findings 0 reach 0 gaps
tool-reports/trivy/issue_9263.json	trivy 1 findings 0 reach 0 gaps
tool-reports/trivy/issue_9333.json	trivy 13 findings 0 reach 0 gaps
tool-reports/trivy/kubernetes.json	trivy 15 findings 0 reach 0 gaps
tool-reports/trivy/kubernetes_fabricated_subset.json	trivy 10 findings 0 reach 0 gaps
tool-reports/trivy/legacy_many_vulns.json	trivy 93 findings 0 reach 0 gaps
tool-reports/trivy/legacy_trivy_mix.json	trivy 6 findings 0 reach 1 gaps
tool-reports/trivy/license_scheme.json	trivy 0 findings 0 reach 0 gaps
gitlab-reports/gitlab_api_fuzzing/gitlab_api_fuzzing_0_vuln.json	refused: it is a report of coverage_fuzzing, which is not read
gitlab-reports/gitlab_api_fuzzing/gitlab_api_fuzzing_1_vuln_v14.json	refused: it is a report of coverage_fuzzing, which is not read
gitlab-reports/gitlab_api_fuzzing/gitlab_api_fuzzing_1_vuln_v15.json	refused: it is a report of coverage_fuzzing, which is not read
gitlab-reports/gitlab_api_fuzzing/gitlab_api_fuzzing_invalid.json	refused: it is cut down, or of another format
gitlab-reports/gitlab_container_scan/gl-container-scanning-report-0-vuln.json	gitlab 0 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/gl-container-scanning-report-1-vuln_v14.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/gl-container-scanning-report-1-vuln_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/gl-container-scanning-report-5-vuln_v14.json	gitlab 5 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/gl-container-scanning-report-5-vuln_v15.json	gitlab 5 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/gl-container-scanning-report-multiple-cwe-fabricated_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/issue6639_v14.json	gitlab 98 findings 0 reach 0 gaps
gitlab-reports/gitlab_container_scan/issue6639_v15.json	gitlab 98 findings 0 reach 0 gaps
gitlab-reports/gitlab_dast/gitlab_dast_many_vul_v14.json	refused: its schema has the version "13.1.0", and 14 and 15 are read
gitlab-reports/gitlab_dast/gitlab_dast_many_vul_v15.json	refused: its schema has the version "13.1.0", and 14 and 15 are read
gitlab-reports/gitlab_dast/gitlab_dast_multiple_cwe_fabricated_v15.json	refused: it is cut down, or of another format
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-0-vuln.json	gitlab 0 findings 0 reach 0 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-1-vuln_v14.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-1-vuln_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-2-vuln-missing-component_v14.json	gitlab 1 findings 0 reach 1 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-2-vuln-missing-component_v15.json	gitlab 1 findings 0 reach 1 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-many-vuln_v14.json	gitlab 6 findings 0 reach 0 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-many-vuln_v15.json	gitlab 6 findings 0 reach 0 gaps
gitlab-reports/gitlab_dep_scan/gl-dependency-scanning-report-multiple-cwe-fabricated_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-0-vuln.json	gitlab 0 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-1-vuln_v14.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-1-vuln_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-confidence_v14.json	gitlab 8 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-confidence_v15.json	gitlab 8 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-cwe_v14.json	gitlab 3 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-cwe_v15.json	gitlab 3 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-many-vuln_v14.json	gitlab 467 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-many-vuln_v15.json	gitlab 467 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report-multiple-cwe-fabricated_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report_issue4344_v14.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_sast/gl-sast-report_issue4344_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_secret_detection_report/gitlab_secret_detection_report_0_vuln.json	gitlab 0 findings 0 reach 0 gaps
gitlab-reports/gitlab_secret_detection_report/gitlab_secret_detection_report_1_vuln_v14.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_secret_detection_report/gitlab_secret_detection_report_1_vuln_v15.json	gitlab 1 findings 0 reach 0 gaps
gitlab-reports/gitlab_secret_detection_report/gitlab_secret_detection_report_3_vuln_v14.json	gitlab 3 findings 0 reach 0 gaps
gitlab-reports/gitlab_secret_detection_report/gitlab_secret_detection_report_3_vuln_v15.json	gitlab 3 findings 0 reach 0 gaps
sast-outputs/ast-grep.sarif	sarif 2 findings 0 reach 0 gaps
sast-outputs/bandit.json	bandit 8 findings 0 reach 0 gaps
sast-outputs/bandit.xml	bandit-xml 8 findings 0 reach 0 gaps
sast-outputs/cppcheck.sarif	sarif 6 findings 0 reach 0 gaps
sast-outputs/cppcheck.xml	cppcheck 6 findings 0 reach 0 gaps
sast-outputs/eslint.json	eslint 7 findings 0 reach 0 gaps
sast-outputs/eslint.sarif	sarif 7 findings 0 reach 0 gaps
sast-outputs/flawfinder.sarif	sarif 5 findings 0 reach 0 gaps
sast-outputs/gosec.json	gosec 9 findings 0 reach 2 gaps
sast-outputs/gosec.sarif	sarif 9 findings 0 reach 0 gaps
sast-outputs/gosec.sonarqube	sonarqube 9 findings 0 reach 0 gaps
sast-outputs/govulncheck.json	govulncheck 0 findings 1 reach 0 gaps
sast-outputs/govulncheck.sarif	sarif 1 findings 0 reach 0 gaps
sast-outputs/oxlint.sarif	sarif 2 findings 0 reach 0 gaps
sast-outputs/shellcheck.checkstyle	checkstyle 10 findings 0 reach 0 gaps
sast-outputs/shellcheck.json	shellcheck 10 findings 0 reach 0 gaps
sast-outputs/shellcheck.json1	shellcheck 10 findings 0 reach 0 gaps
sast-outputs/staticcheck.sarif	sarif 3 findings 0 reach 0 gaps
sast-outputs/validate-ast-grep.sarif.sarif	sarif 2 findings 0 reach 0 gaps
sast-outputs/validate-eslint.sarif.sarif	sarif 2 findings 0 reach 0 gaps
sast-outputs/validate-flawfinder.sarif.sarif	sarif 1 findings 0 reach 0 gaps
`

// unread is what errors say of reports in formats that are not read.
const unread = "of no format that is read"

func TestRealReportsAreRead(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "corpus")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("real data is not beside the repository: %v", err)
	}
	want := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(real)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		want[name] = rest
	}
	got := map[string]string{}
	for _, dir := range []string{"sarif", "tool-reports", "gitlab-reports", "sast-outputs"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			name = strings.Replace(filepath.ToSlash(name), "DefectDojo__django-DefectDojo/unittests/scans/", "", 1)
			said := outcome(path)
			if want[name] == "" && strings.Contains(said, unread) {
				return nil
			}
			if reason, ok := strings.CutPrefix(want[name], "refused: "); ok && strings.Contains(said, reason) {
				said = want[name]
			}
			got[name] = said
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// outcome reads one report and says what is in it.
func outcome(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	r, err := hook.Read(f)
	if err != nil {
		return "refused: " + err.Error()
	}
	gaps := 0
	for _, x := range r.Examinations {
		gaps += len(x.Why)
	}
	return fmt.Sprintf("%s %d findings %d reach %d gaps", r.Format, len(r.Findings), len(r.Reach), gaps)
}
