package gitlab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

const (
	// billFile is one file of the bill of materials, and billFiles the pattern by which the templates name all.
	billFile, billFiles = "gl-sbom-cleanbill-%d.cdx.json", "gl-sbom-cleanbill-*.cdx.json"
	// maxBill is the largest file of a bill of materials that an instance takes unless its administrator says otherwise, in
	// bytes; the job fails where one is larger.
	//
	// https://docs.gitlab.com/administration/instance_limits/#maximum-file-size-per-type-of-artifact
	maxBill = 1 << 20
)

// taken is a report that GitLab takes of a job and shows by itself. The templates name the same files.
//
// https://docs.gitlab.com/ci/yaml/artifacts_reports/
type taken struct {
	// format is what the gate calls it, and file where it goes.
	format, file string
	// disabled is the variable by which GitLab's users do without it; empty if there is none.
	disabled string
}

// reports are those of the templates. GitLab's variables that disable a scanner leave out its report and nothing else: the
// same is examined, and the verdict is the same, because whoever starts a pipeline may set them.
//
// https://docs.gitlab.com/user/application_security/sast/#skip-sast-scanning
func reports() []taken {
	return []taken{
		{format: "gitlab-container-scanning", file: "gl-container-scanning-report.json", disabled: "CONTAINER_SCANNING_DISABLED"},
		{format: "gitlab-dependency-scanning", file: "gl-dependency-scanning-report.json", disabled: "DEPENDENCY_SCANNING_DISABLED"},
		{format: "gitlab-sast", file: "gl-sast-report.json", disabled: "SAST_DISABLED"},
		{format: "gitlab-secret-detection", file: "gl-secret-detection-report.json", disabled: "SECRET_DETECTION_DISABLED"},
		{format: "codequality", file: "gl-code-quality-report.json", disabled: "CODE_QUALITY_DISABLED"},
		{format: "junit", file: "cleanbill.junit.xml"},
	}
}

// outputs are the reports that this job writes, besides those that were asked for. The job that pushes writes none for GitLab,
// which has them of the job that judged.
func (a *Adapter) outputs() []gate.Output {
	all := []gate.Output{{Format: "json", Path: documentFile}, {Format: "cyclonedx", Path: sbomFile}}
	if a.job == JobPush {
		return all
	}
	for _, r := range reports() {
		if r.disabled == "" || !isTrue(a.getenv(r.disabled)) {
			all = append(all, gate.Output{Format: r.format, Path: r.file})
		}
	}
	return all
}

// isTrue reports what GitLab's templates ask of such a variable.
func isTrue(s string) bool { return s == "true" || s == "1" }

// handOver writes the bill of materials as GitLab takes it, and removes what lies where a report that this run did not write
// would be: GitLab takes whatever is there, be it a file of the repository or of an earlier job. Only jobs that hand reports
// to GitLab do so.
func (a *Adapter) handOver(d report.Document, written []gate.Output) error {
	if a.job != JobGate && a.job != JobScan {
		return nil
	}
	others, err := filepath.Glob(billFiles)
	if err != nil {
		return err
	}
	for _, r := range reports() {
		if !slices.ContainsFunc(written, func(o gate.Output) bool { return filepath.Clean(o.Path) == r.file }) {
			others = append(others, r.file)
		}
	}
	var failed []error
	for _, file := range others {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("remove what is in place of a report: %w", err))
		}
	}
	bills, err := report.Bills(d, maxBill)
	failed = append(failed, err)
	for i, bill := range bills {
		failed = append(failed, gate.WriteFile(fmt.Sprintf(billFile, i+1), func(w io.Writer) error {
			_, err := w.Write(bill)
			return err
		}))
	}
	return errors.Join(failed...)
}
