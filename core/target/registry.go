package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// maxRedirects is how many redirects a request follows; registries send blobs from storage with one.
const maxRedirects = 5

// acceptedManifests is what we can read, so that a registry converts nothing.
var acceptedManifests = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1), string(types.DockerManifestList), string(types.DockerManifestSchema2),
}, ", ")

// registry is one repository of an OCI registry.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull
type registry struct {
	repo        name.Repository
	client      *http.Client
	credentials credentials
	options     Options
}

// parseRegistryReference reads NAME[:TAG][@DIGEST]. Registries on this machine may speak plain HTTP.
func parseRegistryReference(s string) (name.Reference, error) {
	ref, err := name.ParseReference(s)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(printable(err.Error(), 300), "could not parse reference: "))
	}
	if !isLoopback(ref.Context().RegistryStr()) {
		return ref, nil
	}
	return name.ParseReference(s, name.Insecure)
}

// displayName is the reference as docker prints it.
func displayName(ref name.Reference) string {
	n := ref.Name()
	if short, ok := strings.CutPrefix(n, name.DefaultRegistry+"/"); ok {
		return "docker.io/" + short
	}
	return n
}

func openRegistry(ctx context.Context, ref name.Reference, o Options) (*Target, error) {
	r, err := dialRegistry(ctx, ref.Context(), o)
	if err != nil {
		return nil, err
	}
	top, err := r.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	return assemble(ctx, r, top, o)
}

// dialRegistry finds out how the registry wants to be spoken to.
func dialRegistry(ctx context.Context, repo name.Repository, o Options) (*registry, error) {
	creds, err := findCredentials(ctx, repo, o)
	if err != nil {
		return nil, err
	}
	base := o.Transport
	if base == nil {
		base = defaultTransport(o.Getenv)
	}
	var rt http.RoundTripper = watched{base, o.network.header, o.network.idle}
	rt = shortGreeting{rt}
	rt = encrypted{rt, isLoopback(repo.RegistryStr())}
	rt = retrying{rt, o.network, o.Log}
	rt = transport.NewUserAgent(rt, o.UserAgent)
	r := &registry{repo: repo, credentials: creds, options: o}
	rt, err = transport.NewWithContext(ctx, repo.Registry, creds.Authenticator, rt, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, r.explain(err, "")
	}
	r.client = &http.Client{Transport: rt, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		}
		return nil
	}}
	return r, nil
}

// resolve asks once for the manifest that the reference names. From here on everything goes by digest.
func (r *registry) resolve(ctx context.Context, ref name.Reference) (root, error) {
	raw, header, err := r.fetchManifest(ctx, ref.Identifier(), r.options.Limits.MetadataSize)
	if err != nil {
		return root{}, err
	}
	top := root{name: displayName(ref), raw: raw, digest: digestOf(raw), contentType: header.Get("Content-Type")}
	if d, err := core.ParseDigest(ref.Identifier()); err == nil {
		top.digest = d
		return top, wrongDigest(verify.Bytes(raw, verify.UnknownSize, d))
	}
	if announced := header.Get("Docker-Content-Digest"); announced != "" {
		d, err := core.ParseDigest(announced)
		if err != nil {
			return root{}, fmt.Errorf("the registry announces the manifest with a malformed digest: %q", printable(announced, 100))
		}
		top.digest = d
		return top, wrongDigest(verify.Bytes(raw, verify.UnknownSize, d))
	}
	return top, nil
}

func wrongDigest(err error) error {
	if err == nil {
		return nil
	}
	return unavailable("the registry, or something between it and here, changes or mixes up content: do not use this image from there",
		"the registry sent another manifest: %w", err)
}

func (r *registry) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	raw, _, err := r.fetchManifest(ctx, string(d.Digest), min(d.Size, r.options.Limits.MetadataSize))
	return raw, err
}

// fetchManifest reads a manifest whole, again if the connection breaks meanwhile.
func (r *registry) fetchManifest(ctx context.Context, identifier string, largest int64) ([]byte, http.Header, error) {
	for attempt := 1; ; attempt++ {
		raw, header, err := r.fetchManifestOnce(ctx, identifier, largest)
		if err == nil {
			return raw, header, nil
		}
		if isHang(err) {
			attempt += hangCost
		}
		if ctx.Err() != nil || !resumable(err) || attempt >= r.options.network.attempts {
			return nil, nil, r.explain(err, "manifest")
		}
		if err := sleep(ctx, r.options.network.backoff(attempt)); err != nil {
			return nil, nil, err
		}
	}
}

func (r *registry) fetchManifestOnce(ctx context.Context, identifier string, largest int64) ([]byte, http.Header, error) {
	resp, err := r.get(ctx, "manifests/"+identifier, http.Header{"Accept": {acceptedManifests}})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, readStatus(resp)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, largest+1))
	if err != nil {
		return nil, nil, &bodyError{err}
	}
	if int64(len(raw)) > largest && largest == r.options.Limits.MetadataSize {
		return nil, nil, tooLarge("the manifest", largest)
	}
	return raw, resp.Header, nil
}

func (r *registry) get(ctx context.Context, what string, header http.Header) (*http.Response, error) {
	// The transport corrects the scheme for registries that speak plain HTTP.
	u := url.URL{Scheme: "https", Host: r.repo.RegistryStr(), Path: "/v2/" + r.repo.RepositoryStr() + "/" + what}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	return r.client.Do(req)
}

// blob streams a blob, and goes on where it was when the connection breaks.
func (r *registry) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	b := &blobReader{ctx: ctx, registry: r, d: d}
	if err := b.connect(); err != nil {
		return nil, r.explain(err, "blob")
	}
	return b, nil
}

type blobReader struct {
	ctx      context.Context //nolint:containedctx // the reader asks again on its behalf
	registry *registry
	d        descriptor
	body     io.ReadCloser
	n        int64 // bytes handed out
	noRanges bool  // the server refused one
	resumes  int
	err      error // sticky
}

// connect asks for the rest of the blob.
func (b *blobReader) connect() error {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if b.n > 0 && !b.noRanges {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.n, b.d.Size-1))
	}
	resp, err := b.registry.get(b.ctx, "blobs/"+string(b.d.Digest), header)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && !b.noRanges {
		resp.Body.Close()
		b.noRanges = true
		return b.connect()
	}
	if err := b.accept(resp); err != nil {
		resp.Body.Close()
		return err
	}
	b.body = resp.Body
	return nil
}

func (b *blobReader) accept(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.ContentLength >= 0 && resp.ContentLength != b.d.Size {
			return &verify.MismatchError{Expected: b.d.Digest, ExpectedSize: b.d.Size, ActualSize: resp.ContentLength}
		}
		// A server that knows no ranges starts anew.
		if _, err := io.CopyN(io.Discard, resp.Body, b.n); err != nil {
			return &bodyError{err}
		}
		return nil
	case http.StatusPartialContent:
		start, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "-")
		if start != strconv.FormatInt(b.n, 10) {
			return fmt.Errorf("asked for the bytes from %d on, the registry sent %q", b.n, printable(resp.Header.Get("Content-Range"), 80))
		}
		return nil
	default:
		return readStatus(resp)
	}
}

func (b *blobReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	for {
		n, err := b.body.Read(p)
		b.n += int64(n)
		switch {
		case b.n > b.d.Size:
			b.err = &verify.MismatchError{Expected: b.d.Digest, ExpectedSize: b.d.Size, ActualSize: b.n}
			return 0, b.err
		case err == nil:
			return n, nil
		case b.n == b.d.Size && errors.Is(err, io.EOF):
			b.err = io.EOF
			return n, b.err
		}
		if err := b.resume(&bodyError{err}); err != nil {
			b.err = b.registry.explain(err, "blob")
		}
		if n > 0 || b.err != nil {
			return n, b.err
		}
	}
}

// resume connects again after the connection ended with err before the blob did.
func (b *blobReader) resume(err error) error {
	b.body.Close()
	b.body = http.NoBody
	for {
		if b.ctx.Err() != nil || !resumable(err) {
			return err
		}
		b.resumes++
		if isHang(err) {
			b.resumes += hangCost
		}
		if b.resumes > b.registry.options.network.resumes {
			return fmt.Errorf("too many interruptions, the last after %d of %d bytes: %w", b.n, b.d.Size, err)
		}
		delay := b.registry.options.network.backoff(b.resumes)
		b.registry.options.Log.Debug("connection broke in a blob, resuming", "digest", b.d.Digest, "at", b.n, "in", delay,
			"because", printable(leaf(err).Error(), 200))
		if err := sleep(b.ctx, delay); err != nil {
			return err
		}
		if err = b.connect(); err == nil {
			return nil
		}
	}
}

// hangCost is how many resumes a hang counts for besides its own, because each takes the whole timeout.
const hangCost = 3

// bodyError is the error of a body that ended too early. Errors before the body were already retried by the transport.
type bodyError struct{ err error }

func (e *bodyError) Error() string {
	if errors.Is(e.err, io.EOF) {
		return "it ended too early"
	}
	return e.err.Error()
}
func (e *bodyError) Unwrap() error { return e.err }

// resumable reports whether the rest may come over a new connection.
func resumable(err error) bool {
	var body *bodyError
	return errors.As(err, &body) && (isHang(body.err) || isInterruption(body.err))
}

func isHang(err error) bool {
	var hung *timeoutError
	return errors.As(err, &hung)
}

func (b *blobReader) Close() error {
	if b.err == nil {
		b.err = errors.New("read after close")
	}
	return b.body.Close()
}

var _ store = (*registry)(nil)
