package gitlab

import (
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// maxDotenv is the largest dotenv report that GitLab accepts unless its administrator says otherwise, in bytes.
//
// https://docs.gitlab.com/administration/instance_limits/#limit-dotenv-file-size
const maxDotenv = 5 << 10

// dotenv writes facts as variables with the prefix CLEANBILL_, one a line. A value that is not one plain word is an
// error: GitLab would read the next line as another variable.
//
// https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
func dotenv(facts []gate.Fact) (string, error) {
	var b strings.Builder
	for _, f := range facts {
		if strings.ContainsFunc(f.Value, notPlain) {
			return "", fmt.Errorf("%s has the value %q, which is not a plain word", f.Name, f.Value)
		}
		fmt.Fprintf(&b, "CLEANBILL_%s=%s\n", strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), f.Value)
	}
	if b.Len() > maxDotenv {
		return "", fmt.Errorf("they take %d bytes, more than the %d that GitLab accepts", b.Len(), maxDotenv)
	}
	return b.String(), nil
}

func notPlain(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune(":._-", r)
	}
}
