package attest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// services are whom a signer asks. Each may be absent.
type services struct {
	fulcio *url.URL // gives certificates
	logs   []logAt
	stamps []*url.URL // confirm the time of signing
}

// logAt is a transparency log.
type logAt struct {
	url     *url.URL
	version uint32 // of its interface
}

// The services that Sigstore runs for everybody.
const (
	publicDomain = "sigstore.dev"
	publicFulcio = "https://fulcio." + publicDomain
	publicRekor  = "https://rekor." + publicDomain
)

// services reads who is to be asked. A key needs nobody; an identity at least the authority that confirms it, and what
// tells the time of that, because its certificate is valid for minutes.
func (o SignerOptions) services(ctx context.Context) (services, error) {
	var s services
	var err error
	raw, err := o.signingConfig(ctx)
	if err != nil {
		return s, err
	}
	if raw != nil {
		if s, err = readSigningConfig(raw); err != nil {
			return s, fmt.Errorf("read the signing configuration: %w", err)
		}
	}
	if o.Key != "" {
		s.fulcio = nil
	}
	if raw == nil && o.Key == "" && o.FulcioURL == "" && o.RekorURL == "" && o.TimestampURL == "" {
		o.FulcioURL, o.RekorURL = publicFulcio, publicRekor
	}
	if o.FulcioURL != "" && o.Key == "" {
		if s.fulcio, err = serviceURL("--fulcio-url", o.FulcioURL); err != nil {
			return s, err
		}
	}
	if o.RekorURL != "" {
		u, err := serviceURL("--rekor-url", o.RekorURL)
		if err != nil {
			return s, err
		}
		s.logs = []logAt{{u, 1}}
	}
	if o.TimestampURL != "" {
		u, err := serviceURL("--timestamp-url", o.TimestampURL)
		if err != nil {
			return s, err
		}
		s.stamps = []*url.URL{u}
	}
	return s, s.check(o)
}

// check says which of the services are missing.
func (s services) check(o SignerOptions) error {
	second := slices.ContainsFunc(s.logs, func(l logAt) bool { return l.version > 1 })
	switch {
	case o.Key != "":
		return nil
	case s.fulcio == nil:
		return advice.Misuse("name one with --fulcio-url or in --signing-config, or sign with a --key",
			"an identity needs an authority that confirms it, and none is named")
	case len(s.stamps) == 0 && (len(s.logs) == 0 || second):
		return advice.Misuse("name a timestamp authority with --timestamp-url or in --signing-config",
			"nothing would confirm when it was signed: the certificate of an identity is valid for minutes, and neither a log of "+
				"the first version nor a timestamp authority is named")
	}
	return nil
}

// signingConfig returns the text of the signing configuration; nil without one.
func (o SignerOptions) signingConfig(ctx context.Context) ([]byte, error) {
	switch {
	case o.SigningConfig != "":
		return o.document("signing configuration", "cosign signing-config create", o.SigningConfig)
	case o.TUFMirror != "" && o.Key == "" && o.FulcioURL == "":
		return o.target(ctx, "signing_config.v0.2.json")
	}
	return nil, nil
}

// maxDocument bounds a signing configuration or a trusted root, in bytes.
const maxDocument = 1 << 20

// document reads a file that is no secret.
func (o SignerOptions) document(what, made, path string) ([]byte, error) {
	raw, err := localfile.Read(path, maxDocument)
	if err != nil {
		return nil, advice.Misuse("make one with: "+made, "the %s %s cannot be read: %w", what, path, err)
	}
	return raw, nil
}

func readSigningConfig(raw []byte) (services, error) {
	var s services
	config, err := root.NewSigningConfigFromJSON(raw)
	if err != nil {
		return s, err
	}
	now := time.Now()
	if all := config.FulcioCertificateAuthorityURLs(); len(all) > 0 {
		one, err := root.SelectService(all, sign.FulcioAPIVersions, now)
		if err != nil {
			return s, fmt.Errorf("choose an authority: %w", err)
		}
		if s.fulcio, err = serviceURL("the authority", one.URL); err != nil {
			return s, err
		}
	}
	if all := config.RekorLogURLs(); len(all) > 0 {
		chosen, err := root.SelectServices(all, config.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
		if err != nil {
			return s, fmt.Errorf("choose a log: %w", err)
		}
		for _, one := range chosen {
			u, err := serviceURL("a log", one.URL)
			if err != nil {
				return s, err
			}
			s.logs = append(s.logs, logAt{u, one.MajorAPIVersion})
		}
	}
	if all := config.TimestampAuthorityURLs(); len(all) > 0 {
		chosen, err := root.SelectServices(all, config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
		if err != nil {
			return s, fmt.Errorf("choose a timestamp authority: %w", err)
		}
		for _, one := range chosen {
			u, err := serviceURL("a timestamp authority", one.URL)
			if err != nil {
				return s, err
			}
			s.stamps = append(s.stamps, u)
		}
	}
	return s, nil
}

// serviceURL reads an address: encrypted, or of this machine, and without credentials.
func serviceURL(what, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, advice.Misuse("write it as https://HOST", "%s is no address of a service", what)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, advice.Misuse("write it as https://HOST", "%s names a service by more than host and path", what)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && network.IsLoopback(u.Host)) {
		return nil, advice.Misuse("write it as https://HOST", "%s (%s) is not encrypted", what, u.Host)
	}
	return u, nil
}

func (s services) urls() []*url.URL {
	var all []*url.URL
	if s.fulcio != nil {
		all = append(all, s.fulcio)
	}
	for _, l := range s.logs {
		all = append(all, l.url)
	}
	return append(all, s.stamps...)
}

// hosts are those that are asked, with others, sorted.
func (s services) hosts(others []string) []string {
	all := slices.Clone(others)
	for _, u := range s.urls() {
		all = append(all, u.Host)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// public returns the first service that shows to everybody what it is told; empty if there is none. A timestamp
// authority is told a digest of the signature, and keeps nothing.
func (s services) public() string {
	var all []*url.URL
	if s.fulcio != nil {
		all = append(all, s.fulcio)
	}
	for _, l := range s.logs {
		all = append(all, l.url)
	}
	for _, u := range all {
		host := strings.ToLower(u.Hostname())
		if host == publicDomain || strings.HasSuffix(host, "."+publicDomain) {
			return u.Host
		}
	}
	return ""
}

// consent refuses to tell a public service of a private image. Without knowing what is private, everything is.
func (o SignerOptions) consent(s services) error {
	host := s.public()
	if host == "" || o.PublicLog || o.PublicImage {
		return nil
	}
	hint, who := "leave the log out, or agree with --public-log", ""
	if o.Key == "" {
		hint = "sign with a --key, name a private Sigstore with --signing-config, or agree with --public-log"
		who = "no key is named, so that an identity would sign, and "
	}
	return advice.Misuse(hint, "%s%s is public: it keeps for ever, and shows to everybody, who signed and when, with the names of "+
		"repository and workflow that the identity holds; whether the image is public is not known", who, host)
}

// root reads what confirms what the services say; nil without any.
func (o SignerOptions) root(ctx context.Context, s services) (root.TrustedMaterial, error) {
	var raw []byte
	var err error
	switch {
	case o.TrustedRoot != "":
		raw, err = o.document("trusted root", "cosign trusted-root create", o.TrustedRoot)
	case o.TUFMirror != "", s.public() != "":
		raw, err = o.target(ctx, "trusted_root.json")
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := signature.ParseRoot(raw)
	if err != nil {
		return nil, advice.Misuse("make one with: cosign trusted-root create", "the trusted root: %w", err)
	}
	return r, nil
}
