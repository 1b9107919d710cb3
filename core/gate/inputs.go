package gate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Inputs are the words in which CI platforms write a plan. Every adapter fills them in from its platform's variables
// and calls Plan, so that the same words mean the same on all of them.
type Inputs struct {
	// Targets are one a line.
	Targets string
	// Platforms are separated by commas or white space; none means every platform.
	Platforms string
	// Advisories and Policy are as in Plan. Config is the path of a policy file, which Policy must not name as well.
	Advisories string
	Policy     string
	Config     string
	// Offline is true or false; empty means false.
	Offline string
	// VEX and Imports are paths, one a line.
	VEX     string
	Imports string
	// Sonar is as in Plan; SonarWait is a duration, as in 5m.
	Sonar     Sonar
	SonarWait string
	// Hooks is as in Plan.
	Hooks string
	// Outputs are FORMAT=FILE, one a line.
	Outputs string
	// Limits are NAME=VALUE, one a line.
	Limits string
	// History is as in Plan.
	History string
	// Evidence are paths, one a line.
	Evidence string
	// Category is as in Plan.
	Category string
	// Base and Branch are as in the Change of a Plan.
	Base   string
	Branch string
}

// EnvironmentInputs returns what the variables of the environment say, which is the same on every platform.
func EnvironmentInputs(getenv func(string) string) Inputs {
	return Inputs{
		Targets:   getenv(variableTarget),
		Platforms: getenv(variablePlatforms),
		Policy:    getenv(variablePolicy),
		Config:    getenv(variableConfig),
		Offline:   getenv(variableOffline),
		VEX:       getenv(variableVEX),
		Imports:   getenv(variableImports),
		Sonar: Sonar{Task: getenv(variableSonar), Project: getenv(variableSonarProject), Branch: getenv(variableSonarBranch),
			PullRequest: getenv(variableSonarPullRequest), URL: getenv(variableSonarURL)},
		SonarWait: getenv(variableSonarWait),
		Hooks:     getenv(variableHooks),
		Outputs:   getenv(variableOutputs),
		Limits:    getenv(variableLimits),
		History:   getenv(variableHistory),
		Evidence:  getenv(variableEvidence),
		Category:  getenv(variableCategory),
		Base:      getenv(variableBase),
		Branch:    getenv(variableBranch),
	}
}

// Plan translates the inputs. The error is a core.Failure of the user's input that names the one that is wrong.
func (in Inputs) Plan() (Plan, error) {
	p, err := in.Settings()
	if err == nil && len(p.Targets) == 0 {
		err = wrongInput("target", errors.New("it is empty"), "name an image, an archive, a directory or an SBOM file; several one a line")
	}
	if err != nil {
		return Plan{}, err
	}
	return p, nil
}

// Settings translates the inputs as Plan does, and lets the target be missing.
func (in Inputs) Settings() (Plan, error) {
	p := Plan{
		Targets:    lines(in.Targets),
		Advisories: strings.TrimSpace(in.Advisories),
		VEX:        lines(in.VEX),
		Imports:    lines(in.Imports),
		Evidence:   lines(in.Evidence),
		Category:   strings.TrimSpace(in.Category),
		History:    strings.TrimSpace(in.History),
		Sonar:      in.Sonar,
		Hooks:      strings.TrimSpace(in.Hooks),
		Change:     core.Change{Base: strings.TrimSpace(in.Base), Branch: strings.TrimSpace(in.Branch)},
	}
	var err error
	if p.Policy, err = PolicyNamed(strings.TrimSpace(in.Policy), strings.TrimSpace(in.Config)); err != nil {
		return Plan{}, err
	}
	switch word := strings.TrimSpace(in.Offline); word {
	case "", "false", "0":
	case "true", "1":
		p.Offline = true
	default:
		return Plan{}, wrongInput("offline", fmt.Errorf("%q is neither true nor false", word), "")
	}
	if err := CheckHistory(p.History); err != nil {
		return Plan{}, err
	}
	if wait := strings.TrimSpace(in.SonarWait); wait != "" {
		if p.Sonar.Wait, err = time.ParseDuration(wait); err != nil || p.Sonar.Wait <= 0 {
			return Plan{}, wrongInput("sonar-wait", fmt.Errorf("%q is not a duration", wait), "for example: 5m")
		}
	}
	for _, word := range strings.FieldsFunc(in.Platforms, isSeparator) {
		platform, err := core.ParsePlatform(word)
		if err != nil {
			return Plan{}, wrongInput("platforms", err, "")
		}
		p.Platforms = append(p.Platforms, platform)
	}
	for _, line := range lines(in.Outputs) {
		format, path, found := strings.Cut(line, "=")
		if !found || format == "" || path == "" {
			return Plan{}, wrongInput("outputs", fmt.Errorf("%q is not FORMAT=FILE", line), "for example: json=verdict.json")
		}
		p.Outputs = append(p.Outputs, Output{Format: format, Path: path})
	}
	for _, line := range lines(in.Limits) {
		if err := p.Limits.Set(line); err != nil {
			return Plan{}, wrongInput("limits", err, "")
		}
	}
	return p, nil
}

// PolicyNamed returns the policy of a plan from its two names: a profile or a file, or a file whatever profiles there are.
func PolicyNamed(policy, config string) (string, error) {
	switch {
	case config == "":
		return policy, nil
	case policy != "":
		return "", &core.Failure{Doing: "choose the policy", Usage: true, Err: fmt.Errorf("both %s and the file %s are named", policy, config),
			Hint: "name one: policy, or config"}
	}
	return namedFile(config), nil
}

// lines returns the lines of s that hold something, without white space around them.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }

func wrongInput(name string, err error, hint string) error {
	return &core.Failure{Doing: "read the input " + name, Err: err, Hint: hint, Usage: true}
}
