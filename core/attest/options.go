package attest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// SignerOptions say who signs, and what confirms it. With a Key that signs; without one, whoever an identity token names,
// to whom an authority gives a certificate for a key that lives as long as the run.
type SignerOptions struct {
	// Key is a file, env://NAME for the key itself in a variable, or a reference to a key management service.
	Key string
	// PasswordFile holds the password of an encrypted key. Without it the variable COSIGN_PASSWORD does.
	PasswordFile string
	// PluginVariables are names of variables that the program of a key management service gets besides those that are
	// known to be for it.
	PluginVariables []string
	// PluginTime is how long such a program may take for one answer; zero for a minute.
	PluginTime time.Duration
	// IdentityToken is a token or a file that holds one. Without it the platform's own is asked for.
	IdentityToken string

	// SigningConfig is a file that names services, as "cosign signing-config create" writes it. The addresses below come
	// instead of its own. RekorURL is that of a log of the first version.
	SigningConfig, FulcioURL, RekorURL, TimestampURL string
	// TrustedRoot is a file that confirms what the services say, as "cosign trusted-root create" writes it. TUFMirror is
	// where it and a signing configuration come from without files, and TUFRoot the file that this begins with.
	TrustedRoot, TUFMirror, TUFRoot string

	// PublicLog is consent to what a public service keeps for ever and shows to everybody: who signed, and what.
	PublicLog bool
	// PublicImage says that everybody may read what is signed, which needs no consent.
	PublicImage bool

	// Getenv reads the environment: passwords, tokens and proxies.
	Getenv func(string) string
	// Log may be nil.
	Log hclog.Logger
	// Transport reaches the services; nil for one through the proxies of the environment.
	Transport http.RoundTripper
	// Patience is that with the services.
	Patience network.Patience
}

// NewSigner makes a signer. It reads keys and asks for an identity token at once, so that what is missing is said before
// anything is done, and asks for a certificate with the first signature.
func NewSigner(ctx context.Context, o SignerOptions) (Signer, error) {
	o = o.filled()
	s, err := newSigner(ctx, o)
	if err != nil {
		return nil, advice.Failure(ctx, "prepare to sign "+o.means(), err)
	}
	return s, nil
}

func newSigner(ctx context.Context, o SignerOptions) (*signer, error) {
	config, err := o.services(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.consent(config); err != nil {
		return nil, err
	}
	s := &signer{options: o, services: config}
	if s.root, err = o.root(ctx, config); err != nil {
		return nil, err
	}
	if o.Key == "" {
		return s, s.useIdentity(ctx)
	}
	return s, s.useKey(ctx)
}

func (o SignerOptions) filled() SignerOptions {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Transport == nil {
		o.Transport = network.Transport(o.Getenv)
	}
	o.PluginTime = cmp.Or(o.PluginTime, time.Minute)
	o.Patience.Attempts = cmp.Or(o.Patience.Attempts, 3)
	o.Patience = o.Patience.Filled()
	return o
}

// means says in a message how it is signed. A key's reference may not be more than one: a key pasted in its place stays
// out of messages.
func (o SignerOptions) means() string {
	switch {
	case o.Key == "":
		return "with an identity"
	case strings.Contains(o.Key, "PRIVATE KEY"):
		return "with a key"
	}
	return "with the key " + o.Key
}

// maxSecret bounds a key, a password or a token, in bytes.
const maxSecret = 64 << 10

// secretFile reads a file that holds a secret, whose text is in no error.
func secretFile(path string) ([]byte, error) {
	raw, err := localfile.Read(path, maxSecret)
	if errors.Is(err, os.ErrNotExist) {
		return nil, advice.Misuse("check the path", "there is no file %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return raw, nil
}
