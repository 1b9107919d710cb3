// Command validate checks Tekton manifests as the cluster's admission webhook does: it decodes them strictly, applies
// Tekton's defaults and calls Tekton's own validation of the types.
//
// Usage: validate FILE...
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"github.com/tektoncd/pipeline/pkg/apis/pipeline/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"knative.dev/pkg/apis"
	syaml "sigs.k8s.io/yaml"
)

// resource is what every Tekton type can do.
type resource interface {
	metav1.Object
	apis.Defaultable
	apis.Validatable
}

func main() {
	failed := len(os.Args) < 2
	for _, path := range os.Args[1:] {
		kinds, err := validate(path)
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			continue
		}
		fmt.Printf("%s: valid (%s)\n", path, strings.Join(kinds, ", "))
	}
	if failed {
		os.Exit(1)
	}
}

// validate returns the kinds of the documents in the file at path. A file without documents is an error.
func validate(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	documents := yaml.NewYAMLToJSONDecoder(f)
	var kinds []string
	for {
		var document map[string]any
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if document == nil {
			continue
		}
		kind, err := validateDocument(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(kinds)+1, err)
		}
		kinds = append(kinds, kind)
	}
	if len(kinds) == 0 {
		return nil, errors.New("holds no document")
	}
	return kinds, nil
}

func validateDocument(document map[string]any) (string, error) {
	apiVersion, _ := document["apiVersion"].(string)
	kind, _ := document["kind"].(string)
	into, err := typeOf(schema.FromAPIVersionAndKind(apiVersion, kind))
	if err != nil {
		return "", err
	}
	raw, err := syaml.Marshal(document)
	if err != nil {
		return "", err
	}
	if err := syaml.UnmarshalStrict(raw, into); err != nil {
		return "", err
	}
	// The API server makes the name before it asks the webhook.
	if into.GetName() == "" && into.GetGenerateName() != "" {
		into.SetName(into.GetGenerateName() + "x")
	}
	ctx := apis.WithinCreate(context.Background())
	into.SetDefaults(ctx)
	if err := into.Validate(ctx); err != nil {
		return "", err
	}
	return kind, nil
}

func typeOf(gvk schema.GroupVersionKind) (resource, error) {
	switch gvk.GroupVersion().String() + " " + gvk.Kind {
	case "tekton.dev/v1 Task":
		return &v1.Task{}, nil
	case "tekton.dev/v1 TaskRun":
		return &v1.TaskRun{}, nil
	case "tekton.dev/v1 Pipeline":
		return &v1.Pipeline{}, nil
	case "tekton.dev/v1 PipelineRun":
		return &v1.PipelineRun{}, nil
	case "tekton.dev/v1beta1 StepAction":
		return &v1beta1.StepAction{}, nil
	default:
		return nil, fmt.Errorf("%s is no Tekton type that this program knows", gvk)
	}
}
