package network

import (
	"context"
	"math/rand/v2"
	"time"
)

// Patience is the patience with a server. The zero value of a field means the default.
type Patience struct {
	Attempts int           // for one request, the first included
	Resumes  int           // for one body
	Delay    time.Duration // before the second attempt; doubled each time
	MaxDelay time.Duration
	Budget   time.Duration // for all delays of one request, also those that a server asks for
	Header   time.Duration // until a response begins
	Idle     time.Duration // between two reads of a body
}

// Filled returns p with defaults in place of its zero fields.
func (p Patience) Filled() Patience {
	fill(&p.Attempts, 5)
	fill(&p.Resumes, 8)
	fill(&p.Delay, 500*time.Millisecond)
	fill(&p.MaxDelay, 20*time.Second)
	fill(&p.Budget, 2*time.Minute)
	fill(&p.Header, 30*time.Second)
	fill(&p.Idle, 60*time.Second)
	return p
}

func fill[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Backoff is the delay after an attempt: doubled each time, and spread so that a fleet does not return in step.
func (p Patience) Backoff(attempt int) time.Duration {
	d := min(p.Delay<<min(attempt-1, 20), p.MaxDelay)
	return d/2 + rand.N(d/2+1)
}

// Sleep waits, unless the context ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
