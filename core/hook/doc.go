// Package hook reads what other tools found, so that it counts in the same verdict. A reader turns one tool's format
// into the vocabulary of core and refuses what is truncated or of another form; it decides nothing.
//
// It also starts tools, as hooks: a Hook says how, a Survey which of them there is something for, and a Runner confines them.
// For that the program starts itself again, so whoever uses a Runner calls Shim before anything else.
package hook
