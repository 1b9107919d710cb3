package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// transparency makes the library's writer of a log reach it by our way.
func (s *signer) transparency(ctx context.Context, l logAt) sign.Transparency {
	return sign.NewRekor(&sign.RekorOptions{BaseURL: l.url.String(), Version: l.version,
		Client: firstLog{ctx, s.options, l.url}, ClientV2: secondLog{s.options, l.url}})
}

// firstLog writes to a Rekor of the first version. It implements sign.RekorClient.
//
// https://github.com/sigstore/rekor/blob/main/openapi.yaml
type firstLog struct {
	ctx context.Context //nolint:containedctx // the interface hands on none
	o   SignerOptions
	url *url.URL
}

// CreateLogEntry implements sign.RekorClient.
func (l firstLog) CreateLogEntry(params *entries.CreateLogEntryParams, _ ...entries.ClientOption) (*entries.CreateLogEntryCreated, error) {
	req, err := post(l.ctx, l.url, "api/v1/log/entries", params.ProposedEntry)
	if err != nil {
		return nil, err
	}
	body, header, status, err := l.o.ask(l.ctx, req, nil, http.StatusCreated, http.StatusConflict)
	if err != nil {
		return nil, err
	}
	if status == http.StatusConflict { // the same was logged before: a rerun
		if body, err = l.existing(header.Get("Location")); err != nil {
			return nil, err
		}
	}
	var answer models.LogEntry
	if json.Unmarshal(body, &answer) != nil || len(answer) != 1 {
		return nil, fmt.Errorf("%s does not answer with one entry of a log", l.url.Host)
	}
	for id, entry := range answer {
		if !whole(entry) {
			return nil, fmt.Errorf("%s answers with half an entry of a log", l.url.Host)
		}
		return &entries.CreateLogEntryCreated{ETag: id, Payload: answer}, nil
	}
	return nil, errors.New("no entry")
}

// existing reads the entry that the log has already.
func (l firstLog) existing(location string) ([]byte, error) {
	at, err := url.Parse(location)
	id := location[strings.LastIndex(location, "/")+1:]
	if err != nil || id == "" || strings.Trim(id, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("%s has the entry already, and does not say where", l.url.Host)
	}
	_ = at // only the name of the entry counts: it is on the same server
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, l.url.JoinPath("api/v1/log/entries", id).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	body, _, _, err := l.o.ask(l.ctx, req, nil, http.StatusOK)
	return body, err
}

// whole reports whether an entry has the parts that the library takes for granted.
func whole(e models.LogEntryAnon) bool {
	if e.LogID == nil || e.LogIndex == nil || e.IntegratedTime == nil || e.Verification == nil || e.Verification.InclusionProof == nil {
		return false
	}
	p := e.Verification.InclusionProof
	return p.RootHash != nil && p.LogIndex != nil && p.TreeSize != nil && p.Checkpoint != nil
}

// secondLog writes to a Rekor of the second version. It implements sign.RekorV2Client.
//
// https://github.com/sigstore/rekor-tiles/blob/main/api/proto/rekor/v2/rekor_service.proto
type secondLog struct {
	o   SignerOptions
	url *url.URL
}

// Add implements sign.RekorV2Client.
func (l secondLog) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	hashed, ok := entry.(*rekortiles.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("a log does not take a %T", entry)
	}
	raw, err := protojson.Marshal(&rekortiles.CreateEntryRequest{
		Spec: &rekortiles.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: hashed}})
	if err != nil {
		return nil, err
	}
	req, err := post(ctx, l.url, "api/v2/log/entries", raw)
	if err != nil {
		return nil, err
	}
	body, _, _, err := l.o.ask(ctx, req, nil, http.StatusCreated, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var made protorekor.TransparencyLogEntry
	if err := protojson.Unmarshal(body, &made); err != nil {
		return nil, fmt.Errorf("%s does not answer with an entry of a log", l.url.Host)
	}
	return &made, nil
}
