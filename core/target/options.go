package target

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
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

	network network // zero fields mean the defaults; tests shorten them
}

// network is the patience with servers.
type network struct {
	attempts int           // for one request, the first included
	resumes  int           // for one blob
	delay    time.Duration // before the second attempt; doubled each time
	maxDelay time.Duration
	budget   time.Duration // for all delays of one request, also those that a server asks for
	header   time.Duration // until a response begins
	idle     time.Duration // between two reads of a body
	daemon   time.Duration // until a daemon's export begins: it writes the whole image to its own disk first
}

func defaultNetwork() network {
	return network{
		attempts: 5,
		resumes:  8,
		delay:    500 * time.Millisecond,
		maxDelay: 20 * time.Second,
		budget:   2 * time.Minute,
		header:   30 * time.Second,
		idle:     60 * time.Second,
		daemon:   10 * time.Minute,
	}
}

func (o Options) filled() Options {
	o.Limits = o.Limits.Filled()
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.UserAgent == "" {
		o.UserAgent = "cleanbill"
	}
	d := defaultNetwork()
	fill(&o.network.attempts, d.attempts)
	fill(&o.network.resumes, d.resumes)
	fill(&o.network.delay, d.delay)
	fill(&o.network.maxDelay, d.maxDelay)
	fill(&o.network.budget, d.budget)
	fill(&o.network.header, d.header)
	fill(&o.network.idle, d.idle)
	fill(&o.network.daemon, d.daemon)
	return o
}

func fill[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
