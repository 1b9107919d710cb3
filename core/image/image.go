// Package image reads one platform's image: the facts of its configuration, its layers as bounded and verified streams
// of files, and what the stack of layers adds up to (whiteouts, links), without unpacking anything.
//
// What is in the files is not looked at here; core/walk hands them to the analyzers.
package image

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// Image is one platform's image, parsed but not read.
type Image struct {
	Subject core.Subject
	// Facts are those of the configuration. The fields that only reading the layers tells (Uncompressed, Distro, Files)
	// are empty.
	Facts core.ImageFacts
	// Env are the variables of the configuration with their values. They may hold secrets: they are examined, and never
	// recorded or logged.
	Env []string
	// Layers are in the order of the manifest: the base is first.
	Layers []Layer
}

// Layer is one layer of an image.
type Layer struct {
	target.Layer
	// Index counts from 0, the base.
	Index int
	// DiffID is the digest of the uncompressed layer, as the configuration states it.
	DiffID core.Digest
	// CreatedBy and Created are of the history line that made the layer; zero if the configuration has none for it.
	CreatedBy string
	Created   time.Time
}

// Annotations and labels that name the base image.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys
const (
	annotationBaseName   = "org.opencontainers.image.base.name"
	annotationBaseDigest = "org.opencontainers.image.base.digest"
)

// Parse reads the configuration of an image and pairs its layers with their diff-ids and history. The error is a
// core.Failure that names the image.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
func Parse(t target.Image, l limit.Limits) (*Image, error) {
	fail := func(err error) (*Image, error) {
		return nil, &core.Failure{Doing: "read the configuration of image " + Name(t.Subject), Err: err}
	}
	l = l.Filled()
	if int64(len(t.Config)) > l.MetadataSize {
		return fail(&limit.Exceeded{Limit: "metadata-size", Max: l.MetadataSize, Unit: "bytes", What: "the configuration"})
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(t.Config))
	if err != nil {
		return fail(fmt.Errorf("it is not valid JSON of an image configuration: %w", err))
	}
	diffIDs := config.RootFS.DiffIDs
	switch {
	case len(diffIDs) == 0 && len(t.Layers) > 0:
		return fail(errors.New("it lists no diff-ids although the manifest has layers: " +
			"this is not a container image but another kind of artifact (a chart, a signature, an attestation)"))
	case len(diffIDs) != len(t.Layers):
		return fail(fmt.Errorf("it lists %d diff-ids but the manifest has %d layers", len(diffIDs), len(t.Layers)))
	}
	layers := make([]Layer, len(t.Layers))
	history := layerHistory(config.History, len(layers))
	for i, layer := range t.Layers {
		diffID, err := core.ParseDigest(diffIDs[i].String())
		if err != nil {
			return fail(fmt.Errorf("diff-id of layer %d: %w", i, err))
		}
		if _, err := core.ParseDigest(string(layer.Digest)); err != nil {
			return fail(fmt.Errorf("digest of layer %d: %w", i, err))
		}
		layers[i] = Layer{Layer: layer, Index: i, DiffID: diffID}
		if history != nil {
			layers[i].CreatedBy, layers[i].Created = history[i].CreatedBy, history[i].Created.Time
		}
	}
	return &Image{Subject: t.Subject, Facts: factsOf(t, config, layers), Env: config.Config.Env, Layers: layers}, nil
}

// Name is what messages call an image: the user's name for it, and its platform.
func Name(s core.Subject) string {
	name := s.Name
	if name == "" {
		name = string(s.Digest)
	}
	if s.Platform != nil {
		name += " (" + s.Platform.String() + ")"
	}
	return name
}

// layerHistory returns the history lines that made layers, or nil if they cannot be paired: builders may leave history
// out, wholly or in part, and a wrong line is worse than none.
func layerHistory(history []v1.History, layers int) []v1.History {
	made := slices.DeleteFunc(slices.Clone(history), func(h v1.History) bool { return h.EmptyLayer })
	if len(made) != layers {
		return nil
	}
	return made
}

func factsOf(t target.Image, config *v1.ConfigFile, layers []Layer) core.ImageFacts {
	c := config.Config
	facts := core.ImageFacts{
		Subject: t.Subject.Digest,
		Platform: core.Platform{
			OS: config.OS, Architecture: config.Architecture, Variant: config.Variant, OSVersion: config.OSVersion,
		},
		Created:      config.Created.Time,
		User:         c.User,
		ExposedPorts: slices.Sorted(maps.Keys(c.ExposedPorts)),
		EnvNames:     envNames(c.Env),
		Entrypoint:   c.Entrypoint,
		Cmd:          c.Cmd,
		WorkingDir:   c.WorkingDir,
		Volumes:      slices.Sorted(maps.Keys(c.Volumes)),
		StopSignal:   c.StopSignal,
		Healthcheck:  c.Healthcheck != nil && len(c.Healthcheck.Test) > 0 && c.Healthcheck.Test[0] != "NONE",
		Labels:       c.Labels,
		Base:         baseOf(t.Annotations, c.Labels),
	}
	for _, l := range layers {
		facts.Layers = append(facts.Layers, core.LayerFacts{
			Digest: l.Digest, DiffID: l.DiffID, Size: l.Size, MediaType: l.MediaType,
			CreatedBy: l.CreatedBy, Created: l.Created,
		})
	}
	return facts
}

// envNames keeps the names, in order, each once.
func envNames(env []string) []string {
	var names []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// baseOf prefers the manifest's annotations to the labels, which images inherit from their base.
func baseOf(sources ...map[string]string) *core.BaseImage {
	for _, s := range sources {
		base := core.BaseImage{Name: s[annotationBaseName]}
		if d, err := core.ParseDigest(s[annotationBaseDigest]); err == nil {
			base.Digest = d
		}
		if base != (core.BaseImage{}) {
			return &base
		}
	}
	return nil
}
