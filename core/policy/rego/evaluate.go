package rego

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Bounds on an evaluation beside those of the meter.
const (
	// maxTime is for what cannot be counted, such as comparing two values that hold themselves a million times. The
	// steps that the meter allows take less.
	maxTime    = 10 * time.Minute
	grace      = 2 * time.Second
	maxResults = 200_000
	// maxMessage bounds a message, in bytes.
	maxMessage = 4096
)

// Result is one message of a rule.
type Result struct {
	Rule    string
	Action  core.Action
	Message string
	// Subject and Fingerprint are those of a result that names them.
	Subject     core.Digest
	Fingerprint string
	// Excepted is true if a rule of its package excuses it; the action is then "warn", never less.
	Excepted bool
}

// Broken is a rule that could not be evaluated. It might have been the one that refuses.
type Broken struct {
	Rule string
	Why  string
}

// Evaluate asks every rule of the set. The same input and time give the same results, sorted.
func (s *Set) Evaluate(ctx context.Context, input *ast.Term, now time.Time) ([]Result, []Broken) {
	return Evaluate(ctx, []*Set{s}, input, now)
}

// Evaluate asks every rule of several sets, in their order and within one bound for all of them. What one set defines is
// nothing to another.
func Evaluate(ctx context.Context, sets []*Set, input *ast.Term, now time.Time) ([]Result, []Broken) {
	ctx, stop := context.WithTimeoutCause(ctx, maxTime, fmt.Errorf("the rules took more than %s", maxTime))
	defer stop()
	type answer struct {
		results []Result
		broken  []Broken
	}
	m := newMeter(membersIn(input))
	done := make(chan answer, 1)
	go func() {
		var a answer
		for _, s := range sets {
			e := evaluation{set: s, ctx: ctx, meter: m, input: input, now: now, cache: topdown.NewVirtualCache()}
			a.results, a.broken = e.all(a.results, a.broken)
		}
		slices.SortFunc(a.results, compareResults)
		a.results = slices.Compact(a.results)
		done <- a
	}()
	select {
	case a := <-done:
		return a.results, a.broken
	case <-ctx.Done():
		m.Cancel()
	}
	select {
	case a := <-done:
		return a.results, a.broken
	case <-time.After(grace): // it is within one comparison that has no end, and is left to itself
		return nil, []Broken{{Rule: strings.TrimSuffix(Prefix, ":"), Why: context.Cause(ctx).Error()}}
	}
}

// membersIn counts what evidence is about.
func membersIn(input *ast.Term) int {
	evidence, ok := input.Value.(ast.Object)
	if !ok {
		return 0
	}
	n := 0
	evidence.Foreach(func(_, v *ast.Term) { n += length(v) })
	return n
}

// evaluation is one call of Evaluate.
type evaluation struct {
	set   *Set
	ctx   context.Context
	meter *meter
	input *ast.Term
	now   time.Time
	// cache holds what rules found out for each other.
	cache topdown.VirtualCache
}

func compareResults(a, b Result) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Fingerprint, b.Fingerprint),
		cmp.Compare(a.Message, b.Message), cmp.Compare(a.Action, b.Action))
}

// all adds what the rules of the set give.
func (e *evaluation) all(results []Result, broken []Broken) ([]Result, []Broken) {
	for _, r := range e.set.rules {
		found, err := e.rule(r)
		if err == nil && len(results)+len(found) > maxResults {
			found, err = nil, fmt.Errorf("the rules gave more than %d messages altogether", maxResults)
		}
		if err != nil {
			broken = append(broken, Broken{r.name, err.Error()})
			e.cache = topdown.NewVirtualCache() // it may hold half of something
		}
		results = append(results, found...)
	}
	return results, broken
}

func (e *evaluation) rule(r rule) ([]Result, error) {
	value, err := e.query(r.ref)
	if value == nil || err != nil {
		return nil, err
	}
	results, err := resultsOf(r, value)
	if len(results) == 0 || r.exceptions == nil {
		return results, err
	}
	excepted, wrong := e.excepted(r)
	if err = cmp.Or(err, wrong); wrong != nil {
		return results, fmt.Errorf("exception: %w", err) // which excuses nothing
	}
	for i := range results {
		if excepted {
			results[i].Action, results[i].Excepted = core.ActionWarn, true
		}
	}
	return results, err
}

const answerVariable = ast.Var("x")

// query returns the value of a rule, or nil if it has none.
func (e *evaluation) query(ref ast.Ref) (value ast.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("the evaluator failed: %v", r)
		}
	}()
	variable := ast.VarTerm(string(answerVariable))
	body, err := e.set.compiler.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(variable, ast.NewTerm(ref))))
	if err != nil {
		return nil, err
	}
	store := inmem.New()
	txn, err := store.NewTransaction(e.ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(e.ctx, txn)
	query := topdown.NewQuery(body).WithCompiler(e.set.compiler).WithStore(store).WithTransaction(txn).WithInput(e.input).
		WithTime(e.now).WithCancel(e.meter).WithVirtualCache(e.cache).WithStrictBuiltinErrors(true).WithSeed(noRandomness{})
	err = query.Iter(e.ctx, func(q topdown.QueryResult) error {
		if t := q[answerVariable]; t != nil {
			value = t.Value
		}
		return nil
	})
	if err != nil {
		return nil, e.reason(err)
	}
	return value, nil
}

// noRandomness is what rules get that ask for it.
type noRandomness struct{}

// Read implements io.Reader.
func (noRandomness) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// reason says where and why a rule failed.
func (e *evaluation) reason(err error) error {
	var known *topdown.Error
	var halted topdown.Halt
	switch {
	case topdown.IsCancel(err):
		return e.meter.why()
	case errors.As(err, &halted):
		return halted.Err
	case errors.As(err, &known) && known.Location != nil:
		return fmt.Errorf("%s:%d:%d: %s", known.Location.File, known.Location.Row, known.Location.Col, known.Message)
	}
	return err
}

// excepted reports whether a rule of the package excuses this one by name. As in Conftest, an exception is a list of
// names, and the name of plain deny is empty.
func (e *evaluation) excepted(r rule) (bool, error) {
	value, err := e.query(r.exceptions)
	if value == nil || err != nil {
		return false, err
	}
	name := ast.String(r.short)
	found := false
	err = each(value, func(list *ast.Term) error {
		return each(list.Value, func(t *ast.Term) error {
			found = found || t.Value.Compare(name) == 0
			return nil
		})
	})
	if err != nil {
		return false, errors.New("it must give lists of names of rules")
	}
	return found, nil
}

var errNoList = errors.New("it is neither a set nor a list")

func each(v ast.Value, do func(*ast.Term) error) error {
	switch v := v.(type) {
	case ast.Set:
		return v.Iter(do)
	case *ast.Array:
		return v.Iter(do)
	}
	return errNoList
}

func resultsOf(r rule, value ast.Value) ([]Result, error) {
	if n := length(ast.NewTerm(value)); n > maxResults {
		return nil, fmt.Errorf("it gave %d messages; rules can give %d", n, maxResults)
	}
	var results []Result
	var wrong error
	err := each(value, func(t *ast.Term) error {
		result, err := resultOf(t.Value)
		result.Rule, result.Action = r.name, r.action
		if err == nil {
			results = append(results, result)
		}
		wrong = cmp.Or(wrong, err)
		return nil
	})
	if err != nil {
		return nil, errors.New("it must give a set of messages, or of objects with a msg")
	}
	return results, wrong
}

// resultOf reads a message, or an object that has one as its msg and may name a finding.
func resultOf(v ast.Value) (Result, error) {
	switch v := v.(type) {
	case ast.String:
		return Result{Message: short(string(v))}, nil
	case ast.Object:
		message, ok := textAt(v, "msg")
		if !ok {
			return Result{}, errors.New("an object that it gave has no msg that is text")
		}
		fingerprint, _ := textAt(v, "fingerprint")
		subject, _ := textAt(v, "subject")
		return Result{Message: short(message), Fingerprint: fingerprint, Subject: core.Digest(subject)}, nil
	}
	return Result{}, fmt.Errorf("it gave a %s where a message must be", ast.ValueName(v))
}

func textAt(o ast.Object, key string) (string, bool) {
	t := o.Get(ast.StringTerm(key))
	if t == nil {
		return "", false
	}
	s, ok := t.Value.(ast.String)
	return string(s), ok
}

func short(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}
