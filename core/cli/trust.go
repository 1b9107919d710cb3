package cli

import (
	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// trustFlags say whose signatures count.
type trustFlags struct {
	keys   []string
	signer policy.Signer
	root   string
}

func (f *trustFlags) register(cmd *cobra.Command) {
	f.registerSigners(cmd, "key")
	cmd.Flags().StringVar(&f.root, "trusted-root", "", "`FILE` with the trusted root that confirms identities")
}

// registerSigners registers those that say who counts: where --key is what signs, the keys have another name, and the
// trusted root is there already.
func (f *trustFlags) registerSigners(cmd *cobra.Command, key string) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.keys, key, nil, "what is signed with the public key in this `FILE` counts (repeatable)")
	flags.StringVar(&f.signer.Identity, "certificate-identity", "", "what this `IDENTITY` signed counts, such as a workflow's address")
	flags.StringVar(&f.signer.IdentityPattern, "certificate-identity-regexp", "", "the same, for identities that this `PATTERN` is the whole of")
	flags.StringVar(&f.signer.Issuer, "certificate-oidc-issuer", "", "the `ISSUER` that vouches for the identity")
	flags.StringVar(&f.signer.IssuerPattern, "certificate-oidc-issuer-regexp", "", "the same, for issuers that this `PATTERN` is the whole of")
}

// named reports whether anybody is.
func (f *trustFlags) named() bool { return len(f.keys) > 0 || f.signer != (policy.Signer{}) }

// signers are those who count.
func (f *trustFlags) signers() gate.SignerFiles {
	out := gate.SignerFiles{TrustedRoot: f.root}
	for _, k := range f.keys {
		out.Signers = append(out.Signers, policy.Signer{Key: k})
	}
	if f.signer != (policy.Signer{}) {
		out.Signers = append(out.Signers, f.signer)
	}
	return out
}
