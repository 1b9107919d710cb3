package rego

import (
	"fmt"
	"runtime/metrics"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds on an evaluation of all rules together. Steps grow with the evidence: fifty rules that look at everything in it
// take half of them.
const (
	minSteps       = 1_000_000
	stepsPerMember = 300
	maxBytes       = 512 << 20
	// maxHeap is how far the heap may grow, and sampled how often that is looked at, in steps. It is far beyond what the
	// other bounds allow to most rules, and catches those that keep everything that they make.
	maxHeap = 1 << 30
	sampled = 1 << 12
)

// meter counts what an evaluation costs. The evaluator asks before every expression whether it is cancelled: that is a
// step. It is used by one goroutine, but for Cancel.
type meter struct {
	steps, maxSteps int64
	bytes           int64
	heap            uint64 // when it began
	full            bool
	cancelled       atomic.Bool
	sample          [1]metrics.Sample
}

// newMeter is for evidence with so many subjects, packages and findings altogether.
func newMeter(members int) *meter {
	m := &meter{maxSteps: minSteps + stepsPerMember*int64(members)}
	m.sample[0].Name = "/memory/classes/heap/objects:bytes"
	m.heap = m.heapNow()
	return m
}

func (m *meter) heapNow() uint64 {
	metrics.Read(m.sample[:])
	if m.sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return m.sample[0].Value.Uint64()
}

// Cancel implements topdown.Cancel.
func (m *meter) Cancel() { m.cancelled.Store(true) }

// Cancelled implements topdown.Cancel.
func (m *meter) Cancelled() bool {
	m.steps++
	if m.steps%sampled == 0 && m.heapNow() > m.heap+maxHeap {
		m.full = true
	}
	return m.steps > m.maxSteps || m.full || m.cancelled.Load()
}

// charge counts a value that a function made.
func (m *meter) charge(t *ast.Term) error {
	switch v := t.Value.(type) {
	case ast.String:
		m.bytes += int64(len(v))
	case ast.Number:
		m.bytes += int64(len(v))
	default:
		n := length(t)
		if n > maxElements {
			return fmt.Errorf("it made more than %d elements", maxElements)
		}
		m.bytes += 32 * int64(n)
	}
	if m.bytes > maxBytes {
		return fmt.Errorf("the rules made more than %d bytes of values altogether", maxBytes)
	}
	return nil
}

// why says why an evaluation was cancelled.
func (m *meter) why() error {
	switch {
	case m.steps > m.maxSteps:
		return fmt.Errorf("the rules took more than %d steps altogether", m.maxSteps)
	case m.full:
		return fmt.Errorf("the rules took more than %d bytes of memory", maxHeap)
	}
	return fmt.Errorf("the rules took more than %s", maxTime)
}
