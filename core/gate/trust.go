package gate

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// SignerFiles are signers whose signatures count, with the files that hold their keys and the root that confirms them.
type SignerFiles struct {
	Signers []policy.Signer
	// TrustedRoot is a file as "cosign trusted-root create" writes it; needed for identities.
	TrustedRoot string
	// Dir is what the files are relative to; empty means the working directory.
	Dir string
}

// maxTrust bounds a key or a trusted root, in bytes.
const maxTrust = 1 << 20

// trust reads the files. What is wrong with them is the user's mistake.
func (s SignerFiles) trust() (signature.Trust, error) {
	var t signature.Trust
	if len(s.Signers) == 0 {
		return t, nil
	}
	if s.TrustedRoot != "" {
		raw, err := s.read(s.TrustedRoot)
		if err == nil {
			t.Root, err = signature.ParseRoot(raw)
		}
		if err != nil {
			return t, &core.Failure{Doing: "read the trusted root " + s.TrustedRoot, Err: err, Usage: true,
				Hint: "make one with: cosign trusted-root create"}
		}
	}
	for _, signer := range s.Signers {
		if signer.Key == "" {
			t.Identities = append(t.Identities, signature.Identity{Issuer: signer.Issuer, IssuerPattern: signer.IssuerPattern,
				Subject: signer.Identity, SubjectPattern: signer.IdentityPattern})
			continue
		}
		raw, err := s.read(signer.Key)
		if err != nil {
			return t, &core.Failure{Doing: "read the key " + signer.Key, Err: err, Usage: true}
		}
		key, err := signature.ParseKey(signer.Key, raw)
		if err != nil {
			return t, &core.Failure{Doing: "read the key " + signer.Key, Err: err, Usage: true}
		}
		t.Keys = append(t.Keys, key)
	}
	if err := t.Check(); err != nil {
		return t, &core.Failure{Doing: "trust the signers that were named", Err: err, Usage: true,
			Hint: "name the trusted root's file with --trusted-root, or in the policy as trusted-root"}
	}
	return t, nil
}

func (s SignerFiles) read(name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.Dir, name)
	}
	return localfile.Read(name, maxTrust)
}

// trusts are whose signatures count for what.
type trusts struct {
	advisories, vex signature.Trust
	bases           []listedBase
}

// under returns the plan with what the policy says of where its evidence may come from, and whose signatures count. The
// plan may be stricter, and nothing else.
func (p Plan) under(judge *policy.Policy) (Plan, trusts, error) {
	var t trusts
	a := judge.Advisories()
	if a.Source != "" {
		if p.Advisories != "" && p.Advisories != a.Source {
			return p, t, &core.Failure{Doing: "use the advisories " + p.Advisories, Usage: true,
				Err: fmt.Errorf("the policy %s allows %s only", judge.Ref().Name, a.Source)}
		}
		p.Advisories = a.Source
	}
	p.Offline = p.Offline || a.Offline
	signers := SignerFiles{Signers: a.SignedBy, TrustedRoot: judge.TrustedRoot(), Dir: filepath.Dir(p.Policy)}
	var err error
	if t.advisories, err = signers.trust(); err != nil {
		return p, t, underPolicy(judge, err)
	}
	signers.Signers = judge.VEX().SignedBy
	if t.vex, err = signers.trust(); err != nil {
		return p, t, underPolicy(judge, err)
	}
	for _, b := range judge.Bases() {
		listed := listedBase{Base: b}
		signers.Signers = b.SignedBy
		if listed.trust, err = signers.trust(); err != nil {
			return p, t, underPolicy(judge, err)
		}
		t.bases = append(t.bases, listed)
	}
	return p, t, nil
}

// underPolicy says which policy names what could not be read.
func underPolicy(judge *policy.Policy, err error) error {
	var f *core.Failure
	if !errors.As(err, &f) {
		return err
	}
	return &core.Failure{Doing: "use the policy " + judge.Ref().Name, Err: err, Hint: f.Hint, Usage: true}
}
