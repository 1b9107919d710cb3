package target

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

// Options say how targets are opened. The zero value opens every platform, without credentials, with default limits.
type Options struct {
	// Platforms restrict an image index to these; empty means every platform.
	Platforms []core.Platform
	// Limits bound what is read; zero fields mean the defaults.
	Limits limit.Limits
	// TempDir is where archives are spooled, in a private directory; empty means os.TempDir.
	TempDir string
	// Getenv looks up the environment: credentials, proxies and sockets. Nil means an empty environment.
	Getenv func(string) string
	// Log may be nil.
	Log hclog.Logger
	// UserAgent is what registries see; empty means "cleanbill".
	UserAgent string
	// Transport reaches registries; nil means one with the proxies of the environment.
	Transport http.RoundTripper
	// Patience is with servers; zero fields mean the defaults.
	Patience network.Patience

	// daemonPatience is until a daemon's export begins: it writes the whole image to its own disk first.
	daemonPatience time.Duration
}

func (o Options) filled() Options {
	o.Limits = o.Limits.Filled()
	o.Patience = o.Patience.Filled()
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.daemonPatience == 0 {
		o.daemonPatience = 10 * time.Minute
	}
	return o
}

func (o Options) registry() registry.Options {
	return registry.Options{Limits: o.Limits, Getenv: o.Getenv, Log: o.Log, UserAgent: o.UserAgent,
		Transport: o.Transport, Patience: o.Patience}
}
