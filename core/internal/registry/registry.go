// Package registry speaks with OCI registries: it reads manifests, blobs and referrers by digest, and writes them, with
// the credentials that docker and podman keep and with patience. What it reads is not verified; whoever reads it does
// that.
//
// What manifests and blobs mean is none of its business: it is used for images, advisories and attestations alike.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// maxRedirects is how many redirects a request follows; registries send blobs from storage with one.
const maxRedirects = 5

// acceptedManifests is what we can read, so that a registry converts nothing.
var acceptedManifests = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1), string(types.DockerManifestList), string(types.DockerManifestSchema2),
}, ", ")

// digestLike is what may follow the @ of a reference: a digest, or what was meant to be one.
var digestLike = regexp.MustCompile(`^sha[0-9]+:[0-9a-zA-Z]*$`)

// Options say how registries are spoken with. The zero value has no credentials, default limits and default patience.
type Options struct {
	// Limits bound manifests and configuration files (MetadataSize); zero fields mean the defaults.
	Limits limit.Limits
	// Getenv looks up the environment: credentials and proxies. Nil means an empty environment.
	Getenv func(string) string
	// Log may be nil.
	Log hclog.Logger
	// UserAgent is what registries see; empty means "cleanbill".
	UserAgent string
	// Transport reaches registries; nil means one with the proxies of the environment.
	Transport http.RoundTripper
	// Patience is with the registry; zero fields mean the defaults.
	Patience network.Patience
	// Noun is what errors call the thing that is asked for; empty means "image".
	Noun string
	// Write asks for the right to push as well.
	Write bool
}

func (o Options) filled() Options {
	o.Limits = o.Limits.Filled()
	o.Patience = o.Patience.Filled()
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.UserAgent == "" {
		o.UserAgent = "cleanbill"
	}
	if o.Noun == "" {
		o.Noun = "image"
	}
	return o
}

// Repository is one repository of an OCI registry.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
type Repository struct {
	repo        name.Repository
	client      *http.Client
	credentials credentials
	options     Options
	pusher      *remote.Pusher // nil unless it was dialled for writing
}

// Manifest is a manifest as the registry sent it.
type Manifest struct {
	Raw []byte
	// Digest is the one that was asked for, or else announced, or else computed. Raw has it.
	Digest core.Digest
	// MediaType is as announced; it may be empty.
	MediaType string
}

// ParseReference reads NAME[:TAG][@DIGEST]. Registries on this machine may speak plain HTTP. What holds credentials is in no
// error.
func ParseReference(s string) (name.Reference, error) {
	if before, after, found := strings.Cut(s, "@"); found && (before == "" || !digestLike.MatchString(after)) {
		return nil, advice.Misuse("write NAME@ALGORITHM:DIGITS; credentials are given with docker login, or DOCKER_CONFIG",
			"what follows the @ is no digest, and what stands before it may be credentials")
	}
	ref, err := name.ParseReference(s)
	if err != nil {
		return nil, malformed(s)
	}
	if !network.IsLoopback(ref.Context().RegistryStr()) {
		return ref, nil
	}
	return name.ParseReference(s, name.Insecure)
}

// malformed says what is wrong with a reference that cannot be parsed, where the library shows it and says no more.
func malformed(s string) error {
	var err error
	switch {
	case s == "":
		return errors.New("it is empty")
	case strings.Contains(s, "://"):
		return errors.New("it is an address of the web, and the name of an image has no scheme")
	case strings.Contains(s, "@"):
		_, err = name.NewDigest(s)
	default:
		_, err = name.NewTag(s)
	}
	if err == nil {
		err = errors.New("it is not the name of an image")
	}
	return errors.New(redact.Limited(err.Error(), 300))
}

// DisplayName is the reference as docker prints it.
func DisplayName(ref name.Reference) string {
	n := ref.Name()
	if short, ok := strings.CutPrefix(n, name.DefaultRegistry+"/"); ok {
		return "docker.io/" + short
	}
	return n
}

// Dial finds out how the registry wants to be spoken to.
func Dial(ctx context.Context, repo name.Repository, o Options) (*Repository, error) {
	o = o.filled()
	creds, err := findCredentials(ctx, repo, o)
	if err != nil {
		return nil, err
	}
	base := o.Transport
	if base == nil {
		base = network.Transport(o.Getenv)
	}
	rt := network.Patient(shortGreeting{base}, o.Patience, network.IsLoopback(repo.RegistryStr()), o.Log)
	rt = transport.NewUserAgent(rt, o.UserAgent)
	scope := transport.PullScope
	if o.Write {
		scope = transport.PushScope
	}
	r := &Repository{repo: repo, credentials: creds, options: o}
	rt, err = transport.NewWithContext(ctx, repo.Registry, creds.Authenticator, rt, []string{repo.Scope(scope)})
	if err != nil {
		return nil, r.explain(err, "")
	}
	r.client = &http.Client{Transport: rt, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		}
		return nil
	}}
	r.pusher, err = r.newPusher()
	return r, err
}

// Name is the repository's, as docker prints it.
func (r *Repository) Name() string { return r.repo.Name() }

// shortGreeting ends the answer to GET /v2/ early, because go-containerregistry reads it to its end, wherever that is.
type shortGreeting struct{ inner http.RoundTripper }

func (s shortGreeting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.inner.RoundTrip(req)
	if err == nil && req.URL.Path == "/v2/" {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, network.MaxStatusBody), resp.Body}
	}
	return resp, err
}

// Resolve asks once for the manifest that a tag or digest names, and verifies it against the digest that was asked for
// or announced. From here on everything goes by digest.
func (r *Repository) Resolve(ctx context.Context, identifier string) (Manifest, error) {
	raw, header, err := r.fetchManifest(ctx, identifier, r.options.Limits.MetadataSize)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Raw: raw, Digest: verify.DigestOf(raw), MediaType: header.Get("Content-Type")}
	if d, err := core.ParseDigest(identifier); err == nil {
		m.Digest = d
		return m, wrongDigest(verify.Bytes(raw, verify.UnknownSize, d))
	}
	if announced := header.Get("Docker-Content-Digest"); announced != "" {
		d, err := core.ParseDigest(announced)
		if err != nil {
			return Manifest{}, fmt.Errorf("the registry announces the manifest with a malformed digest: %q", redact.Limited(announced, 100))
		}
		m.Digest = d
		return m, wrongDigest(verify.Bytes(raw, verify.UnknownSize, d))
	}
	return m, nil
}

// Manifest returns the manifest with that digest, at most size+1 bytes of it, not verified.
func (r *Repository) Manifest(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
	if _, err := core.ParseDigest(string(d)); err != nil {
		return nil, err
	}
	raw, _, err := r.fetchManifest(ctx, string(d), min(size, r.options.Limits.MetadataSize))
	return raw, err
}

// fetchManifest reads a manifest whole, again if the connection breaks meanwhile.
func (r *Repository) fetchManifest(ctx context.Context, identifier string, largest int64) (raw []byte, header http.Header, err error) {
	err = network.Attempts(ctx, r.options.Patience, func() error {
		var err error
		raw, header, err = r.fetchManifestOnce(ctx, identifier, largest)
		return err
	})
	if err != nil {
		return nil, nil, r.explain(err, "manifest")
	}
	return raw, header, nil
}

func (r *Repository) fetchManifestOnce(ctx context.Context, identifier string, largest int64) ([]byte, http.Header, error) {
	resp, err := r.get(ctx, "manifests/"+identifier, http.Header{"Accept": {acceptedManifests}})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, network.ReadStatus(resp)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, largest+1))
	if err != nil {
		return nil, nil, &network.BodyError{Err: err}
	}
	if int64(len(raw)) > largest && largest == r.options.Limits.MetadataSize {
		return nil, nil, &limit.Exceeded{Limit: "metadata-size", Max: largest, Unit: "bytes", What: "the manifest"}
	}
	return raw, resp.Header, nil
}

func wrongDigest(err error) error {
	if err == nil {
		return nil
	}
	return advice.Unavailable("the registry, or something between it and here, changes or mixes up content: use nothing from there",
		"the registry sent another manifest: %w", err)
}

func (r *Repository) get(ctx context.Context, what string, header http.Header) (*http.Response, error) {
	return r.do(ctx, http.MethodGet, what, header)
}

func (r *Repository) do(ctx context.Context, method, what string, header http.Header) (*http.Response, error) {
	// The transport corrects the scheme for registries that speak plain HTTP.
	what, query, _ := strings.Cut(what, "?")
	u := url.URL{Scheme: "https", Host: r.repo.RegistryStr(), Path: "/v2/" + r.repo.RepositoryStr() + "/" + what, RawQuery: query}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	return r.client.Do(req)
}

// Blob streams a blob of that many bytes, not verified, and goes on where it was when the connection breaks.
func (r *Repository) Blob(ctx context.Context, d core.Digest, size int64) (io.ReadCloser, error) {
	if _, err := core.ParseDigest(string(d)); err != nil {
		return nil, err // it would be a part of the address that is asked
	}
	b := &network.Body{
		Get:  func(h http.Header) (*http.Response, error) { return r.get(ctx, "blobs/"+string(d), h) },
		Size: size,
		Mismatch: func(actual int64) error {
			return &verify.MismatchError{Expected: d, ExpectedSize: size, ActualSize: actual}
		},
		Explain:  func(err error) error { return r.explain(err, "blob") },
		Patience: r.options.Patience, Log: r.options.Log, Name: string(d),
	}
	if err := b.Connect(ctx); err != nil {
		return nil, r.explain(err, "blob")
	}
	return b, nil
}
