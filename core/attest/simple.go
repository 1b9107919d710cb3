package attest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// SignPayload implements Signer.
func (s *signer) SignPayload(ctx context.Context, payload []byte) (signature.Simple, error) {
	made, err := s.signPayload(ctx, payload)
	return made, advice.Failure(ctx, "sign a payload "+s.options.means(), without(s.token.secrets(), err))
}

func (s *signer) signPayload(ctx context.Context, payload []byte) (signature.Simple, error) {
	about, err := payloadSubject(payload)
	if err != nil {
		return signature.Simple{}, err
	}
	bundle, err := s.sign(ctx, &sign.PlainData{Data: payload})
	if err != nil {
		return signature.Simple{}, err
	}
	made := signature.Simple{Payload: payload}
	if made.Annotations, err = s.annotations(bundle); err != nil {
		return signature.Simple{}, err
	}
	return made, s.accept(func(t signature.Trust) error {
		_, err := t.Signed(ctx, about, signature.Material{Simple: []signature.Simple{made}})
		return err
	})
}

// annotations say of a layer what a bundle says of its content. An entry of a log of the second version has no place
// there: nothing signed it for itself.
func (s *signer) annotations(b *protobundle.Bundle) (map[string]string, error) {
	made := map[string]string{signature.AnnotationSignature: base64.StdEncoding.EncodeToString(b.GetMessageSignature().GetSignature())}
	material := b.GetVerificationMaterial()
	if c := material.GetCertificate(); c != nil {
		made[signature.AnnotationCertificate] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.GetRawBytes()}))
		if chain := s.identity.chainPEM(); chain != "" {
			made[signature.AnnotationChain] = chain
		}
	}
	for _, e := range material.GetTlogEntries() {
		promise := e.GetInclusionPromise().GetSignedEntryTimestamp()
		if len(promise) == 0 {
			continue
		}
		raw, err := json.Marshal(map[string]any{"SignedEntryTimestamp": promise, "Payload": map[string]any{
			"body": e.GetCanonicalizedBody(), "integratedTime": e.GetIntegratedTime(), "logIndex": e.GetLogIndex(),
			"logID": hex.EncodeToString(e.GetLogId().GetKeyId())}})
		if err != nil {
			return nil, err
		}
		made[signature.AnnotationBundle] = string(raw)
		break
	}
	if stamps := material.GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) > 0 {
		raw, err := json.Marshal(map[string][]byte{"SignedRFC3161Timestamp": stamps[0].GetSignedTimestamp()})
		if err != nil {
			return nil, err
		}
		made[signature.AnnotationTimestamp] = string(raw)
	}
	return made, nil
}

// Payload is what the older form signs for a digest. The reference is for people: nobody goes by it.
//
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#simple-signing
func Payload(reference string, subject core.Digest) ([]byte, error) {
	if _, err := core.ParseDigest(string(subject)); err != nil {
		return nil, fmt.Errorf("make a payload about %q: %w", reference, err)
	}
	return json.Marshal(map[string]any{"critical": map[string]any{
		"identity": map[string]string{"docker-reference": reference},
		"image":    map[string]string{"docker-manifest-digest": string(subject)},
		"type":     "cosign container image signature",
	}, "optional": nil})
}

// payloadSubject returns the digest that a payload is about.
func payloadSubject(payload []byte) (core.Digest, error) {
	var said struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	if json.Unmarshal(payload, &said) != nil {
		return "", errors.New("it is no payload of a signature")
	}
	return core.ParseDigest(said.Critical.Image.Digest)
}
