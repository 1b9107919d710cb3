package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func secretVariable() check {
	r := rule.Rule{
		ID: "dockerfile-secret-variable", Title: "A secret is passed as ARG or ENV", Severity: core.SeverityHigh,
		Why: "Arguments stand in the history of the image and variables in its configuration: whoever can pull it can " +
			"read them. " +
			"A value in the file itself is in the history of the sources as well.",
		Fix: "Mount it: RUN --mount=type=secret,id=…; give it to the container when it starts; and renew what " +
			"was published.",
		References: []string{"CIS Docker 4.10", "NIST SP 800-190 4.1.4", "https://docs.docker.com/build/building/secrets/"},
		Weaknesses: []string{"CWE-538"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			switch c := st.command.(type) {
			case *instructions.ArgCommand:
				for _, kv := range c.Args {
					value := kv.ValueString()
					switch {
					case known.SecretValue(value), known.SecretName(kv.Key) && known.Literal(value):
						report(redacted(f, st, kv.Key, "ARG "+kv.Key+" with a default"))
					case known.SecretName(kv.Key) && kv.Value == nil:
						h := redacted(f, st, kv.Key, "ARG "+kv.Key)
						h.Severity = core.SeverityMedium
						report(h)
					}
				}
			case *instructions.EnvCommand:
				for _, kv := range c.Env {
					if known.SecretValue(kv.Value) || known.SecretName(kv.Key) && known.Literal(expand(kv.Value, st.env)) {
						report(redacted(f, st, kv.Key, "ENV "+kv.Key))
					}
				}
			}
		}
	}}
}

// redacted is a hit whose identity is the variable alone: a fingerprint of a password could be guessed.
func redacted(f *file, st step, name, detail string) rule.Hit {
	h := f.hit(st, name, detail)
	h.Object = []string{f.stageKey(st.stage), detail}
	return h
}
