package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
)

// Signing says who signs what passed, and what confirms it. The zero value signs with the identity that the platform
// gives, confirmed by the public Sigstore, if it is agreed to that.
type Signing struct {
	// Key is a file, "env://NAME", or a reference to a key management service; empty to sign with an identity.
	Key string
	// PasswordFile holds the password of an encrypted key; without it $COSIGN_PASSWORD does.
	PasswordFile string
	// PluginVariables are names of variables that the program of a key management service gets.
	PluginVariables []string
	// IdentityToken is a file that holds a token, or the token; empty for the platform's.
	IdentityToken string
	// SigningConfig names services in a file, and the addresses one each.
	SigningConfig, FulcioURL, RekorURL, TimestampURL string
	// TrustedRoot is a file that confirms what the services say, or TUFMirror distributes it, beginning with TUFRoot.
	TrustedRoot, TUFMirror, TUFRoot string
	// PublicLog is consent to what public services show to everybody.
	PublicLog bool
	// Form is one of SignatureForms; empty for bundles, with the older form beside them where it carries as much.
	Form string
}

// The forms of signatures.
const (
	// FormBundle is a Sigstore bundle beside the image.
	FormBundle = "bundle"
	// FormTag is cosign's older form, under a tag made of the digest.
	FormTag = "tag"
	// FormBoth writes both.
	FormBoth = "both"
)

// SignatureForms returns the forms that a signature can be written in.
func SignatureForms() []string { return []string{FormBundle, FormTag, FormBoth} }

// signingSetting is a setting of Signing with the place where it goes.
type signingSetting struct {
	Setting
	text func(*Signing) *string
}

// signingSettings are all but those that are not plain text. None can loosen a verdict: they say who signs, and only what
// passed is signed.
func signingSettings() []signingSetting {
	const same = "the same: only what passed is signed"
	row := func(name, value string, text func(*Signing) *string) signingSetting {
		return signingSetting{Setting{Key: name, Flag: name, Variable: "CLEANBILL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
			Default: value, OnChange: same, Input: inputOf(name)}, text}
	}
	return []signingSetting{
		row("key", "none: the platform's identity signs", func(s *Signing) *string { return &s.Key }),
		row("key-password-file", "none: `COSIGN_PASSWORD` holds it", func(s *Signing) *string { return &s.PasswordFile }),
		row("identity-token", "the platform's", func(s *Signing) *string { return &s.IdentityToken }),
		row("signing-config", "none", func(s *Signing) *string { return &s.SigningConfig }),
		row("fulcio-url", "the public one, if no other service is named", func(s *Signing) *string { return &s.FulcioURL }),
		row("rekor-url", "the public one, if no other service is named", func(s *Signing) *string { return &s.RekorURL }),
		row("timestamp-url", "none", func(s *Signing) *string { return &s.TimestampURL }),
		row("trusted-root", "none, or the public one", func(s *Signing) *string { return &s.TrustedRoot }),
		row("tuf-mirror", "none", func(s *Signing) *string { return &s.TUFMirror }),
		row("tuf-root", "none", func(s *Signing) *string { return &s.TUFRoot }),
		row("signature-form", "bundles, and the older form where it carries as much", func(s *Signing) *string { return &s.Form }),
	}
}

// inputOf is the input of the GitHub action for a setting; empty for those that are for the environment only.
func inputOf(name string) string {
	if slices.Contains([]string{"key", "signing-config", "trusted-root", flagPublicLog}, name) {
		return name
	}
	return ""
}

// The settings of Signing that are not plain text.
const (
	flagPublicLog       = "public-log"
	flagKMSVariable     = "kms-variable"
	variablePublicLog   = "CLEANBILL_PUBLIC_LOG"
	variableKMSVariable = "CLEANBILL_KMS_VARIABLES"
)

// SigningSettings returns the settings of every command that signs, in the order of the documentation.
func SigningSettings() []Setting {
	var all []Setting
	for _, s := range signingSettings() {
		all = append(all, s.Setting)
	}
	return append(all,
		Setting{Key: flagPublicLog, Flag: flagPublicLog, Variable: variablePublicLog, Input: inputOf(flagPublicLog), Default: "`false`",
			OnChange: "the same: only what passed is signed"},
		Setting{Key: flagKMSVariable, Flag: flagKMSVariable, Variable: variableKMSVariable, Default: "those of known services",
			OnChange: "the same: only what passed is signed"})
}

// EnvironmentSigning reads what the variables of the environment say of signing.
func EnvironmentSigning(getenv func(string) string) (Signing, error) {
	var s Signing
	for _, row := range signingSettings() {
		*row.text(&s) = getenv(row.Variable)
	}
	if text := getenv(variablePublicLog); text != "" {
		agreed, err := strconv.ParseBool(text)
		if err != nil {
			return s, &core.Failure{Doing: "understand " + variablePublicLog, Err: fmt.Errorf("%q is neither true nor false", text), Usage: true}
		}
		s.PublicLog = agreed
	}
	if text := getenv(variableKMSVariable); text != "" {
		s.PluginVariables = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	}
	return s, s.Check()
}

// Over returns s with what other leaves open.
func (s Signing) Over(other Signing) Signing {
	for _, row := range signingSettings() {
		*row.text(&s) = cmp.Or(*row.text(&s), *row.text(&other))
	}
	s.PublicLog = s.PublicLog || other.PublicLog
	if s.PluginVariables == nil {
		s.PluginVariables = other.PluginVariables
	}
	return s
}

// Check says what contradicts itself.
func (s Signing) Check() error {
	var err error
	switch {
	case s.Form != "" && !slices.Contains(SignatureForms(), s.Form):
		err = fmt.Errorf("there is no form %q; there are %s", s.Form, strings.Join(SignatureForms(), ", "))
	case s.Key != "" && s.IdentityToken != "":
		err = errors.New("a key signs, or an identity: not both")
	case s.Key != "" && s.FulcioURL != "":
		err = errors.New("a key needs no authority: --fulcio-url is for identities")
	case s.Key == "" && s.PasswordFile != "":
		err = errors.New("there is a password and no key")
	case s.TUFRoot != "" && s.TUFMirror == "":
		err = errors.New("there is a root of a TUF repository, and no mirror")
	}
	if err == nil {
		return nil
	}
	return &core.Failure{Doing: "understand how to sign", Err: err, Usage: true}
}

// Forms are those that a signature is written in by this signer.
func (s Signing) Forms(by attest.Signer) (bundle, tag bool) {
	switch s.Form {
	case FormBundle:
		return true, false
	case FormTag:
		return false, true
	case FormBoth:
		return true, true
	}
	return true, by.LegacyByDefault()
}

// Signer makes the one signer of a run. public says that everybody may read all that is signed.
func (g *Gate) Signer(ctx context.Context, s Signing, public bool) (attest.Signer, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return attest.NewSigner(ctx, attest.SignerOptions{Key: s.Key, PasswordFile: s.PasswordFile, PluginVariables: s.PluginVariables,
		IdentityToken: s.IdentityToken, SigningConfig: s.SigningConfig, FulcioURL: s.FulcioURL, RekorURL: s.RekorURL,
		TimestampURL: s.TimestampURL, TrustedRoot: s.TrustedRoot, TUFMirror: s.TUFMirror, TUFRoot: s.TUFRoot,
		PublicLog: s.PublicLog, PublicImage: public, Getenv: g.Getenv, Log: g.named("sign")})
}
