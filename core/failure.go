package core

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

// Usage reports whether err is, anywhere in its tree, a Failure of the user's input.
func Usage(err error) bool {
	return find(err, func(f *Failure) bool { return f.Usage }) != nil
}

// HintOf returns the first hint in err's tree, seen from the outside in.
func HintOf(err error) string {
	if f := find(err, func(f *Failure) bool { return f.Hint != "" }); f != nil {
		return f.Hint
	}
	return ""
}

// find returns the first Failure in err's tree that is wanted. errors.As would stop at the first Failure of all.
func find(err error, wanted func(*Failure) bool) *Failure {
	if f, ok := err.(*Failure); ok && wanted(f) {
		return f
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return find(e.Unwrap(), wanted)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if f := find(inner, wanted); f != nil {
				return f
			}
		}
	}
	return nil
}
