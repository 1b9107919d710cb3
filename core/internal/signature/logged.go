//lint:file-ignore SA1019 It is deprecated because logs take none any more. What they took is read still.

package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	tiles "github.com/sigstore/rekor-tiles/v2/pkg/verify"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"
)

// Logs of the second version kept envelopes as entries of this kind once. They take none any more, and sigstore-go does not
// read them; cosign of the second version writes them, and what it signed stays signed.
//
// https://github.com/sigstore/rekor-tiles/blob/v2.0.1/api/proto/rekor/v2/dsse.proto
const (
	envelopeKind    = "dsse"
	envelopeVersion = "0.0.2"
)

// parsed is a bundle without the log entries that sigstore-go does not read, and those.
type parsed struct {
	*bundle.Bundle
	envelopes []*protorekor.TransparencyLogEntry
}

func parseBundle(raw []byte) (parsed, error) {
	var pb protobundle.Bundle
	if err := protojson.Unmarshal(raw, &pb); err != nil {
		return parsed{}, err
	}
	var p parsed
	if m := pb.GetVerificationMaterial(); m != nil {
		var rest []*protorekor.TransparencyLogEntry
		for _, e := range m.GetTlogEntries() {
			if k := e.GetKindVersion(); k.GetKind() == envelopeKind && k.GetVersion() == envelopeVersion {
				p.envelopes = append(p.envelopes, e)
			} else {
				rest = append(rest, e)
			}
		}
		m.TlogEntries = rest
	}
	var err error
	p.Bundle, err = bundle.NewBundle(&pb)
	return p, err
}

// logged reports whether the log entries taken out of the bundle say that its envelope was logged: each by a log that is
// trusted, and of that envelope and certificate. It is false without such entries, and an error if one says anything else.
func (p parsed) logged(r root.TrustedMaterial, certificate *x509.Certificate) (bool, error) {
	if len(r.RekorLogs()) == 0 {
		return false, nil
	}
	for _, e := range p.envelopes {
		if err := checkInclusion(r, e); err != nil {
			return false, err
		}
		if err := checkEntry(e.GetCanonicalizedBody(), p.GetDsseEnvelope(), certificate); err != nil {
			return false, fmt.Errorf("the log entry: %w", err)
		}
	}
	return len(p.envelopes) > 0, nil
}

// checkInclusion verifies that a log which is trusted has the entry.
func checkInclusion(r root.TrustedMaterial, e *protorekor.TransparencyLogEntry) error {
	log, ok := r.RekorLogs()[hex.EncodeToString(e.GetLogId().GetKeyId())]
	if !ok {
		return errors.New("the trusted root does not know the log of its entry")
	}
	if e.GetInclusionProof() == nil {
		return errors.New("the log entry proves nothing")
	}
	u, err := url.Parse(log.BaseURL)
	if err != nil || u.Hostname() == "" {
		return errors.New("the trusted root does not say where the log of its entry is, which is the log's name")
	}
	key, err := sigstore.LoadVerifier(log.PublicKey, log.SignatureHashFunc)
	if err != nil {
		return fmt.Errorf("use the key of the log: %w", err)
	}
	checkpoint, err := note.NewNoteVerifier(u.Hostname(), key)
	if err != nil {
		return fmt.Errorf("use the key of the log: %w", err)
	}
	if err := tiles.VerifyLogEntry(e, checkpoint); err != nil {
		return fmt.Errorf("the log entry: %w", err)
	}
	return nil
}

// checkEntry compares what was logged with an envelope and the certificate of its signer.
func checkEntry(body []byte, envelope *protodsse.Envelope, certificate *x509.Certificate) error {
	var entry rekortiles.Entry
	if err := protojson.Unmarshal(body, &entry); err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	logged := entry.GetSpec().GetDsseV002()
	if entry.GetKind() != envelopeKind || entry.GetApiVersion() != envelopeVersion || logged == nil {
		return fmt.Errorf("it is of the kind %.40q %.40q, and calls itself %s %s", entry.GetKind(), entry.GetApiVersion(), envelopeKind, envelopeVersion)
	}
	sum := sha256.Sum256(envelope.GetPayload())
	switch hash := logged.GetPayloadHash(); {
	case hash.GetAlgorithm() != protocommon.HashAlgorithm_SHA2_256 || !bytes.Equal(hash.GetDigest(), sum[:]):
		return errors.New("it is about another statement")
	case len(logged.GetSignatures()) != 1 || len(envelope.GetSignatures()) != 1:
		return errors.New("it does not hold one signature")
	}
	signed := logged.GetSignatures()[0]
	switch {
	case !bytes.Equal(signed.GetContent(), envelope.GetSignatures()[0].GetSig()):
		return errors.New("it holds another signature")
	case certificate == nil || !bytes.Equal(signed.GetVerifier().GetX509Certificate().GetRawBytes(), certificate.Raw):
		return errors.New("it holds another certificate")
	}
	return nil
}
