package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/target"
	"github.com/google/go-containerregistry/pkg/name"
)

// Publishing is where an image goes once it passed, and who signs it.
type Publishing struct {
	// Reference is the repository and the tag that names the image in the end. With a digest in place of the tag the image
	// is signed where it is, and no name is set.
	Reference string
	// Attached copies what belongs to the image in the registry that it comes from.
	Attached bool
	Signing  Signing
	// StatementSize bounds one statement, in bytes; 0 is DefaultStatementSize. A larger bill of materials and larger
	// evidence are kept beside the image and named by digest.
	StatementSize int
	// Build is how the image was built, as far as the platform says it; nil where nobody does.
	Build *Build
}

// InPlace reports whether the image is signed where it is, and no name is set.
func (p Publishing) InPlace() bool {
	ref, err := registry.ParseReference(strings.TrimPrefix(p.Reference, "registry:"))
	return err == nil && staysOf(ref)
}

// Build is how an image was built, as far as a platform says it.
type Build = attest.Build

// publisher is a Publishing that makes sense.
type publisher struct {
	gate   *Gate
	plan   Publishing
	to     name.Reference // a digest if the image stays where it is
	signer attest.Signer
}

// publisher checks, before anything is examined, that what is judged could be published at all; nil if it is not to be.
func (g *Gate) publisher(ctx context.Context, p *Plan) (*publisher, error) {
	if p.Publish == nil {
		return nil, nil
	}
	wrong := func(hint, format string, arguments ...any) (*publisher, error) {
		return nil, &core.Failure{Doing: "publish as " + shown(p.Publish.Reference), Err: fmt.Errorf(format, arguments...),
			Hint: hint, Usage: true}
	}
	o := &publisher{gate: g, plan: *p.Publish}
	var err error
	inPlace := p.Publish.InPlace() && slices.ContainsFunc(p.Targets, func(t string) bool {
		return strings.TrimPrefix(t, "registry:") == strings.TrimPrefix(p.Publish.Reference, "registry:")
	})
	if inPlace {
		o.to, err = registry.ParseReference(strings.TrimPrefix(p.Publish.Reference, "registry:"))
	} else {
		o.to, err = parseTag(p.Publish.Reference)
	}
	if err != nil {
		return wrong("name a repository and a tag, as registry.example/team/app:1.4", "%w", err)
	}
	if o.plan.Attached || inPlace {
		if _, err := target.InRegistry(p.Targets[0]); err != nil {
			return wrong(advice.HintOf(err), "%s: %w", shown(p.Targets[0]), err)
		}
	}
	switch {
	case len(p.Platforms) > 0:
		return wrong("judge all of it", "only some of its platforms are judged, and all of them would be published")
	case p.Baseline != "":
		return wrong("leave the baseline out", "what is published is judged in full, without a baseline")
	case p.Publish.StatementSize < 0:
		return wrong("", "a statement has no negative size")
	}
	p.Full = true
	o.signer, err = g.Signer(ctx, p.Publish.Signing, false)
	return o, err
}

// publication says what is to become of what passes; nil if nothing is.
func (o *publisher) publication() *core.Publication {
	if o == nil {
		return nil
	}
	p := &core.Publication{Reference: o.to.Name()}
	for _, host := range o.signer.Hosts() {
		p.Granted = append(p.Granted, "network: "+host)
	}
	return p
}

// parseTag reads a reference that has to name a tag.
func parseTag(s string) (name.Tag, error) {
	ref, err := registry.ParseReference(s)
	if err != nil {
		return name.Tag{}, err
	}
	tag, ok := ref.(name.Tag)
	if !ok || !strings.HasSuffix(s, ":"+tag.TagStr()) {
		return name.Tag{}, errors.New("it names no tag")
	}
	return tag, nil
}

// staysOf reports whether a reference names an image that is there, and no name for one.
func staysOf(ref name.Reference) bool {
	_, digest := ref.(name.Digest)
	return digest
}

// publish pushes what was judged, attests it, and gives it its name, in this order: under the name there is nothing that was
// not judged and signed, at any moment.
func (o *publisher) publish(ctx context.Context, kept []*target.Target, r *Result) (_ *Published, err error) {
	defer func() {
		var known *core.Failure
		if err != nil && !errors.As(err, &known) {
			err = advice.Failure(ctx, "publish "+o.to.Name(), err)
		}
	}()
	t, err := o.only(kept, r)
	if err != nil {
		return nil, err
	}
	content, _ := t.Content()
	s, err := o.sayings(t, content, r)
	if err != nil {
		return nil, err
	}
	evidence, err := s.evidence()
	if err != nil {
		return nil, err
	}
	repository, err := registry.Dial(ctx, o.to.Context(), registry.Options{
		Getenv: o.gate.Getenv, Log: o.gate.named("registry"), UserAgent: "cleanbill/" + o.gate.Version, Write: true, Patience: o.gate.Patience,
	})
	if err != nil {
		return nil, err
	}
	o.gate.tell(Event{Kind: EventPushing, Target: o.to.Name()})
	if err := o.push(ctx, repository, t, content); err != nil {
		return nil, err
	}
	published := &Published{Reference: o.to.Name(), Digest: s.top.Digest, Hosts: o.signer.Hosts()}
	if published.Attestations, err = (&attesting{repository, o.signer, s}).all(ctx, evidence, o.plan.Signing); err != nil {
		return nil, err
	}
	if staysOf(o.to) {
		return published, nil
	}
	if err := attest.Tag(ctx, repository, o.to.Identifier(), content); err != nil {
		return nil, err
	}
	return published, nil
}

// push brings the image to the repository, unless it is to be signed where it is.
func (o *publisher) push(ctx context.Context, to *registry.Repository, t *target.Target, content target.Content) error {
	if staysOf(o.to) {
		if d := t.Subject.Digest; t.Repository == nil || t.Repository.Name() != to.Name() || string(d) != o.to.Identifier() {
			return fmt.Errorf("what was judged is %s@%s, and no other image is signed", t.Subject.Name, d)
		}
		return nil
	}
	if o.plan.Attached && t.Repository == nil { // a file of that name, which only opening it showed
		return &core.Failure{Doing: "copy " + t.Subject.Name, Usage: true, Err: errors.New("it is in no registry"),
			Hint: "publish it with: cleanbill gate TARGET --push " + o.to.Name()}
	}
	if err := attest.Push(ctx, to, content); err != nil {
		return err
	}
	if !o.plan.Attached {
		return nil
	}
	_, err := attest.CopyAttached(ctx, to, t.Repository, content)
	return err
}

// only returns the one image that is published, still open.
func (o *publisher) only(kept []*target.Target, r *Result) (*target.Target, error) {
	if len(kept) != 1 {
		how := "none of the targets is an image"
		if len(kept) > 1 {
			how = fmt.Sprintf("%d of the targets are images, and only one can get the name", len(kept))
		}
		return nil, &core.Failure{Doing: "publish as " + o.to.Name(), Usage: true, Err: errors.New(how),
			Hint: "name the image, and besides it at most its sources"}
	}
	if !slices.ContainsFunc(r.Evidence.Subjects, func(s core.Subject) bool { return s.Digest == kept[0].Subject.Digest }) {
		return nil, fmt.Errorf("%s was not judged", kept[0].Subject.Digest)
	}
	return kept[0], nil
}

// sayings says what is to be said of a target and its platforms.
func (o *publisher) sayings(t *target.Target, content target.Content, r *Result) (*sayings, error) {
	top, _ := content.Root()
	s := &sayings{gate: o.gate, result: r, name: o.to.Context().Name(), top: top, build: o.plan.Build, largest: o.plan.StatementSize}
	if s.largest == 0 {
		s.largest = DefaultStatementSize
	}
	for _, i := range t.Images {
		s.platforms = append(s.platforms, target.Descriptor{MediaType: i.Subject.MediaType, Digest: i.Subject.Digest, Size: int64(len(i.Manifest))})
	}
	return s, nil
}
