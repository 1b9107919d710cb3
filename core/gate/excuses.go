package gate

import "path"

// excuse is a kind of file with which sources tell a tool what not to report.
type excuse struct {
	// pattern is matched against the path if it has a slash, and against the name otherwise, as path.Match does.
	pattern string
	// why completes the sentence "the file is new in this change: it …".
	why string
}

// excuses are the files that can make a tool, this one included, see or say less. What one of a change says is not
// heard before it is merged, by tools that read their settings from the base; for all others, somebody has to look.
func excuses() []excuse {
	return []excuse{
		{PolicyFile, "says what this gate refuses"},
		{otherPolicyFile, "says what this gate refuses"},
		{".cleanbill-*.yaml", "says what this gate excuses"},
		{".cleanbill/*", "says what this gate excuses"}, // where a baseline is written, which a flag of a later push may name

		{"*.openvex.json", "states that vulnerabilities do no harm"},
		{"*.vex.json", "states that vulnerabilities do no harm"},
		{".vex/*", "states that vulnerabilities do no harm"},

		{".trivyignore", "says what Trivy does not report"},
		{".trivyignore.yaml", "says what Trivy does not report"},
		{"trivy.yaml", "says what Trivy looks at"},
		{"trivy-secret.yaml", "says which secrets Trivy reports"},
		{".grype.yaml", "says what Grype does not report"},
		{".grype/config.yaml", "says what Grype does not report"},
		{"osv-scanner.toml", "says which vulnerabilities OSV-Scanner does not report"},
		{".snyk", "says what Snyk does not report"},
		{".nsprc", "says which advisories of npm packages are not reported"},
		{"audit-ci.json*", "says which advisories of npm packages are not reported"},
		{".cargo/audit.toml", "says which advisories cargo-audit does not report"},
		{"deny.toml", "says which advisories and licences cargo-deny lets pass"},
		{".bundler-audit.yml", "says which advisories bundler-audit does not report"},
		{".safety-policy.yml", "says which advisories Safety does not report"},
		{"dependency-check-suppression*.xml", "says what Dependency-Check does not report"},

		{".gitleaks.toml", "says which secrets gitleaks reports"},
		{".gitleaksignore", "says which secrets gitleaks does not report"},
		{"gitleaks-baseline.json", "says which secrets gitleaks does not report"},
		{".secrets.baseline", "says which secrets detect-secrets does not report"},
		{".secretlintrc*", "says which secrets secretlint reports"},
		{".secretlintignore", "says which files secretlint does not look at"},
		{".talismanrc", "says which files Talisman does not look at"},
		{"trufflehog-exclude*", "says which files TruffleHog does not look at"},
		{".gitguardian.y*ml", "says what ggshield does not report"},

		{".hadolint.y*ml", "says which rules hadolint leaves out"},
		{".checkov.y*ml", "says which checks Checkov leaves out"},
		{".checkov.baseline", "says what Checkov does not report"},
		{"kics.config*", "says what KICS does not report"},
		{".kics.config*", "says what KICS does not report"},
		{".tfsec/*", "says what tfsec does not report"},
		{".kube-linter.y*ml", "says which checks KubeLinter leaves out"},
		{".polaris.y*ml", "says which checks Polaris leaves out"},
		{".dockle*", "says what Dockle does not report"},
		{"zizmor.y*ml", "says what zizmor does not report"},
		{".poutine.y*ml", "says what poutine does not report"},
		{"actionlint.y*ml", "says what actionlint does not report"},

		{".semgrepignore", "says which files Semgrep does not look at"},
		{".semgrep.y*ml", "says which rules Semgrep uses"},
		{".bandit", "says what Bandit does not report"},
		{"bandit.y*ml", "says what Bandit does not report"},
		{".bandit.y*ml", "says what Bandit does not report"},
		{".eslintrc*", "says which rules ESLint leaves out"},
		{"eslint.config.*", "says which rules ESLint leaves out"},
		{".eslintignore", "says which files ESLint does not look at"},
		{".oxlintrc*", "says which rules Oxlint leaves out"},
		{"sgconfig.y*ml", "says which rules ast-grep uses"},
		{".golangci.y*ml", "says which findings golangci-lint leaves out"},
		{".golangci.toml", "says which findings golangci-lint leaves out"},
		{".golangci.json", "says which findings golangci-lint leaves out"},
		{".gosec*", "says what gosec does not report"},
		{"staticcheck.conf", "says which checks staticcheck leaves out"},
		{".flawfinder*", "says what flawfinder does not report"},
		{".shellcheckrc", "says which checks ShellCheck leaves out"},
		{".brakeman.ignore", "says what Brakeman does not report"},
		{"brakeman.ignore", "says what Brakeman does not report"},
		{"brakeman.y*ml", "says which checks Brakeman leaves out"},
		{".njsscan", "says what njsscan does not report"},
		{".swiftlint.y*ml", "says which rules SwiftLint leaves out"},
		{"phpstan*.neon*", "says what PHPStan does not report"},
		{"psalm*.xml", "says what Psalm does not report"},
		{"spotbugs-exclude*.xml", "says what SpotBugs does not report"},
		{"sonar-project.properties", "says which files Sonar does not look at"},
		{".sonarcloud.properties", "says which files Sonar does not look at"},
		{".github/codeql/*", "says what CodeQL looks at"},
		{".codacy.y*ml", "says which files Codacy does not look at"},
	}
}

// excuseOf returns why a file can make a tool say less; empty if it cannot.
func excuseOf(all []excuse, name string) string {
	for _, e := range all {
		against := path.Base(name)
		if dir, _ := path.Split(e.pattern); dir != "" {
			against = path.Join(path.Base(path.Dir(name)), against)
			if path.Dir(path.Clean(dir)) != "." {
				against = name
			}
		}
		if ok, err := path.Match(e.pattern, against); ok && err == nil {
			return e.why
		}
	}
	return ""
}
