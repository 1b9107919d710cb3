package vuln

import (
	"context"
	"sync"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// maxRemembered bounds the answers that a Matcher keeps; beyond that it begins again.
const maxRemembered = 500_000

// Matcher matches the packages of many subjects against one set, and answers what several of them ask once: the images
// of an organisation share most of their packages. It is safe for concurrent use.
type Matcher struct {
	mu sync.Mutex
	m  matcher
}

// NewMatcher returns a Matcher against a set.
func NewMatcher(set Advisories) *Matcher { return &Matcher{m: newMatcher(set)} }

// Match does what the function Match does.
func (k *Matcher) Match(ctx context.Context, e *core.Evidence, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.m.known) > maxRemembered {
		clear(k.m.known)
	}
	err := k.m.match(ctx, e, now)
	if err != nil {
		clear(k.m.known) // some of the answers are half made
	}
	for _, a := range k.m.answers {
		a.forgetful()
	}
	k.m.answers = nil
	return err
}

// forgetful drops what an answer was made from, and the evidence that its question came with.
func (a *answer) forgetful() {
	a.pkg, a.lookups, a.hits, a.cleared, a.flaws = nil, nil, nil, nil, nil
}
