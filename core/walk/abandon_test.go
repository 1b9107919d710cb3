package walk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// deaf does not notice that its context ended.
type deaf struct{ until chan struct{} }

func (deaf) Info() core.Info                { return core.Info{Name: "deaf"} }
func (deaf) Wants(string, fs.FileInfo) bool { return true }

func (d deaf) Analyze(context.Context, core.File) (core.Found, error) {
	<-d.until
	return core.Found{}, nil
}

func TestOnlySomeAnalysesAreLeftBehind(t *testing.T) {
	d := deaf{make(chan struct{})}
	defer close(d.until)
	r := &run{analyzers: []analyzer{{Analyzer: d}}, log: hclog.NewNullLogger(), reading: image.NewReading(limit.Limits{})}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f := core.File{Path: "x", Content: io.NewSectionReader(bytes.NewReader(nil), 0, 0)}
	for range maxAbandoned {
		if _, left, err := r.analyze(ended, 0, f); !left || err == nil {
			t.Fatalf("left %v: %v", left, err)
		}
	}
	if _, left, err := r.analyze(t.Context(), 0, f); left || !errors.Is(err, errAbandoned) {
		t.Errorf("left %v: %v", left, err)
	}
}
