// Package hook reads what other tools found, so that it counts in the same verdict. A reader turns one tool's format
// into the vocabulary of core and refuses what is truncated or of another form; it decides nothing, and starts nothing.
package hook
