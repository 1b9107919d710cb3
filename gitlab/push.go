package gitlab

import (
	"errors"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// publishing says where JobPush puts what passed, and who signs it: a key, or else the identity that GitLab gives the job as
// SIGSTORE_ID_TOKEN.
//
// https://docs.gitlab.com/ci/yaml/signing_examples/
func (a *Adapter) publishing() (*gate.Publishing, error) {
	signing, err := gate.EnvironmentSigning(a.getenv)
	if err != nil {
		return nil, err
	}
	p := &gate.Publishing{Reference: a.getenv("CLEANBILL_PUSH"), Signing: signing}
	if p.Reference == "" {
		return nil, &core.Failure{Doing: "read the input push", Err: errors.New("it is empty"), Usage: true,
			Hint: "name a repository and a tag, such as $CI_REGISTRY_IMAGE:$CI_COMMIT_TAG"}
	}
	if a.getenv("CLEANBILL_PROVENANCE") != "true" {
		return p, nil
	}
	if p.Build = a.build(); p.Build == nil {
		return nil, &core.Failure{Doing: "say how the image was built", Usage: true,
			Err: errors.New("the job's variables name no runner, project or commit"), Hint: "leave the input provenance out"}
	}
	return p, nil
}
