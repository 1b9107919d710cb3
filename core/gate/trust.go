package gate

import (
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// SignerFiles are signers whose signatures count, with the files that hold their keys and the root that confirms them.
type SignerFiles struct {
	Signers []policy.Signer
	// TrustedRoot is a file as "cosign trusted-root create" writes it; needed for identities.
	TrustedRoot string
}

// maxTrust bounds a key or a trusted root, in bytes.
const maxTrust = 1 << 20

// trust reads the files. What is wrong with them is the user's mistake.
func (s SignerFiles) trust() (signature.Trust, error) {
	return trustIn(s.Signers, policy.File{Name: s.TrustedRoot}, func(f policy.File, most int64) ([]byte, error) {
		return localfile.Read(f.Name, most)
	})
}

// trustIn reads the keys and the root from wherever they are.
func trustIn(signers []policy.Signer, root policy.File, read func(policy.File, int64) ([]byte, error)) (signature.Trust, error) {
	var t signature.Trust
	if len(signers) == 0 {
		return t, nil
	}
	if root.Name != "" {
		raw, err := read(root, maxTrust)
		if err == nil {
			t.Root, err = signature.ParseRoot(raw)
		}
		if err != nil {
			return t, &core.Failure{Doing: "read the trusted root " + root.Name, Err: err, Usage: true,
				Hint: "make one with: cosign trusted-root create"}
		}
	}
	for _, signer := range signers {
		if signer.Key == "" {
			t.Identities = append(t.Identities, signature.Identity{Issuer: signer.Issuer, IssuerPattern: signer.IssuerPattern,
				Subject: signer.Identity, SubjectPattern: signer.IdentityPattern})
			continue
		}
		raw, err := read(policy.File{Name: signer.Key, From: signer.From}, maxTrust)
		if err != nil {
			return t, &core.Failure{Doing: "read the key " + signer.Key, Err: err, Usage: true,
				Hint: "check the path of the public key, such as cosign.pub"}
		}
		key, err := signature.ParseKey(signer.Key, raw)
		if err != nil {
			return t, &core.Failure{Doing: "read the key " + signer.Key, Err: err, Usage: true, Hint: advice.HintOf(err)}
		}
		t.Keys = append(t.Keys, key)
	}
	if err := t.Check(); err != nil {
		hint := "name both, as --certificate-identity and --certificate-oidc-issuer do, or with -regexp"
		if t.Root == nil {
			hint = "name the trusted root's file with --trusted-root, or in the policy as trusted-root"
		}
		return t, &core.Failure{Doing: "trust the signers that were named", Err: err, Usage: true, Hint: hint}
	}
	return t, nil
}

// trusts are whose signatures count for what.
type trusts struct {
	advisories, vex, baseline signature.Trust
	bases                     []listedBase
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
	var err error
	if t.advisories, err = trustIn(a.SignedBy, judge.TrustedRoot(), judge.ReadFile); err != nil {
		return p, t, underPolicy(judge, err)
	}
	if t.vex, err = trustIn(judge.VEX().SignedBy, judge.TrustedRoot(), judge.ReadFile); err != nil {
		return p, t, underPolicy(judge, err)
	}
	if t.baseline, err = trustIn(judge.Baseline().SignedBy, judge.TrustedRoot(), judge.ReadFile); err != nil {
		return p, t, underPolicy(judge, err)
	}
	for _, b := range judge.Bases() {
		listed := listedBase{Base: b}
		if listed.trust, err = trustIn(b.SignedBy, judge.TrustedRoot(), judge.ReadFile); err != nil {
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
	return &core.Failure{Doing: "use the policy " + judge.Ref().Name, Err: err, Hint: f.Hint, Usage: !errors.Is(err, ErrNoBase)}
}
