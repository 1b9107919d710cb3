package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

// maxReferences bounds what one statement may name.
const maxReferences = 16

// Referred reads what a statement of type TypeReference names, of the media types that are wanted, from the
// repository of its subject: what is elsewhere is not followed. The content is what the statement's signer meant,
// because it has the digest that the statement names.
func Referred(ctx context.Context, r *registry.Repository, predicate []byte, most int64,
	mediaTypes ...string) ([][]byte, error) {
	var p struct {
		References []struct {
			Location  string            `json:"downloadLocation"`
			Digest    map[string]string `json:"digest"`
			MediaType string            `json:"mediaType"`
		} `json:"references"`
	}
	if err := json.Unmarshal(predicate, &p); err != nil {
		return nil, fmt.Errorf("read a statement that names something: %w", err)
	}
	if len(p.References) > maxReferences {
		return nil, fmt.Errorf("a statement names %d things; at most %d are read", len(p.References), maxReferences)
	}
	var out [][]byte
	for _, ref := range p.References {
		if !slices.Contains(mediaTypes, ref.MediaType) {
			continue
		}
		_, named, _ := strings.Cut(ref.Location, "@")
		manifest, err := core.ParseDigest(named)
		if err != nil {
			return nil, errors.New("a statement names something without the digest of its manifest")
		}
		content, err := core.ParseDigest("sha256:" + ref.Digest["sha256"])
		if err != nil {
			return nil, errors.New("a statement names something without its digest")
		}
		raw, err := layerOf(ctx, r, manifest, content, most)
		if err != nil {
			return nil, fmt.Errorf("what a statement names: %w", err)
		}
		out = append(out, raw)
	}
	return out, nil
}

// layerOf reads the layer of a manifest that has that digest.
func layerOf(ctx context.Context, r *registry.Repository, manifest, content core.Digest, most int64) ([]byte, error) {
	m, err := r.Resolve(ctx, string(manifest))
	if err != nil {
		return nil, err
	}
	var holds struct {
		Layers []struct {
			Digest core.Digest `json:"digest"`
			Size   int64       `json:"size"`
		} `json:"layers"`
	}
	if err := json.Unmarshal(m.Raw, &holds); err != nil {
		return nil, fmt.Errorf("read its manifest: %w", err)
	}
	for _, l := range holds.Layers {
		switch {
		case l.Digest != content:
			continue
		case l.Size < 0 || l.Size > most:
			return nil, fmt.Errorf("it claims %d bytes; at most %d are read", l.Size, most)
		}
		return blob(ctx, r, l.Digest, l.Size)
	}
	return nil, errors.New("its manifest does not hold it")
}
