package attest

import (
	"context"

	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// Signer signs. All that one run says is signed by one Signer, so that it asks for one certificate.
type Signer interface {
	// SignStatement signs an encoded statement and returns a Sigstore bundle, in JSON.
	//
	// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
	SignStatement(ctx context.Context, statement []byte) ([]byte, error)
	// SignPayload signs a payload in cosign's older form.
	//
	// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
	SignPayload(ctx context.Context, payload []byte) (signature.Simple, error)
	// LegacyByDefault reports whether the older form is written beside bundles if nobody says: it is where it carries as
	// much as they do. With the second version of the log it has no entry of it, and only a timestamp.
	LegacyByDefault() bool
	// Hosts are those that it asks, such as an authority and a log, sorted.
	Hosts() []string
}
