package core

import "errors"

// Failure is an error that people read: what was being done, why it failed and what to do about it. It is made where
// the reason is known and printed once, by the command.
type Failure struct {
	// Doing completes the sentence "could not …": "open image registry.example/app:1".
	Doing string
	Err   error
	// Hint is what the user can do; empty if there is nothing to say that Err does not.
	Hint string
	// Usage is true when the user's input is wrong, which ends the process with ExitUsage instead of ExitUndecided.
	Usage bool
}

// Error gives one line without the hint.
func (f *Failure) Error() string { return "could not " + f.Doing + ": " + f.Err.Error() }

// Unwrap returns the reason.
func (f *Failure) Unwrap() error { return f.Err }

// Usage reports whether err is, anywhere in its chain, a Failure of the user's input.
func Usage(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Usage
}

// HintOf returns the hint of the outermost Failure in err's chain that has one.
func HintOf(err error) string {
	for err != nil {
		var f *Failure
		if !errors.As(err, &f) {
			return ""
		}
		if f.Hint != "" {
			return f.Hint
		}
		err = f.Err
	}
	return ""
}
