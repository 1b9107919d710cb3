package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func unverifiedDownload() check {
	r := rule.Rule{
		ID: "dockerfile-unverified-download", Title: "Verification of downloads is switched off",
		Severity:   core.SeverityMedium,
		Why:        "Without it anybody on the way can replace what is installed.",
		Fix:        "Install the certificates or keys that are missing, and take the option away.",
		References: []string{"NIST SP 800-190 4.1.4", "CIS Docker 4.4"},
		Weaknesses: []string{"CWE-295"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.commands(func(st step, sc script, c shell.Command) {
			if option := c.Insecure(); option != "" {
				report(f.at(st, sc, c, c.Plain().Name()+" "+option))
			}
		})
		for _, st := range f.steps {
			env, ok := st.command.(*instructions.EnvCommand)
			if !ok {
				continue
			}
			for _, kv := range env.Env {
				if switchesOff(kv.Key, expand(kv.Value, st.env)) {
					report(f.hit(st, kv.Key, kv.Key+"="+kv.Value))
				}
			}
		}
	}}
}

// switchesOff reports whether a variable makes programs trust whoever answers.
func switchesOff(name, value string) bool {
	switch name {
	case "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY":
		return value == "0"
	case "GIT_SSL_NO_VERIFY", "CURL_INSECURE":
		return value != "" && value != "0" && value != "false"
	case "NPM_CONFIG_STRICT_SSL", "npm_config_strict_ssl":
		return value == "false"
	case "GOINSECURE", "PIP_TRUSTED_HOST":
		return value != ""
	}
	return false
}
