package attest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// target fetches what a TUF repository distributes: a private Sigstore's, or the public one's. Nothing is kept.
//
// https://theupdateframework.github.io/specification/latest/
func (o SignerOptions) target(ctx context.Context, name string) ([]byte, error) {
	first := tuf.DefaultRoot()
	u, err := serviceURL("--tuf-mirror", cmp.Or(o.TUFMirror, tuf.DefaultMirror))
	if err != nil {
		return nil, err
	}
	if o.TUFMirror != "" {
		if o.TUFRoot == "" {
			return nil, advice.Misuse("name the root.json that the repository began with, as --tuf-root",
				"nothing says whom to believe of what %s distributes", u.Host)
		}
		if first, err = o.document("root of a TUF repository", "tuf", o.TUFRoot); err != nil {
			return nil, err
		}
	}
	client, err := tuf.New(&tuf.Options{Root: first, RepositoryBaseURL: u.String(), DisableLocalCache: true, Context: ctx,
		Fetcher: mirror{ctx, o}})
	if err != nil {
		return nil, advice.Unavailable("name files in its place: --trusted-root and --signing-config",
			"read the TUF repository of %s: %w", u.Host, network.Cleaned(err))
	}
	raw, err := client.GetTarget(name)
	if err != nil {
		return nil, fmt.Errorf("read %s of the TUF repository of %s: %w", name, u.Host, network.Cleaned(err))
	}
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%s of the TUF repository of %s has more than %d bytes", name, u.Host, maxDocument)
	}
	return raw, nil
}

// mirror implements fetcher.Fetcher of go-tuf.
type mirror struct {
	ctx context.Context //nolint:containedctx // the interface hands on none
	o   SignerOptions
}

// DownloadFile implements fetcher.Fetcher.
func (m mirror) DownloadFile(at string, most int64, _ time.Duration) ([]byte, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, errors.New("the repository names no address")
	}
	req, err := http.NewRequestWithContext(m.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	body, _, _, err := m.o.ask(m.ctx, req, nil, http.StatusOK)
	var status *network.StatusError
	if errors.As(err, &status) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: status.Status, URL: at}
	}
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > most {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s has more than %d bytes", at, most)}
	}
	return body, nil
}
