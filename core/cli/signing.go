package cli

import (
	"github.com/spf13/cobra"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// signFlags are the flags of every command that signs. Neither a password nor a key is one: everybody on the machine
// reads those.
type signFlags struct {
	said gate.Signing
}

func (f *signFlags) register(p *Program, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.said.Key, "key", "", "sign with this `KEY`: a file, env://NAME, hashivault://KEY, or awskms://…, gcpkms://…, azurekms://… "+
		"with sigstore's program for it (default: the platform's identity signs)")
	flags.StringVar(&f.said.PasswordFile, "key-password-file", "", "the key's password is in this `FILE` (default: $COSIGN_PASSWORD)")
	flags.StringVar(&f.said.IdentityToken, "identity-token", "", "sign as whom the token in this `FILE` names (default: what GitHub, GitLab or Kubernetes offers)")
	flags.StringVar(&f.said.SigningConfig, "signing-config", "", "use the services that this `FILE` names, as cosign signing-config create writes it")
	flags.StringVar(&f.said.FulcioURL, "fulcio-url", "", "let the authority at this `ADDRESS` confirm the identity")
	flags.StringVar(&f.said.RekorURL, "rekor-url", "", "write to the log, of the first version, at this `ADDRESS`")
	flags.StringVar(&f.said.TimestampURL, "timestamp-url", "", "let the timestamp authority at this `ADDRESS` confirm the time")
	flags.StringVar(&f.said.TrustedRoot, "trusted-root", "", "verify what was signed with this `FILE`, as cosign trusted-root create writes it")
	flags.StringVar(&f.said.TUFMirror, "tuf-mirror", "", "take services and trusted root from the TUF repository at this `ADDRESS`")
	flags.StringVar(&f.said.TUFRoot, "tuf-root", "", "the repository of --tuf-mirror began with the root in this `FILE`")
	flags.BoolVar(&f.said.PublicLog, "public-log", false, "agree that a public Sigstore shows to everybody, for ever, who signed, where and when")
	flags.StringArrayVar(&f.said.PluginVariables, "kms-variable", nil, "let the program of a key management service have the variable `NAME` too (repeatable)")
	flags.StringVar(&f.said.Form, "signature-form", "", "write the signature as a `FORM`: bundle, tag or both (default: bundle, and tag where it carries as much)")
	p.completeWords(cmd, "signature-form", gate.SignatureForms())
}

// plan puts what these flags say over what the environment says.
func (f *signFlags) plan(p *Program) (gate.Signing, error) {
	environment, err := gate.EnvironmentSigning(p.Getenv)
	if err != nil {
		return environment, err
	}
	s := f.said.Over(environment)
	return s, s.Check()
}
