package gate

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// attesting is the signing and attaching of all that is said of one image.
type attesting struct {
	to      *registry.Repository
	signer  attest.Signer
	sayings *sayings
}

// all signs and attaches what was seen, the verdict that rests on it, and the signature. The older form is on its way
// meanwhile, because it has to settle.
func (a *attesting) all(ctx context.Context, evidence []saying, how Signing) ([]Attested, error) {
	bundled, tagged := how.Forms(a.signer)
	var out []Attested
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		out, err = a.bundles(ctx, evidence, bundled)
		return err
	})
	if tagged {
		for _, d := range a.sayings.everything() {
			g.Go(func() error { return a.older(ctx, d) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if tagged {
		for _, d := range a.sayings.everything() {
			out = append(out, Attested{Subject: d.Digest})
		}
	}
	return out, nil
}

// bundles signs what was seen, then the verdict, which names that, and the signature, and attaches all of it at once.
func (a *attesting) bundles(ctx context.Context, evidence []saying, signature bool) ([]Attested, error) {
	seen, err := a.sign(ctx, evidence)
	if err != nil {
		return nil, err
	}
	var inputs []attest.Resource
	for _, s := range seen {
		inputs = append(inputs, attest.Resource{URI: a.sayings.name + "@" + string(s[0].Digest()), Digest: s[0].ContentDigest()})
	}
	summary, err := a.sayings.summary(inputs)
	if err != nil {
		return nil, err
	}
	last := []saying{summary}
	if signature {
		last = append(last, a.sayings.signature())
	}
	verdict, err := a.sign(ctx, last)
	if err != nil {
		return nil, err
	}
	var attachments []attest.Attachment
	for i, s := range append(seen, verdict...) {
		if i < len(evidence) && evidence[i].apart != nil {
			attachments = append(attachments, *evidence[i].apart)
		}
		attachments = append(attachments, s...)
	}
	digests, err := attest.Attach(ctx, a.to, attachments)
	if err != nil {
		return nil, err
	}
	var out []Attested
	for i, x := range attachments {
		out = append(out, Attested{PredicateType: x.PredicateType, Subject: x.Subject.Digest, Digest: digests[i], Content: x.ContentDigest()})
	}
	return out, nil
}

// sign signs statements, several at a time, and returns the attachments of each.
func (a *attesting) sign(ctx context.Context, all []saying) ([][]attest.Attachment, error) {
	signed := make([][]attest.Attachment, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(runtime.GOMAXPROCS(0), 2))
	for i, s := range all {
		g.Go(func() (err error) {
			signed[i], err = attest.Sign(ctx, a.signer, s.Statement, s.about, a.sayings.result.Verdict.Time)
			return err
		})
	}
	return signed, g.Wait()
}

// older signs one manifest in cosign's older form.
func (a *attesting) older(ctx context.Context, d target.Descriptor) error {
	payload, err := attest.Payload(a.sayings.name, d.Digest)
	if err != nil {
		return err
	}
	signed, err := a.signer.SignPayload(ctx, payload)
	if err != nil {
		return err
	}
	if err := attest.AttachOlder(ctx, a.to, d.Digest, signed); err != nil {
		return fmt.Errorf("attach a signature of the older form: %w", err)
	}
	return nil
}
