// Package advice carries what the user can do about an error from the place that knows it to the core.Failure that
// says what was being done. It holds nothing else: how an error is shown is decided by whoever prints it.
package advice

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Error is an error that knows what the user can do.
type Error struct {
	Err error
	// Hint is what the user can do; empty if there is nothing to say that Err does not.
	Hint string
	// Usage is true when the user's input is wrong.
	Usage bool
}

// Error implements error, without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without the advice.
func (e *Error) Unwrap() error { return e.Err }

// Misuse is an error of the user's input. The format is that of fmt.Errorf.
func Misuse(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint, Usage: true}
}

// Unavailable is an error that is not the user's, with a hint. The format is that of fmt.Errorf.
func Unavailable(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint}
}

// HintOf returns the hint that err carries; empty if it carries none.
func HintOf(err error) string {
	var a *Error
	if errors.As(err, &a) {
		return a.Hint
	}
	return ""
}

// Failure makes the one core.Failure that people read, or nil of a nil error. An interrupted run is reported as just
// that.
func Failure(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return &core.Failure{Doing: doing, Err: cause}
	}
	f := &core.Failure{Doing: doing, Err: err}
	var a *Error
	if errors.As(err, &a) {
		f.Hint, f.Usage = a.Hint, a.Usage
	}
	return f
}
